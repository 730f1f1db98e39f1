// The xtables lowering: FilterIntent -> chains of the mangle and nat tables.
//
// Pure. docs/design.md shows the chains that come out and what a packet walks.
#ifndef UPLINKD_RECONCILER_XT_LOWERING_H_
#define UPLINKD_RECONCILER_XT_LOWERING_H_

#include <string>

#include "reconciler/chain.h"
#include "reconciler/filter.h"
#include "reconciler/state.h"

namespace uplinkd {

// The tables of the intent's family. One that holds nothing is absent.
XtTables LowerToXtables(const FilterIntent& intent);

// "u1-9ae16a3b", at most 15 characters: the id, and a digest of what is
// measured and how, since the kernel refuses other parameters under a name
// that it knows.
std::string EstimatorName(const RateEstimator& estimator);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_LOWERING_H_
