// Tracer: answers what the kernel would do now with a new connection.
//
// Puts together what the chains that are in the kernel say (reconciler/trace)
// and where the kernel would route each outcome. Reads only. For the thread
// that owns the host.
#ifndef UPLINKD_AGENT_TRACER_H_
#define UPLINKD_AGENT_TRACER_H_

#include "agent/host.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"
#include "reconciler/trace.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// kInvalidArgument: what is asked makes no sense, and why. Pure.
Result<Flow> FlowOf(const v1::TraceRequest& request);

// `spec` names the uplinks of the marks; null: none is followed.
Result<v1::TraceResponse> AnswerTrace(Flow flow, const Spec* spec, Host& host);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TRACER_H_
