// The routing half of Compile(): routes of the uplinks' tables, ip rules.
//
// Pure. docs/design.md shows both as ip(8) would print them.
#ifndef UPLINKD_RECONCILER_COMPILE_ROUTES_H_
#define UPLINKD_RECONCILER_COMPILE_ROUTES_H_

#include <map>
#include <vector>

#include "reconciler/compile_uplink.h"
#include "reconciler/route.h"

namespace uplinkd {

// Of one family, which is that of `uplinks` and `lans`.

// Whatever routes can exist now: an uplink that waits keeps its floor, and the
// routes through its link as long as the kernel can hold them.
std::map<RouteKey, Route> CompileRoutes(
    const Spec& spec, Family family, const std::vector<ResolvedUplink>& uplinks,
    const std::vector<ResolvedLan>& lans);

// Sorted. An uplink that waits keeps the rule of its mark, and that of its
// address while the address is there.
std::vector<PolicyRule> CompileRules(const Spec& spec, Family family,
                                     const std::vector<ResolvedUplink>& uplinks,
                                     const std::vector<ResolvedLan>& lans);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMPILE_ROUTES_H_
