// NatBeforeMangle: what nat must hold while mangle still has its old rules.
//
// Part of MakePlan. Pure. New translations must be there before mangle gives
// the first fate that needs them; old ones must stay until mangle has given
// the last.
#ifndef UPLINKD_RECONCILER_PLAN_NAT_H_
#define UPLINKD_RECONCILER_PLAN_NAT_H_

#include "reconciler/chain.h"
#include "reconciler/state.h"

namespace uplinkd {

// The state of nat between kMakeNat and kBreakNat. `have` and `want` are the
// nat tables of `family` in `observed` and `desired`. Equals `have` if there is
// nothing to make, and `want` if there is nothing that must be left standing.
XtTableState NatBeforeMangle(const XtTableState& have, const XtTableState& want,
                             const State& desired, const State& observed,
                             Family family);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_PLAN_NAT_H_
