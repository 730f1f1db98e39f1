// RpcRules: which role each request needs, and what it costs. The one place.
//
// What is not in the table changes something and is for operators, so a new rpc
// that nobody thought of here is never open to more than those.
#ifndef UPLINKD_AGENT_RPC_RULES_H_
#define UPLINKD_AGENT_RPC_RULES_H_

#include <span>
#include <string_view>

#include "agent/caller.h"

namespace uplinkd {

// What a request takes a place of, while it is under way.
enum class Place {
  kThread,      // may wait for the engine, or for much longer
  kUrgent,      // likewise a thread, but kept for what has to get through
  kReflection,  // likewise, for as long as its client likes
  kStream,      // holds no thread, and may go on for days
};

struct RpcRule {
  std::string_view rpc;
  Role role = Role::kOperator;
  // In tokens: one for what is answered from a snapshot, more for what the
  // engine has to ask the kernel for.
  double cost = 1;
  bool change = true;  // counted, and limited, as one
  Place place = Place::kThread;
};

// An Apply that is asked for a plan only.
inline constexpr std::string_view kDryRunRpc = "Apply (dry run)";
// The standard services beside ours: health, and reflection.
inline constexpr std::string_view kSideRpc = "grpc";
inline constexpr std::string_view kReflectionRpc = "grpc.reflection";

std::span<const RpcRule> RpcRules();
RpcRule RuleOf(std::string_view rpc);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_RPC_RULES_H_
