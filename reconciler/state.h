// State: everything of ours that the kernel holds, or should hold.
//
// Desired and observed are both of this type, so that the difference between
// them is a comparison of values.
#ifndef UPLINKD_RECONCILER_STATE_H_
#define UPLINKD_RECONCILER_STATE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/route.h"
#include "reconciler/shared.h"

namespace uplinkd {

// What is ours in each table; an absent table is empty.
using XtTables = std::map<XtTable, Shared<XtTableState>>;

struct State {
  std::map<RouteKey, Route> routes;
  // Sorted. The kernel can hold exact duplicates, so this is not a set.
  std::vector<PolicyRule> rules;
  XtTables tables;

  // Observed only, and never compared: routes in our tables that are not ours,
  // by key. They are reported; one whose key we need is a conflict.
  std::map<RouteKey, Route> foreign_routes;
  // Observed only, and never compared: how many packets got each fate since
  // the rule that gives it was written.
  std::map<Mark, std::uint64_t> fates_given;
  // Observed only, and never compared: see ChainLook.
  std::uint64_t chains_version = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_STATE_H_
