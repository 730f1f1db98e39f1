// HealthTracker: from the results of probe rounds to a verdict.
//
//   results of a round -> HealthReport
//
// A round is good if at least `quorum` probes answered. `down` failed rounds in
// a row make the uplink down, `up` good ones in a row bring it back: one good
// answer of a flapping line is not enough, and one lost packet does no harm.
// Before the first verdict the state is unknown.
//
// Loss and latency are those of the quorum-th best probe, so that a dead or
// lying target does not make a line bad on which enough others answer. Each is
// bad from its own limit on, and good again from another. The round trip, by
// which uplinks are compared, is a median: one late answer weighs in a mean for
// many rounds. Pure; rounds are its only clock.
#ifndef UPLINKD_RECONCILER_HEALTH_TRACKER_H_
#define UPLINKD_RECONCILER_HEALTH_TRACKER_H_

#include <bitset>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "reconciler/health.h"

namespace uplinkd {

class HealthTracker {
 public:
  // Rounds that loss is counted over, so that one lost answer is 5 %, the
  // limit below which most lines count as good. Rounds before the first are
  // taken for good ones.
  static constexpr std::size_t kWindow = 20;
  // What part of a new latency is taken over: a quarter (RFC 6298 takes an
  // eighth, of samples that come much more often).
  static constexpr int kSmoothing = 4;
  // Rounds that the round trip is the median of, once there are that many: it
  // takes three of five to move it.
  static constexpr std::size_t kRoundTrips = 5;

  // `health` must be valid.
  explicit HealthTracker(Health health);

  // A round ended: one result per probe, in the order of the spec. True if the
  // verdict is another one now.
  bool RoundEnded(const std::vector<ProbeResult>& results);

  // Whether enough probes of a round answered.
  bool IsGood(const std::vector<ProbeResult>& results) const;

  // The probes take another way from now on: another link, address or gateway.
  // The verdict stays until rounds of the new way make another one.
  void PathChanged();

  const Health& health() const { return health_; }
  const HealthReport& report() const { return report_; }

 private:
  struct Record {
    std::bitset<kWindow> lost;  // of the last rounds, the newest first
    std::optional<std::chrono::nanoseconds> latency;  // smoothed
  };

  void Count(const std::vector<ProbeResult>& results);
  void Remember(const std::vector<ProbeResult>& results);
  void ForgetQuality();
  void MeasureQuality();
  void MeasureRoundTrip();
  HealthVerdict Judge(bool good, const std::vector<ProbeResult>& results);
  std::string WhyDown(const std::vector<ProbeResult>& results) const;
  HealthVerdict JudgeQuality();

  Health health_;
  HealthReport report_;
  std::vector<Record> records_;  // one per probe
  // Of the last rounds that measured one, the newest last.
  std::deque<std::chrono::nanoseconds> round_trips_;
  std::uint32_t failed_in_a_row_ = 0;
  std::uint32_t good_in_a_row_ = 0;
  bool lossy_ = false;
  bool slow_ = false;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_HEALTH_TRACKER_H_
