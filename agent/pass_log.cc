#include "agent/pass_log.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "agent/logging.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

// Longer plans (a new spec) are told step by step only at level debug.
constexpr std::size_t kFewSteps = 8;

void WriteDeed(const Deed& deed, std::uint64_t generation,
               spdlog::level::level_enum level) {
  const bool failed = deed.outcome.result == StepResult::kFailed ||
                      deed.outcome.result == StepResult::kConflict;
  const std::string& error = failed ? deed.outcome.error.message : "";
  const std::string_view result = StepResultName(deed.outcome.result);
  const bool of_one = deed.uplinks.size() == 1;
  Log(failed ? spdlog::level::warn : level,
      fmt::format("  {} {} ({}): {}{}{}", deed.line.sign, deed.line.command,
                  deed.line.reason, result, failed ? ": " : "", error),
      {{"event", "step"},
       {"generation", generation},
       {"uplink", of_one ? *deed.uplinks.begin() : ""},
       {"object", deed.line.object},
       {"operation", OperationName(deed.line.sign)},
       {"command", deed.line.command},
       {"reason", deed.line.reason},
       {"result", result},
       {"error", error}});
}

std::size_t CountDone(const std::vector<Deed>& deeds) {
  return static_cast<std::size_t>(
      std::count_if(deeds.begin(), deeds.end(), [](const Deed& deed) {
        return deed.outcome.result == StepResult::kDone;
      }));
}

}  // namespace

std::string SummaryOf(const std::vector<Deed>& deeds) {
  std::map<std::string, std::map<char, std::size_t>> counts;
  for (const Deed& deed : deeds) ++counts[deed.line.object][deed.line.sign];
  std::string summary;
  for (const auto& [object, signs] : counts) {
    summary += (summary.empty() ? "" : ", ") + object + "s";
    for (const auto& [sign, count] : signs) {
      summary += fmt::format(" {}{}", sign, count);
    }
  }
  return summary;
}

void PassLog::Write(const Report& report, const std::vector<Deed>& deeds,
                    Trigger trigger, std::uint64_t generation, Time now) {
  if (report.result == PassResult::kInSync) {
    return NoteInSync(trigger, generation, now);
  }
  const std::string fault = FirstFault(report);
  const bool asked = trigger == Trigger::kSpec;
  const bool failed = report.result == PassResult::kFailed;
  std::optional<std::uint64_t> untold = 0;
  if (failed) {
    untold = NoteFailure(fault, asked, now);
  } else if (!asked && !limiter_.MaySpeak(now)) {
    untold.reset();
  }
  if (!untold) return;
  const std::string plan = SummaryOf(deeds);
  const std::size_t done = CountDone(deeds);
  Log(failed ? spdlog::level::warn : spdlog::level::info,
      fmt::format("pass {}: trigger {}, generation {}, {} of {} done{}{}{}{}",
                  PassResultName(report.result), TriggerName(trigger),
                  generation, done, deeds.size(),
                  plan.empty() ? "" : " (" + plan + ")",
                  *untold == 0 ? "" : fmt::format(", as {} before it", *untold),
                  fault.empty() ? "" : ": ", fault),
      {{"event", "pass"},
       {"trigger", TriggerName(trigger)},
       {"generation", generation},
       {"plan", plan},
       {"steps", deeds.size()},
       {"done", done},
       {"result", PassResultName(report.result)},
       {"error", fault}});
  const auto detail =
      deeds.size() <= kFewSteps ? spdlog::level::info : spdlog::level::debug;
  for (const Deed& deed : deeds) WriteDeed(deed, generation, detail);
}

void PassLog::WriteShares(const std::vector<Deed>& deeds,
                          std::uint64_t generation) {
  const std::string plan = SummaryOf(deeds);
  Log(spdlog::level::debug,
      fmt::format("{} edits for the present loads ({})", deeds.size(), plan),
      {{"event", "shares"}, {"generation", generation}, {"plan", plan}});
}

void PassLog::NoteInSync(Trigger trigger, std::uint64_t generation, Time now) {
  limiter_.Settle(now);
  if (failed_ == 0) return;
  Log(spdlog::level::info,
      fmt::format("in sync again: trigger {}, generation {}, after {} passes "
                  "that failed",
                  TriggerName(trigger), generation, failed_),
      {{"event", "pass"},
       {"trigger", TriggerName(trigger)},
       {"generation", generation},
       {"result", PassResultName(PassResult::kInSync)},
       {"failed", failed_}});
  failed_ = 0;
  failures_.clear();
}

std::optional<std::uint64_t> PassLog::NoteFailure(const std::string& words,
                                                  bool asked, Time now) {
  ++failed_;
  const auto known = failures_.find(words);
  if (known == failures_.end()) {
    const bool few = failures_.size() < kMostFailures;
    if (!few && !asked && !limiter_.MaySpeak(now)) return std::nullopt;
    if (few) failures_[words].told = now;
    return 0;
  }
  Failure& failure = known->second;
  if (!asked && now - failure.told < kRemind) {
    ++failure.untold;
    return std::nullopt;
  }
  return std::exchange(failure, {now, 0}).untold;
}

}  // namespace uplinkd
