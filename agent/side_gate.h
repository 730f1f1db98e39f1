// SideGate: the gate for gRPC's standard services, health and reflection.
//
// They are not our code and do not ask for admission themselves, so that is
// done for them. One that is not admitted is cancelled before it does anything.
#ifndef UPLINKD_AGENT_SIDE_GATE_H_
#define UPLINKD_AGENT_SIDE_GATE_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "agent/service.h"

namespace uplinkd {

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeSideGate(AgentService::Admit admit);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SIDE_GATE_H_
