// Repairs: the part of what a pass did that somebody else made necessary.
//
// Pure. A pass for other loads or latencies writes choices anew that nobody has
// touched. That is no drift: it must not be counted, told to watchers, or taken
// for a fight. Nor are routes that the kernel took along with a link or an
// address. If something else was wrong as well, that part still is.
#ifndef UPLINKD_AGENT_REPAIRS_H_
#define UPLINKD_AGENT_REPAIRS_H_

#include <set>
#include <string>

#include "reconciler/facts.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

// The plan of `report` and its outcomes without the edits of the chains of the
// choices of `policies`. Nothing else of the report.
Report WithoutChoices(const Report& report,
                      const std::set<std::string>& policies);

// The names of the links that came, are others of the same name, or have been
// taken up or given other addresses since `before`.
std::set<std::string> LinksMoved(const Facts& before, const Facts& now);

// Likewise without the routes through these links that were not there.
Report WithoutRoutesThrough(const Report& report,
                            const std::set<std::string>& links);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_REPAIRS_H_
