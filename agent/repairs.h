// Repairs: the part of what a pass did that somebody else made necessary.
//
// Pure. A pass for other loads writes shares anew that nobody has touched. That
// is no drift: it must not be counted, told to watchers, or taken for a fight.
// If something else was wrong as well, that part still is.
#ifndef UPLINKD_AGENT_REPAIRS_H_
#define UPLINKD_AGENT_REPAIRS_H_

#include <map>
#include <string>

#include "reconciler/load.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

// The plan of `report` and its outcomes without the edits of the chains of
// `choices`, which are by policy. Nothing else of the report.
Report WithoutChoices(const Report& report,
                      const std::map<std::string, CountedChoice>& choices);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REPAIRS_H_
