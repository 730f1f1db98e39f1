// Kernel: the only door to the kernel.
//
// LinuxKernel (reconciler/linux/) is the real one; the tests have a fake with
// the same manners. All calls come from one thread, which owns the object.
// No call throws. Reads never change anything.
#ifndef UPLINKD_RECONCILER_KERNEL_H_
#define UPLINKD_RECONCILER_KERNEL_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "reconciler/duration_histogram.h"
#include "reconciler/facts.h"
#include "reconciler/plan.h"
#include "reconciler/result.h"
#include "reconciler/state.h"

namespace uplinkd {

// Where to look for what is ours.
struct ObserveScope {
  std::set<std::uint32_t> tables;  // routing tables to read whole
  // Also look for routes of ours in every other table. Costs a walk of all
  // routes in the kernel, so only for a first pass, a new spec and a cleanup.
  bool sweep = false;
  // Also what is ours in IPv6. Without it, IPv6 is looked at in the first sweep
  // alone, and from then on as long as something of ours is there.
  bool ipv6 = false;
};

// What became of one step.
enum class StepResult {
  kDone,       // the kernel took it
  kAlreadySo,  // there was nothing to do (EEXIST on add, ESRCH on remove)
  kConflict,   // somebody else changed it first: read again
  kFailed,     // the kernel refused; see the error
  kSkipped,    // not tried, since a step that it rests on failed
};
std::string_view StepResultName(StepResult result);  // "already-so"

struct Outcome {
  StepResult result = StepResult::kDone;
  Error error;  // for kConflict and kFailed

  friend auto operator<=>(const Outcome&, const Outcome&) = default;
};

// What a look at the chains alone tells.
struct ChainLook {
  // Another one than before: the tables, with all that is foreign in them, are
  // not what they were then. It only ever grows.
  std::uint64_t version = 0;
  std::map<Mark, std::uint64_t> fates_given;  // see State
};

// What it took to read and to write, since the kernel was opened.
struct KernelCosts {
  // For other writers of the packet filter, one wait per edit of a table.
  DurationHistogram lock_waits;
  std::uint64_t lock_timeouts = 0;  // edits given up since it took too long
  // Lists that changed while they were read, and were read again.
  std::uint64_t interrupted_dumps = 0;
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  // What `scope` asks for, as far as it exists.
  virtual Result<Facts> ReadFacts(const FactsScope& scope) = 0;

  // What is ours now. Tables of policy rules and xtables are always read.
  // kAborted: the kernel changed under the read too often; try again.
  virtual Result<State> Observe(const ObserveScope& scope) = 0;

  // The chains only: they have no events, and are cheap to look at as long as
  // they do not change. Those of the families that the last Observe() looked
  // at. Fails as Observe() does.
  virtual Result<ChainLook> LookAtChains() = 0;

  // Executes steps of one stage, in order, batched where the kernel allows.
  // One outcome per step; a failed one does not stop the others.
  virtual std::vector<Outcome> Execute(std::span<const Step> steps) = 0;

  virtual KernelCosts costs() const { return {}; }
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_KERNEL_H_
