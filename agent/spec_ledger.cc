#include "agent/spec_ledger.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace uplinkd {
namespace {

constexpr const char* kNoSpecYet =
    "there is no spec yet; give one with `uplinkctl apply -f FILE`";

std::string NoteOf(const Offer& offer) {
  return offer.back_to ? "back to generation " + std::to_string(*offer.back_to)
                       : "";
}

// Whether the file has what it had. Not its content alone: a new revision of
// the same is something to tell.
bool SameFile(const std::optional<Spec>& before, const Spec& now) {
  return before && before->name == now.name &&
         before->revision == now.revision && SameContent(*before, now);
}

}  // namespace

SpecLedger::SpecLedger(SpecStore store)
    : store_(std::move(store)), why_none_(kNoSpecYet) {}

Result<void> SpecLedger::Restore() {
  Result<std::optional<StoredSpec>> stored = store_.Load();
  if (!stored) {
    why_none_ = stored.error().message;
    return tl::unexpected(stored.error());
  }
  current_ = std::move(*stored);
  return {};
}

Spec SpecLedger::Prepare(Spec spec) const {
  return AssignIds(std::move(spec), current_
                                        ? current_->ids
                                        : std::map<std::string, UplinkId>{});
}

const std::optional<PendingConfirm>& SpecLedger::pending() const {
  static const std::optional<PendingConfirm> none;
  return current_ ? current_->pending : none;
}

std::uint64_t SpecLedger::NextGeneration() const {
  return std::max(generation(), floor_) + 1;
}

Result<void> SpecLedger::JudgeGeneration(std::uint64_t expected) const {
  if (expected == 0 || expected == generation()) return {};
  return Fail(ErrorCode::kAborted, "the spec is of generation " +
                                       std::to_string(generation()) + ", not " +
                                       std::to_string(expected));
}

Result<SpecLedger::Accepted> SpecLedger::Accept(
    const Offer& offer, Durability durability, const Moment& now,
    const std::set<std::string>& ready) {
  if (Result<void> holds = JudgeGeneration(offer.expected_generation); !holds) {
    return tl::unexpected(holds.error());
  }
  StoredSpec next;
  next.spec = Prepare(offer.spec);
  const bool same_spec = current_ && current_->spec == next.spec;
  const bool of_file = durability == Durability::kWanted;
  if (of_file && !same_spec && current_ &&
      SameFile(current_->from_file, next.spec)) {
    return Accepted{.generation = generation(), .unchanged = true};
  }
  if (pending()) return Contend(offer, durability, same_spec, now);
  if (same_spec) return KeepSame(durability);
  if (Result<void> may = MayTakePlace(offer, durability); !may) {
    return tl::unexpected(may.error());
  }

  next.generation = NextGeneration();
  next.ids = RememberIds(current_ ? current_->ids : next.ids, next.spec);
  next.origin = {now.wall, offer.from, NoteOf(offer)};
  if (current_) {
    next.from_file = current_->from_file;
    if (offer.back_to) {
      next.held = current_->spec;
    } else if (!of_file) {
      next.held = current_->held;
    }
    if (next.held && SameContent(*next.held, next.spec)) next.held.reset();
  }
  if (of_file) next.from_file = next.spec;
  if (offer.confirm) {
    next.pending = PendingConfirm{*offer.confirm, now, current_->generation,
                                  current_->spec, ready};
  }
  if (durability == Durability::kRequired) {
    if (Result<void> saved = Become(std::move(next)); !saved) {
      return tl::unexpected(saved.error());
    }
  } else {
    FollowAnyway(std::move(next));
  }
  return Accepted{.generation = generation()};
}

// The spec is the one that is followed.
Result<SpecLedger::Accepted> SpecLedger::KeepSame(Durability durability) {
  const Accepted accepted{.generation = generation(), .unchanged = true};
  if (durability == Durability::kWanted) {
    if (!SameFile(current_->from_file, current_->spec)) {
      StoredSpec next = *current_;
      next.from_file = next.spec;
      FollowAnyway(std::move(next));
    }
    return accepted;
  }
  // Whoever is told so counts on it after a restart as well.
  if (Result<void> saved = SaveAgain(); !saved) {
    return tl::unexpected(saved.error());
  }
  return accepted;
}

