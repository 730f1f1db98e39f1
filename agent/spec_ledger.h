// SpecLedger: which spec is accepted, its generation, and the uplinks' ids.
//
// Accepting is the moment when a spec becomes the one that the agent follows:
// it is on disk before it counts, and with it, in the same file, whether it is
// to be confirmed and what returns if it is not. The same spec again keeps its
// generation. For one thread.
#ifndef UPLINKD_AGENT_SPEC_LEDGER_H_
#define UPLINKD_AGENT_SPEC_LEDGER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "agent/offer.h"
#include "agent/save_fault.h"
#include "agent/spec_store.h"
#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

class SpecLedger {
 public:
  struct Accepted {
    std::uint64_t generation = 0;
    bool unchanged = false;  // it was the accepted one already
    bool extended = false;   // and waits to be confirmed for longer than before
  };
  enum class Durability {
    kRequired,  // refuse what cannot be saved
    kWanted,    // the spec has another home: follow it, and tell
  };

  explicit SpecLedger(SpecStore store);

  // Takes up the spec of the last run, if there is one. On failure there is
  // none, and why_none() says why.
  Result<void> Restore();
  // The next generation is greater than this one as well.
  void StartAfter(std::uint64_t generation) { floor_ = generation; }

  // `spec` with ids assigned as Accept() would; changes nothing.
  Spec Prepare(Spec spec) const;

  // Fails with kAborted if `expected` is neither 0 nor the present generation.
  Result<void> JudgeGeneration(std::uint64_t expected) const;
  // Accepts a valid spec. Fails as JudgeGeneration() does; with
  // kInvalidArgument if its terms are no good; with kFailedPrecondition while
  // another one waits to be confirmed, if there is nothing to return to, or for
  // a file whose spec is held; and with the words of the file system if the
  // spec cannot be saved, also if it is the present one, which is unsaved().
  // Then nothing changed; what is on disk is the present one again, or that is
  // unsaved(). A file (kWanted) that has what it had when it was last taken up
  // asks for nothing: what was accepted since then stays, as unchanged.
  // `ready`: the uplinks that are, for a spec that is to be confirmed.
  Result<Accepted> Accept(const Offer& offer, Durability durability,
                          const Moment& now,
                          const std::set<std::string>& ready = {});

  // ---- while the spec waits to be confirmed ----

  // It stays. On failure it waits as before. So do the next two.
  Result<void> Confirm();
  // It waits for `within` from `now`.
  Result<void> Extend(std::chrono::milliseconds within, const Moment& now);
  // It waits for as long as it still has, from `now`; see CountedFrom().
  Result<void> Recount(const Moment& now);
  // The one before returns, as a new generation, and the present one is held. A
  // failure means that this is not on disk; it is followed all the same, is
  // unsaved(), and the next run comes to the same end.
  Result<void> RollBack(const SpecOrigin& origin);

  // Follows a valid spec of which there is no more than itself, as a new
  // generation, whether it can be saved or not.
  void StartWith(Spec spec, const SpecOrigin& origin);

  // Forgets the spec and the ids, on disk too. Generations go on.
  Result<void> Forget();
  // See SpecStore.
  Result<void> MayForget() const { return store_.MayForget(); }

  // Saves what is followed, if the last attempt to save something failed.
  Result<void> SaveAgain();
  const SaveFault& unsaved() const { return unsaved_; }

  // Null if there is none.
  const StoredSpec* current() const { return current_ ? &*current_ : nullptr; }
  // The spec waits for this; none if it does not, or there is none.
  const std::optional<PendingConfirm>& pending() const;
  std::uint64_t generation() const {
    return current_ ? current_->generation : 0;
  }
  const std::string& why_none() const { return why_none_; }

 private:
  Result<void> MayTakePlace(const Offer& offer, Durability durability) const;
  Result<Accepted> KeepSame(Durability durability);
  Result<Accepted> Contend(const Offer& offer, Durability durability,
                           bool same_spec, const Moment& now);
  std::uint64_t NextGeneration() const;
  // Saves, and only then it counts.
  Result<void> Become(StoredSpec next);
  // Leaves on disk what is followed, and not what could not be saved.
  void Undo(const StoredSpec& refused);
  // It counts whether it is saved or not.
  void FollowAnyway(StoredSpec next);
  Result<void> Save(const StoredSpec& stored);

  SpecStore store_;
  std::optional<StoredSpec> current_;
  std::string why_none_;
  std::uint64_t floor_ = 0;
  SaveFault unsaved_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_LEDGER_H_
