// Reconcile: one pass of the whole line.
//
//   facts -> compile -> observe -> plan -> execute -> Report
//
// No I/O of its own (the Kernel does it), no logging: the Report explains. A
// failed read ends the pass; a failed step is an outcome, and the steps that
// do not rest on it go on. Whether the pass worked is decided by the next
// observation, not by return codes.
#ifndef UPLINKD_RECONCILER_RECONCILE_H_
#define UPLINKD_RECONCILER_RECONCILE_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/kernel.h"
#include "reconciler/plan.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

enum class PassPhase { kFacts, kCompile, kObserve, kPlan, kExecute };
std::string_view PassPhaseName(PassPhase phase);  // "facts"

enum class PassResult {
  kInSync,    // nothing to do
  kChanged,   // every step was done (dry run: there are steps)
  kFailed,    // a read or a step failed, or a foreign route is in the way
  kConflict,  // somebody changed something under us; read again at once
};
std::string_view PassResultName(PassResult result);  // "in-sync"

struct Report {
  PassResult result = PassResult::kInSync;
  std::optional<PassPhase> failed_phase;  // the read that failed, if one did
  std::optional<Error> error;             // its words
  std::vector<UplinkState> uplinks;
  std::vector<std::string> warnings;
  Plan plan;                      // what this pass meant to do
  std::vector<Outcome> outcomes;  // one per step of the plan
  // Uplinks with a step that the kernel refused, with its words.
  BlockedParts refused;
  std::map<PassPhase, std::chrono::nanoseconds> durations;
  // Objects of ours now in the kernel's hands, by kind: "route", "rule",
  // "chain-rule". And foreign routes in our tables.
  std::map<std::string, std::size_t> objects;
  std::size_t foreign_routes = 0;
  std::map<Mark, std::uint64_t> fates_given;  // see State
  std::uint64_t chains_version = 0;           // as it was read; see ChainLook
  // The links looked at, for the exporter: uplink name -> ifindex (0: none).
  std::map<std::string, int> link_index;
  CountedChoices counted;  // see Desired
  RankedChoices ranked;    // the same
};

// A monotonic clock, injected so that tests are exact.
using MonotonicClock = std::function<std::chrono::nanoseconds()>;

// What a pass leaves for the next one: what it compiled, and from what, so that
// nothing is computed again from the same spec and facts.
struct PassMemory {
  Spec spec;
  Facts facts;
  Desired desired;
};

struct PassOptions {
  bool dry_run = false;  // stop before execute: the plan is the answer
  bool sweep = false;    // see ObserveScope
  // Tables of earlier specs that may still hold routes of ours.
  std::set<std::uint32_t> more_tables = {};
  // Uplinks that the kernel refused earlier; see Facts::blocked.
  BlockedParts blocked = {};
  Loads loads = {};        // see Facts::loads
  Rankings rankings = {};  // see Facts::rankings
  // Uplinks that an operator drains; see Facts::draining.
  std::map<std::string, std::string> draining = {};
  // What probes say of uplinks; see Facts::health.
  std::map<std::string, HealthVerdict> health = {};
};

// `spec` must be valid and have its ids assigned. `memory` is what the last
// pass left, if it left anything, and is brought up to date.
Report ReconcileOnce(const Spec& spec, const PassOptions& options,
                     std::optional<PassMemory>& memory, Kernel& kernel,
                     const MonotonicClock& now);
// The same, without a memory.
Report ReconcileOnce(const Spec& spec, const PassOptions& options,
                     Kernel& kernel, const MonotonicClock& now);

// Removes everything that is ours, again and again (at most a few times)
// until an observation finds nothing.
Report CleanUp(Kernel& kernel, bool dry_run, const MonotonicClock& now);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_RECONCILE_H_
