// The xtables lowering of traffic rules: the chains that lead a new connection
// from the LANs to its policy.
//
// Pure. A rule with one value per field is one chain rule. A rule with a list
// leaves the line for chains of its own and comes back to it, all by goto, so
// that a verdict ends the walk wherever it is reached:
//
//   UPL-TRAFFIC           ... rules of one value, then
//                         goto UPL-RULE.guests if those of its fields with one
//                         value hold, else goto UPL-TRAFFIC.guests
//   UPL-RULE.guests       goto UPL-TRAFFIC.guests for each excepted value; goto
//                         UPL-RULE.guests.1 for each value of its first list;
//                         else goto UPL-TRAFFIC.guests
//   UPL-RULE.guests.1     the same for its next list; after the last the
//   verdict UPL-TRAFFIC.guests    the rules behind it
#ifndef UPLINKD_RECONCILER_XT_TRAFFIC_H_
#define UPLINKD_RECONCILER_XT_TRAFFIC_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/filter.h"

namespace uplinkd {

// Where the rules for connections from the LANs begin, and those for the
// router's own.
inline constexpr std::string_view kTrafficChain = "UPL-TRAFFIC";
inline constexpr std::string_view kLocalChain = "UPL-LOCAL";

// "UPL-ONLY-3": where a rule sends what is for the uplink with this id alone.
std::string OnlyChainName(UplinkId id);

// Where the verdict leads.
Target LowerVerdict(const TrafficVerdict& verdict);

// The chains of `rules`. The line begins in chain `line` behind what is there
// in `before`. What no rule matches goes to `otherwise`.
std::map<std::string, Chain> LowerTraffic(
    std::string_view line, Chain before,
    const std::vector<TrafficIntent>& rules, const Target& otherwise);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_TRAFFIC_H_
