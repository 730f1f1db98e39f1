// What clients and files ask of the engine about specs: to follow one, to keep
// or drop the one that waits to be confirmed, and what was before.
#include <utility>

#include "agent/engine.h"

namespace uplinkd {

Result<void> Engine::StartWith(const Spec& spec, const std::string& path) {
  const Result<SpecLedger::Accepted> accepted = follower_.Accept(
      {.spec = spec, .from = path}, SpecLedger::Durability::kWanted);
  if (accepted) return {};
  follower_.NoteRefusedFile(accepted.error());
  return tl::unexpected(accepted.error());
}

Result<Engine::ApplyAnswer> Engine::Apply(Offer offer) {
  return Ask<ApplyAnswer>(
      [this, offer = std::move(offer)]() -> Result<ApplyAnswer> {
        if (const Result<void> may = MayChange(); !may) {
          return tl::unexpected(may.error());
        }
        return AcceptAndPass(offer, SpecLedger::Durability::kRequired);
      });
}

Result<Engine::ApplyAnswer> Engine::DryRun(Offer offer) {
  return Ask<ApplyAnswer>(
      [this, offer = std::move(offer)]() -> Result<ApplyAnswer> {
        Result<Report> report = follower_.TryOut(offer);
        if (!report) return tl::unexpected(report.error());
        return ApplyAnswer{follower_.ledger().generation(), false,
                           *std::move(report)};
      });
}

void Engine::FollowFile(std::string path, std::optional<Spec> spec) {
  Post([this, file = FileContent{std::move(path), std::move(spec)}] {
    if (!stopping_) Follow(file);
  });
}

void Engine::Follow(const FileContent& file) {
  file_waits_.reset();
  Result<void> followed;
  if (file.spec) {
    followed = AcceptAndPass({.spec = *file.spec, .from = file.path},
                             SpecLedger::Durability::kWanted)
                   .map([](const ApplyAnswer&) {});
  } else if (follower_.ledger().current() != nullptr) {
    followed = CleanUpNow(file.path).map([](const Report&) {});
  }
  if (followed) return;
  if (FileMustWait()) file_waits_ = file;
  follower_.NoteRefusedFile(followed.error());
}

// What is accepted during a pause is followed after it; but nothing is removed
// meanwhile.
bool Engine::FileMustWait() const {
  return follower_.ledger().pending() || !follower_.paused().empty();
}

// What the file has had meanwhile is due once nothing is in its way.
void Engine::FollowWaitingFile() {
  if (!file_waits_ || FileMustWait()) return;
  const FileContent file = *std::move(file_waits_);
  Follow(file);
}

Result<Engine::ApplyAnswer> Engine::AcceptAndPass(
    const Offer& offer, SpecLedger::Durability durability) {
  const Result<SpecLedger::Accepted> accepted =
      follower_.Accept(offer, durability);
  if (!accepted) return tl::unexpected(accepted.error());
  return PassForSpec(accepted->unchanged);
}

// An unchanged spec writes nothing, unless the kernel was not in sync yet.
Engine::ApplyAnswer Engine::PassForSpec(bool unchanged) {
  ArmLoads();
  ApplyAnswer answer{follower_.ledger().generation(), unchanged, {}, {}};
  answer.confirm = follower_.confirm_status();
  if (!unchanged || !follower_.in_sync()) {
    MakePass(Trigger::kSpec, true);
    answer.report = follower_.last_report();
  }
  return answer;
}

// Not once for each moment: a deadline is as exact as the samples are.
void Engine::LookAtConfirm() {
  if (follower_.RollBackIfOverdue()) {
    confirm_round_.Drop();
    (void)PassForSpec(false);
    FollowWaitingFile();
    return;
  }
  auto due = follower_.checks_due();
  if (!due || confirm_round_.under_way()) return;
  if (!due->fault.empty()) return follower_.NoteChecks(due->id, due->fault);
  confirm_round_.Begin(due->checks, due->paths,
                       [this, id = due->id](const std::string& fault) {
                         if (stopping_) return;
                         follower_.NoteChecks(id, fault);
                         FollowWaitingFile();
                       });
}

Result<std::uint64_t> Engine::Confirm(std::string id, std::string from) {
  return Ask<std::uint64_t>(
      [this, id = std::move(id),
       from = std::move(from)]() -> Result<std::uint64_t> {
        if (Result<void> confirmed = follower_.Confirm(id, from); !confirmed) {
          return tl::unexpected(confirmed.error());
        }
        const std::uint64_t generation = follower_.ledger().generation();
        FollowWaitingFile();
        return generation;
      });
}

Result<std::chrono::system_clock::time_point> Engine::ExtendConfirm(
    std::string id, std::chrono::milliseconds within, std::string from) {
  using Deadline = std::chrono::system_clock::time_point;
  return Ask<Deadline>(
      [this, id = std::move(id), within, from = std::move(from)] {
        return follower_.ExtendConfirm(id, within, from);
      });
}

Result<Engine::ApplyAnswer> Engine::CancelConfirm(std::string id,
                                                  std::string from) {
  return Ask<ApplyAnswer>([this, id = std::move(id),
                           from = std::move(from)]() -> Result<ApplyAnswer> {
    if (Result<void> gone = follower_.CancelConfirm(id, from); !gone) {
      return tl::unexpected(gone.error());
    }
    confirm_round_.Drop();
    ApplyAnswer answer = PassForSpec(false);
    FollowWaitingFile();
    return answer;
  });
}

Result<v1::HistoryResponse> Engine::History(v1::HistoryRequest request) {
  return Ask<v1::HistoryResponse>([this, request = std::move(request)] {
    return follower_.specs().Find(request);
  });
}

Result<SpecHistory::Recalled> Engine::Recall(std::uint64_t generation) {
  return Ask<SpecHistory::Recalled>([this, generation] {
    return follower_.specs().Recall(generation, follower_.ledger().current());
  });
}

Result<Report> Engine::DiffSince(std::uint64_t generation,
                                 std::optional<Spec> spec) {
  return Ask<Report>([this, generation, spec = std::move(spec)] {
    return follower_.PlanSince(generation, spec);
  });
}

}  // namespace uplinkd
