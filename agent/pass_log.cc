#include "agent/pass_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/wire.h"

namespace uplinkd {
namespace {

// Longer plans (a new spec) are told step by step only at level debug.
constexpr std::size_t kFewSteps = 8;

void WriteDeed(const Deed& deed, spdlog::level::level_enum level) {
  const bool failed = deed.outcome.result == StepResult::kFailed ||
                      deed.outcome.result == StepResult::kConflict;
  if (failed) {
    spdlog::warn("  {} {} ({}): {}: {}", deed.line.sign, deed.line.command,
                 deed.line.reason, StepResultName(deed.outcome.result),
                 deed.outcome.error.message);
    return;
  }
  spdlog::log(level, "  {} {} ({}): {}", deed.line.sign, deed.line.command,
              deed.line.reason, StepResultName(deed.outcome.result));
}

std::size_t CountDone(const std::vector<Deed>& deeds) {
  return static_cast<std::size_t>(
      std::count_if(deeds.begin(), deeds.end(), [](const Deed& deed) {
        return deed.outcome.result == StepResult::kDone;
      }));
}

}  // namespace

void PassLog::Write(const Report& report, const std::vector<Deed>& deeds,
                    Trigger trigger, std::uint64_t generation, Time now) {
  if (report.result == PassResult::kInSync) {
    last_failure_.clear();
    return;
  }
  const std::string fault = FirstFault(report);
  const bool failed = report.result == PassResult::kFailed;
  if (failed && !IsNewFailure(fault, now)) return;
  if (!MaySpeak(now)) {
    ++unspoken_;
    return;
  }
  if (unspoken_ > 0) {
    spdlog::warn("{} passes that changed something were not logged", unspoken_);
    unspoken_ = 0;
  }
  const auto level = failed ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "pass {}: trigger {}, generation {}, {} of {} done{}{}",
              PassResultName(report.result), TriggerName(trigger), generation,
              CountDone(deeds), deeds.size(), fault.empty() ? "" : ": ", fault);
  const auto detail =
      deeds.size() <= kFewSteps ? spdlog::level::info : spdlog::level::debug;
  for (const Deed& deed : deeds) WriteDeed(deed, detail);
}

bool PassLog::MaySpeak(Time now) {
  if (now - refilled_ >= kRefill) {
    const auto refill = (now - refilled_) / Time(kRefill);
    tokens_ =
        static_cast<int>(std::min<std::int64_t>(kBurst, tokens_ + refill));
    refilled_ = now;
  }
  if (tokens_ == 0) return false;
  --tokens_;
  return true;
}

bool PassLog::IsNewFailure(const std::string& words, Time now) {
  if (words == last_failure_ && now - last_failure_at_ < kRemind) return false;
  last_failure_ = words;
  last_failure_at_ = now;
  return true;
}

}  // namespace uplinkd
