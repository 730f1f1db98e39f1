// Latency: which uplink answers soonest, as lowest-latency sees it.
//
// HealthTracker measures round trips; the core only ranks what it is given. A
// ranking is a fact, and one with inertia: another uplink takes the place of
// the first in it only if it is better by a margin, so that nothing is written
// while nothing matters. Pure.
#ifndef UPLINKD_RECONCILER_LATENCY_H_
#define UPLINKD_RECONCILER_LATENCY_H_

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/health.h"

namespace uplinkd {

// By the uplink's name. One that is absent was not measured often enough.
using RoundTrips = std::map<std::string, std::chrono::nanoseconds>;

// Uplinks of one policy, the preferred one first.
using Ranking = std::vector<std::string>;
using Rankings = std::map<std::string, Ranking>;  // by policy

// A lowest-latency choice as it is in force.
struct RankedChoice {
  std::vector<std::string> members;  // of all tiers, in the policy's order
  std::vector<std::string> serving;  // those of them that could be chosen now
  std::string leader;                // the one that is; "" if there is none

  friend auto operator<=>(const RankedChoice&, const RankedChoice&) = default;
};
using RankedChoices = std::map<std::string, RankedChoice>;  // by policy

// Whether a probe's answer tells how long the way through the uplink is. That
// to an ARP request tells of the link alone.
bool MeasuresRoundTrip(const Probe& probe);

// What one round of probes measured: the quorum-th best of the answers that
// tell of the way, or the worst of them where the quorum is more than there are
// such probes. None: too few answered.
std::optional<std::chrono::nanoseconds> RoundTripOf(
    const Health& health, const std::vector<ProbeResult>& results);

// By how much another one must be better: a fifth, and no less than 1 ms. Less
// than a fifth of a round trip is noise on lines whose queues come and go, and
// below 1 ms so is the scheduling of the agent. A margin that is a part of the
// larger value keeps both ways apart: from 30 ms to 24 ms, but not back.
inline constexpr int kLatencyMarginPercent = 20;
inline constexpr std::chrono::milliseconds kLeastLatencyMargin{1};
bool IsClearlySooner(std::chrono::nanoseconds challenger,
                     std::chrono::nanoseconds leader);

// The ranking that follows. It begins with the leader, unless one that serves
// is clearly sooner, or was measured and the leader was not: then with the
// soonest. Behind it stand all other members by round trip, those without one
// last, in the policy's order, so that the best of them follows if the first is
// lost.
Ranking Rank(const RankedChoice& choice, const RoundTrips& round_trips);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LATENCY_H_
