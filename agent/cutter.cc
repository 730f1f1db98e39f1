#include "agent/cutter.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <variant>

#include "agent/wire.h"

namespace uplinkd {
namespace {

const char* WhyOf(CutReason reason) {
  switch (reason) {
    case CutReason::kFailover: return "which stopped carrying them";
    case CutReason::kDisabled: return "which the spec disables";
    case CutReason::kFailback: return "since a higher tier serves again";
    case CutReason::kDrain: return "since the deadline of its drain is over";
  }
  return "";
}

// Whether new connections get the fates that this pass meant them to have.
bool FatesAreInForce(const Report& report) {
  if (report.failed_phase) return false;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Step& step = report.plan.steps[i];
    const StepResult result = report.outcomes[i].result;
    if (step.stage == Stage::kMangle && result != StepResult::kDone &&
        result != StepResult::kAlreadySo) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string CutOutcome::Words() const {
  const std::string of =
      "connections of " + cut.uplink + ", " + WhyOf(cut.reason);
  if (!connections) {
    return "cannot cut the " + of + ": " + connections.error().message;
  }
  return "cut " + std::to_string(*connections) +
         (cut.stragglers ? " more " : " ") + of;
}

void Cutter::PassEnded(const Spec& spec, const Report& report,
                       std::chrono::nanoseconds now, Tally& tally) {
  if (!FatesAreInForce(report)) return;
  for (const std::string& uplink :
       failover_.PassEnded(spec, report.uplinks, now)) {
    tally.CountFailover(uplink);
  }
}

std::vector<CutOutcome> Cutter::Work(Host& host, DrainLedger& drains,
                                     const Instant& now, Tally& tally) {
  std::vector<CutOutcome> outcomes;
  for (const Cut& cut : failover_.Due(drains.Deadlines(), now.monotonic)) {
    outcomes.push_back({cut, host.CutConnections(cut.mark)});
    const CutOutcome& outcome = outcomes.back();
    if (!outcome.connections) {
      failover_.Failed(cut, now.monotonic);
      failures_[cut.uplink] = outcome.Words();
      spdlog::warn("{}", outcome.Words());
      continue;
    }
    failover_.Done(cut, now.monotonic);
    failures_.erase(cut.uplink);
    tally.CountCut(cut, *outcome.connections);
    if (outcome.Newsworthy()) spdlog::info("{}", outcome.Words());
    if (cut.reason != CutReason::kDrain) continue;
    if (const Result<void> saved = drains.NoteOver(cut.uplink); !saved) {
      spdlog::warn("after a restart, {} would be cut again: {}", cut.uplink,
                   saved.error().message);
    }
  }
  return outcomes;
}

std::vector<std::string> Cutter::Warnings(const Instant& now) const {
  using google::protobuf::util::TimeUtil;
  std::vector<std::string> warnings;
  for (const auto& [uplink, words] : failures_) {
    if (failover_.Retries(uplink)) warnings.push_back(words);
  }
  for (const auto& [uplink, at] : failover_.FailbackDrains()) {
    const auto wall = std::chrono::round<std::chrono::seconds>(
        now.wall + (at - now.monotonic));
    warnings.push_back("what is left of the connections of " + uplink +
                       " is cut at " + TimeUtil::ToString(ToProto(wall)) +
                       ", since a higher tier serves again");
  }
  return warnings;
}

void Cutter::Forget() {
  failover_.Forget();
  failures_.clear();
}

}  // namespace uplinkd
