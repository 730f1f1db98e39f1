// Specs over time: which one is followed, which one waits to be confirmed, and
// which ones were.
#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "agent/confirm_wire.h"
#include "agent/follower.h"
#include "agent/probe_paths.h"
#include "agent/request_log.h"
#include "agent/wire.h"
#include "reconciler/plan.h"

namespace uplinkd {
namespace {

constexpr const char* kChecks = "uplinkd's checks";

std::string WordsOf(const v1::ConfirmStatus& confirm) {
  return "generation " + std::to_string(confirm.generation()) + " until " +
         google::protobuf::util::TimeUtil::ToString(confirm.deadline()) +
         ": `uplinkctl confirm " + confirm.id() +
         "` keeps it, or else the spec of generation " +
         std::to_string(confirm.return_to()) + " returns";
}

}  // namespace

Result<void> Follower::Restore() {
  Result<void> known = ledger_.Restore();
  if (!known) spdlog::error("{}", known.error().message);
  if (Result<void> restored = specs_.Restore(); !restored) {
    spdlog::warn("{}", restored.error().message);
  }
  ledger_.StartAfter(specs_.last_generation());
  if (!known) ReturnFromDamaged(known.error());
  if (Result<void> restored = drains_.Restore(Now()); !restored) {
    spdlog::error("{}", restored.error().message);
  }
  if (Result<void> restored = pause_.Restore(Now()); !restored) {
    spdlog::error("{}", restored.error().message);
  }
  if (ledger_.current() == nullptr) return known;
  LogRestored(*ledger_.current());
  NoteSpec();
  if (ledger_.pending()) {
    if (RollBackIfOverdue()) return {};
    // From here on by the clock of this boot.
    if (Result<void> counted = ledger_.Recount(options_.clocks.moment());
        !counted) {
      spdlog::warn("{}", counted.error().message);
    }
  }
  SpecChanged(std::nullopt);
  return {};
}

// Nobody can confirm what is damaged, so it is not confirmed in time.
void Follower::ReturnFromDamaged(const Error& error) {
  if (error.code != ErrorCode::kFailedPrecondition || !specs_.last_waits()) {
    return;
  }
  Result<SpecHistory::Recalled> before = specs_.Recall(0, nullptr);
  if (!before) return;
  const std::string note =
      "generation " + std::to_string(specs_.last_generation()) +
      " waited to be confirmed when its file was damaged: back to the spec of "
      "generation " +
      std::to_string(before->generation);
  tally_.CountRollback(RollbackReason::kTimeout);
  ledger_.StartWith(std::move(before->spec),
                    {options_.clocks.wall(), kAgent, note, true});
  LogRollBack(kAgent, ledger_.generation(), note);
}

Result<Report> Follower::TryOut(const Offer& offer) {
  const Result<void> holds = ledger_.JudgeGeneration(offer.expected_generation);
  if (!holds) return tl::unexpected(holds.error());
  return PlanFor(offer.spec).and_then([&](Report report) -> Result<Report> {
    if (!offer.expected_plan) return report;
    return JudgePlan(*offer.expected_plan, report.plan).map([&] {
      return std::move(report);
    });
  });
}

Result<SpecLedger::Accepted> Follower::Accept(
    const Offer& offer, SpecLedger::Durability durability) {
  std::optional<Spec> before;
  if (ledger_.current() != nullptr) before = ledger_.current()->spec;
  const Moment now = options_.clocks.moment();
  Result<void> may;
  if (offer.expected_plan) may = TryOut(offer).map([](const Report&) {});
  Result<SpecLedger::Accepted> accepted = may.and_then(
      [&] { return ledger_.Accept(offer, durability, now, ReadyUplinks()); });
  LogOffer(offer, accepted);
  if (!accepted) {
    Tell({"apply", "refused",
          "the spec \"" + offer.spec.name + "\" from " + offer.from + ": " +
              accepted.error().message});
    return accepted;
  }
  refused_spec_.clear();
  if (!accepted->unchanged) {
    accepted_at_ = options_.clocks.monotonic();
    checks_fault_.clear();
    if (offer.back_to) tally_.CountRollback(RollbackReason::kRequested);
    NoteSpec();
    SpecChanged(before);
    Tell({"apply", "accepted",
          "the spec \"" + offer.spec.name + "\" from " + offer.from +
              " is generation " + std::to_string(ledger_.generation()) +
              (offer.spec.revision.empty()
                   ? ""
                   : ", revision " + offer.spec.revision)});
  }
  if (ledger_.pending() && (accepted->extended || !accepted->unchanged)) {
    const std::string words =
        WaitingWords(*ledger_.pending(), ledger_.generation(), now);
    LogWaiting(offer.from, ledger_.generation(), ledger_.pending()->terms.id,
               words);
    Tell({"confirm", "pending", words});
  }
  return accepted;
}

// What history lacks is made good with the next spec, or the next start.
void Follower::NoteSpec() {
  if (Result<void> noted = specs_.Note(*ledger_.current()); !noted) {
    spdlog::warn("the history of specs will not survive a restart: {}",
                 noted.error().message);
  }
}

void Follower::NoteRefusedSpec(const std::string& words) {
  refused_spec_ = words;
  refused_reason_ = "InvalidSpec";
  Tell({"apply", "refused", words});
}

void Follower::NoteRefusedFile(const Error& error) {
  refused_spec_ = error.message;
  if (ledger_.pending()) {
    refused_reason_ = "ConfirmPending";
  } else if (pause_.active()) {
    refused_reason_ = "Paused";
  } else {
    refused_reason_ =
        error.code == ErrorCode::kFailedPrecondition ? "Held" : "Failed";
  }
  Publish();
}

Result<void> Follower::Confirm(const std::string& id, const std::string& from) {
  const Moment now = options_.clocks.moment();
  Result<void> confirmed = JudgeAnswer(ledger_.pending(), id, now);
  if (confirmed) confirmed = ledger_.Confirm();
  LogAnswer(from, ledger_.generation(), id, "confirm", confirmed);
  if (!confirmed) return confirmed;
  NoteSpec();
  ForgetOtherUplinks();  // what the one before had is not needed any more
  Tell({"confirm", "confirmed",
        "generation " + std::to_string(ledger_.generation()) + " (" + id +
            ") is confirmed by " + from});
  return {};
}

Result<std::chrono::system_clock::time_point> Follower::ExtendConfirm(
    const std::string& id, std::chrono::milliseconds within,
    const std::string& from) {
  const Moment now = options_.clocks.moment();
  Result<void> extended = JudgeAnswer(ledger_.pending(), id, now);
  if (extended) {
    const std::string fault = FaultOf(ConfirmTerms{id, within});
    extended = fault.empty() ? ledger_.Extend(within, now)
                             : Fail(ErrorCode::kInvalidArgument, fault);
  }
  LogAnswer(from, ledger_.generation(), id, "extend", extended);
  if (!extended) return tl::unexpected(extended.error());
  Publish();
  return DeadlineOf(*ledger_.pending(), now);
}

Result<void> Follower::CancelConfirm(const std::string& id,
                                     const std::string& from) {
  Result<void> may =
      JudgeAnswer(ledger_.pending(), id, options_.clocks.moment());
  LogAnswer(from, ledger_.generation(), id, "cancel", may);
  if (!may) return may;
  RollBack(RollbackReason::kCancelled, "was cancelled", from);
  return {};
}

bool Follower::RollBackIfOverdue() {
  const std::optional<PendingConfirm>& pending = ledger_.pending();
  if (!pending || TimeLeft(*pending, options_.clocks.moment()).count() > 0) {
    return false;
  }
  RollBack(RollbackReason::kTimeout, "was not confirmed in time", kAgent);
  return true;
}

void Follower::RollBack(RollbackReason reason, const std::string& why,
                        const std::string& from) {
  const Spec before = ledger_.current()->spec;
  const std::string note = "generation " +
                           std::to_string(ledger_.generation()) + " " + why +
                           ": back to the spec of generation " +
                           std::to_string(ledger_.pending()->return_generation);
  const Moment now = options_.clocks.moment();
  if (Result<void> saved = ledger_.RollBack({now.wall, from, note, true});
      !saved) {
    spdlog::error(
        "the rollback is not on disk, so the next start makes it anew: {}",
        saved.error().message);
  }
  tally_.CountRollback(reason);
  accepted_at_ = options_.clocks.monotonic();
  checks_fault_.clear();
  NoteSpec();
  LogRollBack(from, ledger_.generation(), note);
  SpecChanged(before);
  Tell({"confirm", "rolled-back", note});
}

std::optional<Follower::ChecksDue> Follower::checks_due() const {
  const std::optional<PendingConfirm>& pending = ledger_.pending();
  if (!pending || pending->terms.checks.empty() || !standing_.in_sync ||
      standing_.observed_generation != ledger_.generation()) {
    return std::nullopt;
  }
  return ChecksDue{pending->terms.id, pending->terms.checks,
                   ReadyPaths(ledger_.current()->spec, last_report_),
                   LostUplink(*pending)};
}

std::set<std::string> Follower::ReadyUplinks() const {
  std::set<std::string> ready;
  for (const UplinkState& uplink : last_report_.uplinks) {
    if (uplink.phase == UplinkPhase::kReady) ready.insert(uplink.name);
  }
  return ready;
}

// Whoever came in by it could neither confirm nor cancel. One that the spec
// does not have, or does not use, is meant to go.
std::string Follower::LostUplink(const PendingConfirm& pending) const {
  const std::set<std::string> ready = ReadyUplinks();
  for (const Uplink& uplink : ledger_.current()->spec.uplinks) {
    if (uplink.mode == UplinkMode::kEnabled &&
        pending.ready.contains(uplink.name) && !ready.contains(uplink.name)) {
      return uplink.name + " was ready before this spec, and is not now";
    }
  }
  return "";
}

void Follower::NoteChecks(const std::string& id, const std::string& fault) {
  if (!ledger_.pending() || ledger_.pending()->terms.id != id) return;
  checks_fault_ = fault;
  if (!fault.empty()) return Publish();
  // A time that is over, or a full disk, was logged.
  (void)Confirm(id, kChecks);
}

std::optional<v1::ConfirmStatus> Follower::confirm_status() const {
  if (!ledger_.pending()) return std::nullopt;
  return ToConfirmStatus(*ledger_.current(), options_.clocks.moment(),
                         checks_fault_);
}

void Follower::DescribeSpecs(Situation& situation) const {
  situation.refused_spec = refused_spec_;
  situation.refused_reason = refused_reason_;
  if (const auto confirm = confirm_status()) {
    situation.confirm = WordsOf(*confirm);
  }
  const StoredSpec* current = ledger_.current();
  if (current != nullptr && current->origin.unconfirmed) {
    situation.rolled_back = current->origin.note;
  }
}

Result<Desired> Follower::CompileHere(const Spec& spec) {
  Result<Facts> facts = host_->kernel().ReadFacts(FactsScopeOf(spec));
  if (!facts) return tl::unexpected(facts.error());
  facts->draining = drains_.Words();
  facts->health = Verdicts();
  facts->loads = loads_.loads();
  facts->rankings = latencies_.rankings();
  return Compile(spec, *facts);
}

Result<Report> Follower::PlanSince(std::uint64_t generation,
                                   const std::optional<Spec>& spec) {
  const Result<SpecHistory::Recalled> then =
      specs_.Recall(generation, ledger_.current());
  if (!then) return tl::unexpected(then.error());
  if (!spec && ledger_.current() == nullptr) {
    return Fail(ErrorCode::kNotFound, ledger_.why_none());
  }
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  const Result<Desired> old = CompileHere(then->spec);
  if (!old) return tl::unexpected(old.error());
  const Result<Desired> now =
      CompileHere(spec ? ledger_.Prepare(*spec) : ledger_.current()->spec);
  if (!now) return tl::unexpected(now.error());
  Report report;
  report.plan = MakePlan(*now, old->state);
  report.warnings = now->warnings;
  return report;
}

}  // namespace uplinkd
