#include "agent/cutter.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "agent/logging.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

const char* WhyOf(CutReason reason) {
  switch (reason) {
    case CutReason::kFailover: return "which stopped carrying them";
    case CutReason::kDisabled: return "which the spec disables";
    case CutReason::kRemoved: return "which the spec no longer has";
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

void LogCut(const CutOutcome& outcome) {
  const Result<std::uint64_t>& connections = outcome.connections;
  LogFields fields = {{"event", "cut"},
                      {"uplink", outcome.cut.uplink},
                      {"family", FamilyName(outcome.family)},
                      {"reason", CutReasonName(outcome.cut.reason)}};
  if (connections) {
    fields.emplace_back("connections", *connections);
    fields.emplace_back("result", "done");
  } else {
    fields.emplace_back("result", "failed");
    fields.emplace_back("error", connections.error().message);
  }
  Log(connections ? spdlog::level::info : spdlog::level::warn, outcome.Words(),
      fields);
}

// The uplinks as they are in one family.
std::vector<UplinkState> As(Family family, std::vector<UplinkState> uplinks) {
  for (UplinkState& uplink : uplinks) {
    const auto phase = uplink.phases.find(family);
    uplink.phase =
        phase == uplink.phases.end() ? UplinkPhase::kDisabled : phase->second;
  }
  return uplinks;
}

}  // namespace

std::string CutOutcome::Words() const {
  const std::string of = std::string(family == Family::kIpv6 ? "IPv6 " : "") +
                         "connections of " + cut.uplink + ", " +
                         WhyOf(cut.reason);
  if (!connections) {
    return "cannot cut the " + of + ": " + connections.error().message;
  }
  return "cut " + std::to_string(*connections) +
         (cut.stragglers ? " more " : " ") + of;
}

void Cutter::PassEnded(const Spec& spec, const Report& report,
                       std::chrono::nanoseconds now, Tally& tally) {
  if (!FatesAreInForce(report)) return;
  const std::vector<Family> families = FamiliesOf(spec);
  std::erase_if(failovers_, [&](const auto& entry) {
    return std::ranges::find(families, entry.first) == families.end();
  });
  std::set<std::string> lost;
  for (const Family family : families) {
    std::ranges::copy(
        failovers_[family].PassEnded(spec, As(family, report.uplinks), now),
        std::inserter(lost, lost.end()));
  }
  for (const std::string& uplink : lost) tally.CountFailover(uplink);
}

std::vector<CutOutcome> Cutter::Work(Host& host, DrainLedger& drains,
                                     const Instant& now, Tally& tally) {
  limiter_.Settle(now.monotonic);
  std::vector<CutOutcome> outcomes;
  std::map<std::string, bool> drained;  // whether nothing of it failed
  for (const auto& [family, failover] : failovers_) {
    for (const Cut& cut : failover.Due(drains.Deadlines(), now.monotonic)) {
      outcomes.push_back(Carry(cut, family, host, now.monotonic, tally));
      if (cut.reason != CutReason::kDrain) continue;
      const bool done = outcomes.back().connections.has_value();
      const auto [entry, first] = drained.try_emplace(cut.uplink, done);
      if (!first) entry->second &= done;
    }
  }
  for (const auto& [uplink, done] : drained) {
    if (!done) continue;
    if (const Result<void> saved = drains.NoteOver(uplink); !saved) {
      spdlog::warn("after a restart, {} would be cut again: {}", uplink,
                   saved.error().message);
    }
  }
  return outcomes;
}

CutOutcome Cutter::Carry(const Cut& cut, Family family, Host& host,
                         std::chrono::nanoseconds now, Tally& tally) {
  CutOutcome outcome{cut, family, host.CutConnections(cut.mark, family)};
  if (!outcome.connections) {
    failovers_[family].Failed(cut, now);
    failures_[{cut.uplink, family}] = outcome.Words();
    LogCut(outcome);  // rare: it is tried again later and later
    return outcome;
  }
  failovers_[family].Done(cut, now);
  failures_.erase({cut.uplink, family});
  tally.CountCut(cut, *outcome.connections);
  if (outcome.Newsworthy() && limiter_.MaySpeak(now)) LogCut(outcome);
  return outcome;
}

std::vector<std::string> Cutter::Warnings(const Instant& now) const {
  using google::protobuf::util::TimeUtil;
  std::vector<std::string> warnings;
  for (const auto& [part, words] : failures_) {
    const auto failover = failovers_.find(part.family);
    if (failover != failovers_.end() && failover->second.Retries(part.uplink)) {
      warnings.push_back(words);
    }
  }
  std::map<std::string, std::chrono::nanoseconds> drains;
  for (const auto& [family, failover] : failovers_) {
    drains.merge(failover.FailbackDrains());
  }
  for (const auto& [uplink, at] : drains) {
    const auto wall = std::chrono::round<std::chrono::seconds>(
        now.moment.wall + (at - now.monotonic));
    warnings.push_back("what is left of the connections of " + uplink +
                       " is cut at " + TimeUtil::ToString(ToProto(wall)) +
                       ", since a higher tier serves again");
  }
  return warnings;
}

void Cutter::Forget() {
  failovers_.clear();
  failures_.clear();
}

}  // namespace uplinkd
