// The xtables lowering: FilterIntent -> chains of the mangle and nat tables.
//
// Pure. docs/design.md shows the chains that come out and what a packet walks.
#ifndef UPLINKD_RECONCILER_XT_LOWERING_H_
#define UPLINKD_RECONCILER_XT_LOWERING_H_

#include <map>

#include "reconciler/chain.h"
#include "reconciler/filter.h"

namespace uplinkd {

std::map<XtTable, XtTableState> LowerToXtables(const FilterIntent& intent);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_LOWERING_H_
