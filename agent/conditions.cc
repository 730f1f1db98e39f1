#include "agent/conditions.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace uplinkd {
namespace {

Verdict True(std::string reason, std::string message = "") {
  return {Truth::kTrue, std::move(reason), std::move(message)};
}
Verdict False(std::string reason, std::string message = "") {
  return {Truth::kFalse, std::move(reason), std::move(message)};
}

// "wan1: no gateway; wan2: interface wan2 does not exist"
std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += "; ";
    text += part;
  }
  return text;
}

bool IsReady(UplinkPhase phase) {
  return phase == UplinkPhase::kReady;
}

// "wan1: no gateway", for each uplink whose phase is not `good`.
std::vector<std::string> UplinksExcept(bool (*good)(UplinkPhase),
                                       const Report& report) {
  std::vector<std::string> words;
  for (const UplinkState& uplink : report.uplinks) {
    if (!good(uplink.phase))
      words.push_back(uplink.name + ": " + uplink.reason);
  }
  return words;
}

std::vector<std::string> UplinksDegraded(const Report& report) {
  std::vector<std::string> words;
  for (const UplinkState& uplink : report.uplinks) {
    if (uplink.phase == UplinkPhase::kReady &&
        uplink.health.state == HealthState::kDegraded) {
      words.push_back(uplink.name + ": " + uplink.health.reason);
    }
  }
  return words;
}

// "wan1 carries no IPv6", for each that works in another family alone.
std::vector<std::string> FamiliesLost(const Report& report) {
  std::vector<std::string> words;
  for (const UplinkState& uplink : report.uplinks) {
    for (const auto& [family, phase] : uplink.phases) {
      if (IsAsAsked(phase)) continue;
      words.push_back(uplink.name + " carries no " + FamilyName(family));
    }
  }
  return words;
}

bool AnyIn(const Report& report, UplinkPhase phase) {
  return std::ranges::find(report.uplinks, phase, &UplinkState::phase) !=
         report.uplinks.end();
}

// Why uplinks are not ready; what the host lacks comes before what probes say.
std::string WhyNotReady(const Report& report) {
  const bool down = !AnyIn(report, UplinkPhase::kWaiting) &&
                    AnyIn(report, UplinkPhase::kDown);
  return down ? "UplinkDown" : "DependencyMissing";
}

Verdict JudgeBlocked(const Refusals& blocked) {
  std::vector<std::string> parts;
  for (const auto& [uplink, refusal] : blocked) {
    const std::string ipv6 = uplink.family == Family::kIpv6 ? " (IPv6)" : "";
    parts.push_back(uplink.uplink + ipv6 + ": " + refusal.words);
  }
  return False(blocked.begin()->second.reason, Join(parts));
}

Verdict FromError(const Error& error) {
  return False(std::string(ReasonOf(error)), error.message);
}

// The first step that failed, among those of xtables tables or the others.
std::optional<Verdict> FailedStep(const Report& report, bool of_tables) {
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& outcome = report.outcomes[i];
    const Step& step = report.plan.steps[i];
    if (outcome.result == StepResult::kFailed &&
        std::holds_alternative<EditXtTable>(step.change) == of_tables) {
      return False(std::string(ReasonOf(step, outcome.error)),
                   outcome.error.message);
    }
  }
  return std::nullopt;
}

Verdict JudgeAccepted(const Situation& situation) {
  if (!situation.refused_spec.empty()) {
    return False(situation.refused_reason, situation.refused_spec);
  }
  if (situation.generation == 0) return False("NoSpec", situation.no_spec);
  return True("Valid");
}

Verdict JudgeProgrammed(const Situation& situation) {
  if (std::optional<Verdict> trouble = TroubleOf(situation)) return *trouble;
  if (situation.report == nullptr) {
    return {Truth::kUnknown, "Pending", "no pass has ended yet"};
  }
  if (situation.report->result == PassResult::kInSync) {
    return True("InSync", "the kernel holds what the spec asks for");
  }
  if (!situation.paused.empty()) return False("Paused", situation.paused);
  return False("Reconciling", "changes were made; the next pass checks them");
}

Verdict JudgeReady(const Situation& situation, const Verdict& programmed) {
  if (situation.report == nullptr || situation.observed_generation == 0) {
    return {
        programmed.status == Truth::kUnknown ? Truth::kUnknown : Truth::kFalse,
        programmed.reason, programmed.message};
  }
  // A pass that could not read knows no uplinks; what was set up stays.
  const Report& report = *situation.report;
  if (report.failed_phase || AnyIn(report, UplinkPhase::kReady)) {
    return True("UplinksWork");
  }
  return False(WhyNotReady(report),
               "no uplink works: " + Join(UplinksExcept(IsReady, report)));
}

Verdict JudgeDrift(const Situation& situation) {
  if (!situation.fights.empty()) {
    return True("ForeignConflict",
                "somebody keeps undoing: " + Join(situation.fights));
  }
  if (!situation.drift.empty()) {
    return True(situation.paused.empty() ? "Repaired" : "NotRepaired",
                situation.drift);
  }
  return False("InSync");
}

