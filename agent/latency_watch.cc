#include "agent/latency_watch.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "agent/logging.h"

namespace uplinkd {
namespace {

RoundTrips RoundTripsIn(const HealthReports& reports) {
  RoundTrips round_trips;
  for (const auto& [uplink, report] : reports) {
    if (report.round_trip) round_trips[uplink] = *report.round_trip;
  }
  return round_trips;
}

std::string Words(const RoundTrips& round_trips, const std::string& uplink) {
  const auto found = round_trips.find(uplink);
  if (found == round_trips.end()) return "was not measured";
  const std::chrono::duration<double, std::milli> time = found->second;
  return fmt::format("takes {:.1f}ms", time.count());
}

void LogMove(const std::string& policy, const std::string& from,
             const std::string& to, const RoundTrips& round_trips) {
  Log(spdlog::level::info,
      fmt::format("policy {}: new connections go by {}, which {}; {} {}",
                  policy, to, Words(round_trips, to), from,
                  Words(round_trips, from)),
      {{"event", "policy"},
       {"policy", policy},
       {"uplink", to},
       {"before", from}});
}

}  // namespace

void LatencyWatch::Follow(const Spec& spec) {
  std::set<std::string> ranked;
  for (const Policy* policy : AllPolicies(spec)) {
    if (policy->algorithm == Algorithm::kLowestLatency) {
      ranked.insert(policy->name);
    }
  }
  watching_ = !ranked.empty();
  choices_.clear();
  std::erase_if(rankings_, [&ranked](const auto& entry) {
    return !ranked.contains(entry.first);
  });
}

bool LatencyWatch::Look(const HealthReports& reports) {
  if (!watching_) return false;
  limiter_.Settle();
  const RoundTrips round_trips = RoundTripsIn(reports);
  bool moved = false;
  for (const auto& [policy, choice] : choices_) {
    Ranking next = Rank(choice, round_trips);
    Ranking& ranking = rankings_[policy];
    const bool moves = !choice.leader.empty() && next.front() != choice.leader;
    if (moves && next.front() != (ranking.empty() ? "" : ranking.front())) {
      if (limiter_.MaySpeak()) {
        LogMove(policy, choice.leader, next.front(), round_trips);
      }
    }
    moved = moved || moves;
    ranking = std::move(next);
  }
  return moved;
}

}  // namespace uplinkd
