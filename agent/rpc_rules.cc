#include "agent/rpc_rules.h"

#include <algorithm>
#include <array>

namespace uplinkd {
namespace {

// A plan reads the kernel's tables in some ms; a count of connections walks
// conntrack, 0.2 s where there are 250,000.
constexpr double kKernelCost = 10;
constexpr double kWalkCost = 100;

constexpr std::array kRules = {
    RpcRule{"Get", Role::kReader, 1, false},
    RpcRule{"Status", Role::kReader, 1, false, Place::kUrgent},
    RpcRule{"Events", Role::kReader, 1, false},
    RpcRule{"History", Role::kReader, 1, false},
    RpcRule{"Watch", Role::kReader, 1, false, Place::kStream},
    RpcRule{"Diff", Role::kReader, kKernelCost, false},
    RpcRule{"Trace", Role::kReader, kKernelCost, false},
    RpcRule{"Connections", Role::kReader, kWalkCost, false},
    RpcRule{kDryRunRpc, Role::kReader, kKernelCost, false},
    RpcRule{kSideRpc, Role::kReader, 1, false, Place::kStream},
    RpcRule{kReflectionRpc, Role::kReader, 1, false, Place::kReflection},
    // What ends a wait must not have to wait for it.
    RpcRule{"Confirm", Role::kOperator, 1, true, Place::kUrgent},
    RpcRule{"CancelConfirm", Role::kOperator, 1, true, Place::kUrgent},
    RpcRule{"Resume", Role::kOperator, 1, true, Place::kUrgent},
};

}  // namespace

std::span<const RpcRule> RpcRules() {
  return kRules;
}

RpcRule RuleOf(std::string_view rpc) {
  const auto* const rule = std::ranges::find(kRules, rpc, &RpcRule::rpc);
  return rule == kRules.end() ? RpcRule{rpc} : *rule;
}

}  // namespace uplinkd