// While another spec waits: changes nothing, or how long it waits.
Result<SpecLedger::Accepted> SpecLedger::Contend(const Offer& offer,
                                                 Durability durability,
                                                 bool same_spec,
                                                 const Moment& now) {
  const Result<Contest> contest = JudgeContender(
      *pending(), {same_spec, durability == Durability::kWanted, offer.confirm},
      WaitingWords(*pending(), generation(), now));
  if (!contest) return tl::unexpected(contest.error());
  const bool extends = *contest == Contest::kExtends;
  if (extends) {
    if (const std::string fault = FaultOf(*offer.confirm); !fault.empty()) {
      return Fail(ErrorCode::kInvalidArgument, fault);
    }
    if (Result<void> done = Extend(offer.confirm->within, now); !done) {
      return tl::unexpected(done.error());
    }
  }
  return Accepted{generation(), true, extends};
}

Result<void> SpecLedger::MayTakePlace(const Offer& offer,
                                      Durability durability) const {
  if (durability == Durability::kWanted && current_ && current_->held &&
      SameContent(*current_->held, offer.spec)) {
    return Fail(ErrorCode::kFailedPrecondition,
                offer.from +
                    " has the spec that was rolled back: it is held until the "
                    "file has another one; `uplinkctl apply -f " +
                    offer.from + "` takes it all the same");
  }
  if (!offer.confirm) return {};
  if (const std::string fault = FaultOf(*offer.confirm); !fault.empty()) {
    return Fail(ErrorCode::kInvalidArgument, fault);
  }
  if (!current_) {
    return Fail(ErrorCode::kFailedPrecondition,
                "there is no spec yet that could return, so the first one "
                "cannot wait to be confirmed");
  }
  return {};
}

// After a failure nobody knows what is on disk: the rename may have happened,
// and only its sync failed. What is refused must not be what the next run
// finds.
Result<void> SpecLedger::Become(StoredSpec next) {
  if (Result<void> saved = Save(next); !saved) {
    Undo(next);
    return saved;
  }
  current_ = std::move(next);
  return {};
}

void SpecLedger::FollowAnyway(StoredSpec next) {
  if (const Result<void> saved = Save(next); !saved) {
    spdlog::warn("the spec will not survive a restart: {}",
                 saved.error().message);
  }
  current_ = std::move(next);
}

Result<void> SpecLedger::Save(const StoredSpec& stored) {
  Result<void> saved = store_.Save(stored);
  unsaved_ = SaveFaultOf(saved);
  return saved;
}

Result<void> SpecLedger::SaveAgain() {
  return unsaved_ && current_ ? Save(*current_) : Result<void>();
}

// Of what is followed another attempt is made later, if this one fails.
void SpecLedger::Undo(const StoredSpec& refused) {
  if (current_) {
    (void)SaveAgain();
    return;
  }
  const Result<std::optional<StoredSpec>> found = store_.Load();
  if (found && *found == refused) (void)store_.Forget();
  unsaved_.reset();  // nothing is followed
}

Result<void> SpecLedger::Confirm() {
  StoredSpec next = *current_;
  next.pending.reset();
  return Become(std::move(next));
}

Result<void> SpecLedger::Extend(std::chrono::milliseconds within,
                                const Moment& now) {
  StoredSpec next = *current_;
  next.pending->terms.within = within;
  next.pending->since = now;
  return Become(std::move(next));
}

Result<void> SpecLedger::Recount(const Moment& now) {
  if (now.boot == current_->pending->since.boot) return {};
  StoredSpec next = *current_;
  next.pending = CountedFrom(*std::move(next.pending), now);
  return Become(std::move(next));
}

Result<void> SpecLedger::RollBack(const SpecOrigin& origin) {
  StoredSpec next;
  next.generation = NextGeneration();
  next.spec = current_->pending->return_spec;
  next.ids = RememberIds(current_->ids, next.spec);
  next.origin = origin;
  next.held = std::move(current_->spec);
  next.from_file = std::move(current_->from_file);
  Result<void> saved = Save(next);
  current_ = std::move(next);
  return saved;
}

void SpecLedger::StartWith(Spec spec, const SpecOrigin& origin) {
  StoredSpec next;
  next.generation = NextGeneration();
  next.spec = Prepare(std::move(spec));
  next.ids = RememberIds({}, next.spec);
  next.origin = origin;
  FollowAnyway(std::move(next));
}

Result<void> SpecLedger::Forget() {
  if (Result<void> forgotten = store_.Forget(); !forgotten) return forgotten;
  floor_ = NextGeneration() - 1;
  current_.reset();
  unsaved_.reset();
  why_none_ = kNoSpecYet;
  return {};
}

}  // namespace uplinkd