Verdict JudgePaused(const Situation& situation) {
  if (situation.paused.empty()) return False("Following");
  return True("AskedFor", situation.paused);
}

Verdict JudgeDegraded(const Situation& situation) {
  if (std::optional<Verdict> trouble = TroubleOf(situation)) {
    return True(trouble->reason, trouble->message);
  }
  if (!situation.fights.empty()) {
    return True("ForeignConflict",
                "somebody keeps undoing: " + Join(situation.fights));
  }
  if (situation.report != nullptr) {
    const Report& report = *situation.report;
    const std::vector<std::string> others = UplinksExcept(IsAsAsked, report);
    if (!others.empty()) return True(WhyNotReady(report), Join(others));
    const std::vector<std::string> degraded = UplinksDegraded(report);
    if (!degraded.empty()) return True("UplinkDegraded", Join(degraded));
    const std::vector<std::string> lost = FamiliesLost(report);
    if (!lost.empty()) return True("DependencyMissing", Join(lost));
  }
  return False("AsSpecified");
}

Verdict JudgeConfirm(const Situation& situation) {
  if (!situation.confirm.empty()) return True("Waiting", situation.confirm);
  if (!situation.rolled_back.empty()) {
    return False("RolledBack", situation.rolled_back);
  }
  return False("None");
}

std::string WhyNotSaved(const Error& error) {
  switch (error.system_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "DiskFull";
    case EROFS: return "DiskReadOnly";
    default: return "WriteFailed";
  }
}

Verdict JudgeSaved(const Situation& situation) {
  if (!situation.unsaved) return True("OnDisk");
  return False(WhyNotSaved(*situation.unsaved), situation.unsaved->message);
}

}  // namespace

std::string_view TruthName(Truth truth) {
  switch (truth) {
    case Truth::kTrue: return "True";
    case Truth::kFalse: return "False";
    case Truth::kUnknown: break;
  }
  return "Unknown";
}

std::string_view ReasonOf(const Error& error) {
  switch (error.code) {
    case ErrorCode::kPermissionDenied: return "PermissionDenied";
    case ErrorCode::kDeadlineExceeded: return "LockTimeout";
    case ErrorCode::kFailedPrecondition: return "BackendUnavailable";
    case ErrorCode::kNotFound: return "DependencyMissing";
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kAlreadyExists: return "KernelRejected";
    case ErrorCode::kAborted:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kUnavailable:
    case ErrorCode::kInternal: break;
  }
  return "ApplyFailed";
}

std::string_view ReasonOf(const Step& step, const Error& error) {
  if (std::holds_alternative<EditXtTable>(step.change)) return ReasonOf(error);
  switch (error.code) {
    // Of a route or a rule these are the kernel's judgement of the object.
    case ErrorCode::kFailedPrecondition:
    case ErrorCode::kUnavailable: return "KernelRejected";
    default: return ReasonOf(error);
  }
}

std::optional<Verdict> TroubleOf(const Situation& situation) {
  if (situation.host_error) return FromError(*situation.host_error);
  if (situation.report == nullptr) return std::nullopt;
  const Report& report = *situation.report;
  if (report.error) return FromError(*report.error);
  // What concerns every uplink comes before what concerns one.
  if (auto failed = FailedStep(report, true)) return failed;
  if (!situation.blocked.empty()) return JudgeBlocked(situation.blocked);
  return FailedStep(report, false);
}

void Conditions::Update(const Situation& situation, Time now) {
  Set("Accepted", JudgeAccepted(situation), situation, now);
  Set("Paused", JudgePaused(situation), situation, now);
  Set("ConfirmPending", JudgeConfirm(situation), situation, now);
  Set("Saved", JudgeSaved(situation), situation, now);
  if (situation.generation == 0) {
    const std::string why = situation.no_spec;
    Set("Programmed", {Truth::kUnknown, "NoSpec", why}, situation, now);
    Set("Ready", False("NoSpec", why), situation, now);
    Set("DriftDetected", {Truth::kUnknown, "NoSpec", why}, situation, now);
    Set("Degraded", False("NoSpec", why), situation, now);
    return;
  }
  const Verdict programmed = JudgeProgrammed(situation);
  Set("Programmed", programmed, situation, now);
  Set("Ready", JudgeReady(situation, programmed), situation, now);
  Set("DriftDetected", JudgeDrift(situation), situation, now);
  Set("Degraded", JudgeDegraded(situation), situation, now);
}

void Conditions::Set(const std::string& type, Verdict verdict,
                     const Situation& situation, Time now) {
  Condition& condition = all_[type];
  const bool is_new = condition.last_transition == Time{};
  if (is_new || condition.verdict.status != verdict.status) {
    condition.last_transition = now;
  }
  condition.verdict = std::move(verdict);
  condition.observed_generation = situation.generation;
}

}  // namespace uplinkd
