// Wire: the agent's values as messages of the service, and errors as gRPC
// status codes.
//
// The only place in the agent that fills in messages from reports. Pure.
#ifndef UPLINKD_AGENT_WIRE_H_
#define UPLINKD_AGENT_WIRE_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/cutter.h"
#include "reconciler/reconcile.h"
#include "reconciler/result.h"
#include "reconciler/schedule.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

grpc::Status ToGrpcStatus(const Error& error);

google::protobuf::Timestamp ToProto(std::chrono::system_clock::time_point time);
google::protobuf::Duration ToProto(std::chrono::nanoseconds duration);
// A message can say more than these types hold: what is more than 142 years
// away (from 1970, or from nothing) is 142 years away.
std::chrono::system_clock::time_point FromProto(
    const google::protobuf::Timestamp& time);
std::chrono::nanoseconds FromProto(const google::protobuf::Duration& duration);

// What a watcher is told about a pass.
v1::Event ToEvent(const Report& report, Trigger trigger,
                  std::chrono::system_clock::time_point time);

// What a watcher is told about connections that were cut.
v1::Event ToEvent(const CutOutcome& outcome,
                  std::chrono::system_clock::time_point time);

// The words of a pass that did not go well: of the read that failed, or of the
// first step. "" if nothing failed.
std::string FirstFault(const Report& report);

// Leaves at most so many lines of the event's plan, and notes how many more
// there were.
void ShortenPlan(v1::Event& event, int most);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_WIRE_H_
