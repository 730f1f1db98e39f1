// Plan: the ordered steps that turn observed into desired, each with a reason.
//
//   desired, observed --MakePlan--> Plan --ExecutePlan--> Kernel::Execute
//
// Pure. The order makes before it breaks: routes, policy rules, nat chains,
// mangle chains; then removals the other way round. So a mark is never set
// before the rule that honours it exists, and no rule goes while a chain still
// sets its mark. Steps of one stage do not depend on each other.
#ifndef UPLINKD_RECONCILER_PLAN_H_
#define UPLINKD_RECONCILER_PLAN_H_

#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/compile.h"
#include "reconciler/result.h"
#include "reconciler/route.h"
#include "reconciler/state.h"

namespace uplinkd {

// Creates the route, or replaces the one of ours with the same key.
struct PutRoute {
  Route route;
  std::optional<Route> replaces;
  friend auto operator<=>(const PutRoute&, const PutRoute&) = default;
};
struct RemoveRoute {
  Route route;
  friend auto operator<=>(const RemoveRoute&, const RemoveRoute&) = default;
};
struct AddRule {
  PolicyRule rule;
  friend auto operator<=>(const AddRule&, const AddRule&) = default;
};
struct RemoveRule {
  PolicyRule rule;
  friend auto operator<=>(const RemoveRule&, const RemoveRule&) = default;
};

// Why a step or an edit exists, for metrics; the sentence is in `reason`.
enum class Cause { kMissing, kModified, kExtra };
std::string_view CauseName(Cause cause);  // "missing"

// One edit of a table. Edits happen in sequence; a position counts the rules
// that are in the chain once all earlier edits are done. For the two jump
// edits, `position` counts all rules of the builtin chain, foreign ones too.
struct ChainEdit {
  enum class Kind {
    kCreateChain,
    kFlushChain,
    kDeleteChain,
    kInsertRule,  // `rule` becomes the rule at `position`
    kDeleteRule,
    kInsertJump,  // as above, in the builtin chain of `hook`
    kDeleteJump,
  };
  Kind kind = Kind::kInsertRule;
  std::string chain;                  // not for jumps
  XtHook hook = XtHook::kPrerouting;  // jumps only
  std::size_t position = 0;
  ChainRule rule;  // also for deletes: what stands there now
  Cause cause = Cause::kMissing;
  std::string reason;
  friend auto operator<=>(const ChainEdit&, const ChainEdit&) = default;
};

// All edits of one table: one commit. It only happens if what is ours in the
// table still equals `expected`; otherwise the outcome is a conflict
// (ErrorCode::kAborted) and nothing changes.
struct EditXtTable {
  XtTable table = XtTable::kMangle;
  XtTableState expected;
  std::vector<ChainEdit> edits;
  friend auto operator<=>(const EditXtTable&, const EditXtTable&) = default;
};

using Change =
    std::variant<PutRoute, RemoveRoute, AddRule, RemoveRule, EditXtTable>;

// The family of what is changed.
Family FamilyOf(const Change& change);

// In the order in which they happen.
enum class Stage {
  kPutRoutes,
  kAddRules,
  kMakeNat,  // nat, without what connections with old fates still need
  kMangle,
  kBreakNat,  // what kMakeNat left standing; removals that come alone
  kRemoveRules,
  kRemoveRoutes,
};

struct Step {
  Stage stage = Stage::kPutRoutes;
  Change change;
  Cause cause = Cause::kMissing;
  std::string reason;  // one sentence, without a full stop
  // The uplinks whose working this step is about. A later make step that sends
  // traffic to an uplink of a failed step is skipped.
  std::set<std::string> uplinks;
  friend auto operator<=>(const Step&, const Step&) = default;
};

// A route of somebody else's with the very key of one that we need.
struct ForeignConflict {
  Route wanted;
  Route foreign;
  std::set<std::string> uplinks;  // that cannot work because of it
  friend auto operator<=>(const ForeignConflict&,
                          const ForeignConflict&) = default;
};

struct Plan {
  std::vector<Step> steps;  // sorted by stage
  std::vector<ForeignConflict> conflicts;

  bool Empty() const { return steps.empty(); }
};

// The least change that makes `observed` equal to `desired.state`.
Plan MakePlan(const Desired& desired, const State& observed);

// The plan that removes everything of ours in `observed`.
Plan MakeCleanupPlan(const State& observed);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_PLAN_H_
