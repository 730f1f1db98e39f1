#include "reconciler/latency.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace uplinkd {
namespace {

using std::chrono::nanoseconds;

// What orders uplinks: measured ones first, the soonest of them first.
std::pair<bool, nanoseconds> Key(const RoundTrips& round_trips,
                                 const std::string& uplink) {
  const auto found = round_trips.find(uplink);
  if (found == round_trips.end()) return {true, nanoseconds(0)};
  return {false, found->second};
}

// Who is to be the first.
std::string LeaderOf(const RankedChoice& choice,
                     const RoundTrips& round_trips) {
  std::string leader = choice.leader;
  if (choice.serving.empty()) return leader;
  const auto key = [&](const std::string& uplink) {
    return Key(round_trips, uplink);
  };
  const std::string& soonest =
      *std::ranges::min_element(choice.serving, {}, key);
  const auto best = round_trips.find(soonest);
  if (best == round_trips.end()) return leader;
  const auto present = round_trips.find(leader);
  if (present == round_trips.end() ||
      IsClearlySooner(best->second, present->second)) {
    return soonest;
  }
  return leader;
}

}  // namespace

bool MeasuresRoundTrip(const Probe& probe) {
  return !std::holds_alternative<ArpProbe>(probe);
}

std::optional<nanoseconds> RoundTripOf(
    const Health& health, const std::vector<ProbeResult>& results) {
  std::size_t probes = 0;
  std::vector<nanoseconds> answers;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!MeasuresRoundTrip(health.probes[i])) continue;
    ++probes;
    if (results[i].answered) answers.push_back(results[i].latency);
  }
  const std::size_t rank = std::min<std::size_t>(health.quorum, probes);
  if (rank == 0 || answers.size() < rank) return std::nullopt;
  std::ranges::sort(answers);
  return answers[rank - 1];
}

bool IsClearlySooner(nanoseconds challenger, nanoseconds leader) {
  constexpr int kWholePercent = 100;
  const nanoseconds margin = std::max<nanoseconds>(
      leader * kLatencyMarginPercent / kWholePercent, kLeastLatencyMargin);
  return challenger <= leader - margin;
}

Ranking Rank(const RankedChoice& choice, const RoundTrips& round_trips) {
  const std::string leader = LeaderOf(choice, round_trips);
  Ranking ranking = choice.members;
  std::ranges::stable_sort(ranking, {}, [&](const std::string& uplink) {
    return std::pair(uplink != leader, Key(round_trips, uplink));
  });
  return ranking;
}

}  // namespace uplinkd
