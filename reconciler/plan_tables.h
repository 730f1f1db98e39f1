// Edits of an xtables table: the difference between two states of what is ours
// in it, and what such edits make of a state.
//
// Part of MakePlan. Pure. Rules that both states have in the same order are
// never edited, so that they keep their counters.
#ifndef UPLINKD_RECONCILER_PLAN_TABLES_H_
#define UPLINKD_RECONCILER_PLAN_TABLES_H_

#include <functional>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/plan.h"
#include "reconciler/result.h"

namespace uplinkd {

// The least edits that turn `have` into `want`: chains are created before use,
// chains that go are emptied before they are deleted, and jumps come and go
// while their chains exist. The wanted jumps of a hook stand from place 0 on.
std::vector<ChainEdit> DiffTables(const XtTableState& have,
                                  const XtTableState& want);

// What `edits` make of `state`. kInvalidArgument: an edit does not fit (no such
// chain, position or rule).
Result<XtTableState> ApplyEdits(XtTableState state,
                                const std::vector<ChainEdit>& edits);

// `want`, with those rules of `have` left in their places that are not wanted
// any more but `still_used`. Only in chains that are wanted.
XtTableState WithStillUsed(
    const XtTableState& have, const XtTableState& want,
    const std::function<bool(const ChainRule&)>& still_used);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_PLAN_TABLES_H_
