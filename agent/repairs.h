// Repairs: the part of what a pass did that somebody else made necessary.
//
// Pure. A pass for other loads or latencies writes choices anew that nobody has
// touched. That
// is no drift: it must not be counted, told to watchers, or taken for a fight.
// If something else was wrong as well, that part still is.
#ifndef UPLINKD_AGENT_REPAIRS_H_
#define UPLINKD_AGENT_REPAIRS_H_

#include <set>
#include <string>

#include "reconciler/reconcile.h"

namespace uplinkd {

// The plan of `report` and its outcomes without the edits of the chains of the
// choices of `policies`. Nothing else of the report.
Report WithoutChoices(const Report& report,
                      const std::set<std::string>& policies);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REPAIRS_H_
