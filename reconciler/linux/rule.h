// The ip rule codec: PolicyRule to and from rtnetlink.
//
// Every attribute that a PolicyRule does not model comes back as text in
// `extra`, so a rule that somebody embellished never equals one of ours.
#ifndef UPLINKD_RECONCILER_LINUX_RULE_H_
#define UPLINKD_RECONCILER_LINUX_RULE_H_

#include <optional>
#include <vector>

#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"
#include "reconciler/route.h"

namespace uplinkd {

// Our rules (by protocol and priority), sorted; duplicates included. The
// kernel cannot filter rules, so the cost grows with all rules there are.
// kAborted: see ReadList().
Result<std::vector<PolicyRule>> ReadOwnRules(NlSocket& socket, Family family);

PolicyRule DecodeRule(nlmsghdr* message);

enum class RuleOperation {
  kCreate,  // refused (EEXIST) if there is an equal one of ours
  kRemove,  // one rule of ours that has all this
};
NlRequest EncodeRule(RuleOperation operation, const PolicyRule& rule);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_RULE_H_
