#include "agent/tally.h"

#include <algorithm>
#include <array>
#include <utility>

namespace uplinkd {
namespace {

constexpr std::array kPassResults = {PassResult::kInSync, PassResult::kChanged,
                                     PassResult::kFailed,
                                     PassResult::kConflict};
constexpr std::array kTriggers = {
    Trigger::kSpec, Trigger::kEvent, Trigger::kHealth,
    Trigger::kHint, Trigger::kRetry, Trigger::kPeriodic,
    Trigger::kLoad, Trigger::kPoll,  Trigger::kDrain};
// What a plan's lines are about; see PlanLine.
constexpr std::array kObjects = {"route", "rule", "chain", "chain-rule",
                                 "jump"};
constexpr const char* kRead = "read";
constexpr std::array kSigns = {'+', '-', '~'};
// What there was no need to do, or no use in trying, is of less interest.
constexpr std::array kTellingResults = {
    StepResult::kDone, StepResult::kConflict, StepResult::kFailed};
constexpr std::array kErrorCodes = {
    ErrorCode::kInvalidArgument,    ErrorCode::kNotFound,
    ErrorCode::kAlreadyExists,      ErrorCode::kPermissionDenied,
    ErrorCode::kFailedPrecondition, ErrorCode::kAborted,
    ErrorCode::kResourceExhausted,  ErrorCode::kDeadlineExceeded,
    ErrorCode::kUnavailable,        ErrorCode::kInternal};

// Gives what was not counted yet a 0, so that a rate sees the first of its
// kind.
void BeginAtZero(MetricsSnapshot& snapshot) {
  for (const PassResult result : kPassResults) {
    for (const Trigger trigger : kTriggers) {
      snapshot.passes.try_emplace({std::string(PassResultName(result)),
                                   std::string(TriggerName(trigger))});
    }
  }
  std::vector<std::string> operations;
  operations.reserve(kSigns.size() + 1);
  for (const char sign : kSigns) operations.push_back(OperationName(sign));
  for (const char* object : kObjects) {
    for (const std::string& operation : operations) {
      for (const StepResult result : kTellingResults) {
        snapshot.operations.try_emplace(
            {object, operation, std::string(StepResultName(result))});
      }
    }
  }
  operations.emplace_back(kRead);
  for (const std::string& operation : operations) {
    for (const ErrorCode code : kErrorCodes) {
      snapshot.errors.try_emplace(
          {operation, std::string(ErrorCodeName(code))});
    }
  }
}

}  // namespace

std::string OperationName(char sign) {
  switch (sign) {
    case '+': return "create";
    case '-': return "remove";
    default: return "replace";
  }
}

std::vector<Deed> DeedsOf(const Report& report) {
  std::vector<Deed> deeds;
  const std::size_t count =
      std::min(report.outcomes.size(), report.plan.steps.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Step& step = report.plan.steps[i];
    for (PlanLine& line : RenderStep(step)) {
      deeds.push_back({std::move(line), report.outcomes[i], step.uplinks});
    }
  }
  return deeds;
}

void Tally::Count(const Report& report, const std::vector<Deed>& deeds,
                  const std::vector<Deed>& repairs, Trigger trigger) {
  ++passes_[{std::string(PassResultName(report.result)),
             std::string(TriggerName(trigger))}];
  for (const auto& [phase, duration] : report.durations) {
    durations_[phase].Observe(duration);
  }
  for (const Deed& deed : deeds) {
    const std::string operation = OperationName(deed.line.sign);
    ++operations_[{deed.line.object, operation,
                   std::string(StepResultName(deed.outcome.result))}];
    if (deed.outcome.result != StepResult::kFailed) continue;
    ++errors_[{operation, std::string(ErrorCodeName(deed.outcome.error.code))}];
  }
  if (report.failed_phase && report.error) {
    ++errors_[{kRead, std::string(ErrorCodeName(report.error->code))}];
  }
  for (const Deed& repair : repairs) {
    if (repair.outcome.result != StepResult::kDone) continue;
    ++corrections_by_object_[{repair.line.object,
                              std::string(CauseName(repair.line.cause))}];
    ++corrections_;
  }
}

void Tally::CountCut(const Cut& cut, std::uint64_t connections) {
  cut_[{cut.uplink, std::string(CutReasonName(cut.reason))}] += connections;
}

void Tally::Follow(const std::set<std::string>& uplinks) {
  std::erase_if(failovers_, [&](const auto& entry) {
    return !uplinks.contains(entry.first);
  });
  std::erase_if(cut_, [&](const auto& entry) {
    return !uplinks.contains(entry.first.first);
  });
}

void Tally::WriteTo(MetricsSnapshot& snapshot) const {
  snapshot.passes = passes_;
  snapshot.pass_durations = durations_;
  snapshot.corrections = corrections_by_object_;
  snapshot.operations = operations_;
  snapshot.errors = errors_;
  snapshot.programming_latency = programming_latency_;
  snapshot.failovers = failovers_;
  snapshot.connections_cut = cut_;
  BeginAtZero(snapshot);
  for (const RollbackReason reason :
       {RollbackReason::kTimeout, RollbackReason::kCancelled,
        RollbackReason::kRequested}) {
    const auto found = rollbacks_.find(reason);
    snapshot.rollbacks[std::string(RollbackReasonName(reason))] =
        found == rollbacks_.end() ? 0 : found->second;
  }
}

std::map<std::pair<std::string, std::string>, std::uint64_t> PendingOf(
    const std::vector<Deed>& deeds) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> pending;
  for (const Deed& deed : deeds) {
    if (deed.outcome.result == StepResult::kDone ||
        deed.outcome.result == StepResult::kAlreadySo) {
      continue;
    }
    ++pending[{deed.line.object, std::string(CauseName(deed.line.cause))}];
  }
  return pending;
}

}  // namespace uplinkd
