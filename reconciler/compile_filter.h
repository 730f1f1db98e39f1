// The packet-filter half of Compile(): the intent, before any lowering. Pure.
#ifndef UPLINKD_RECONCILER_COMPILE_FILTER_H_
#define UPLINKD_RECONCILER_COMPILE_FILTER_H_

#include <vector>

#include "reconciler/compile_uplink.h"
#include "reconciler/filter.h"

namespace uplinkd {

// Only uplinks that are ready get connections: as members, arrivals and
// departures. Translation and estimators stay for the others as well, for the
// connections that they already have.
FilterIntent CompileFilter(const Spec& spec, const Facts& facts, Family family,
                           const std::vector<ResolvedUplink>& uplinks,
                           const std::vector<ResolvedLan>& lans);

// Whether `spec` has something to say of the router's own connections.
bool BalancesLocal(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMPILE_FILTER_H_
