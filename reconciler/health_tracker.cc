#include "reconciler/health_tracker.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reconciler/latency.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// The `rank`-th smallest, from 1 on. `values` has that many.
template <typename Value>
Value NthSmallest(std::vector<Value> values, std::size_t rank) {
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(rank) - 1;
  std::ranges::nth_element(values, nth);
  return *nth;
}

// Of `lost` rounds in the window.
Ratio LossOf(std::size_t lost) {
  return static_cast<Ratio>(lost * kWhole / HealthTracker::kWindow);
}

// Whether a value that was bad or not is bad now.
template <typename Value, typename Limit>
bool IsBad(bool was, const Value& value, const Limits<Limit>& limits) {
  return was ? value > limits.recovered : value >= limits.degraded;
}

std::string Percent(Ratio ratio) {
  std::string text = std::to_string(ratio / 100);
  const Ratio rest = ratio % 100;
  if (rest == 0) return text + "%";
  text += rest < 10 ? ".0" : ".";
  return text + std::to_string(rest % 10 == 0 ? rest / 10 : rest) + "%";
}

std::string InMilliseconds(nanoseconds duration) {
  return std::to_string(std::chrono::round<milliseconds>(duration).count()) +
         "ms";
}

}  // namespace

HealthTracker::HealthTracker(Health health)
    : health_(std::move(health)), records_(health_.probes.size()) {
  for (const Probe& probe : health_.probes) {
    report_.probes.emplace_back().name = ProbeName(probe);
  }
}

bool HealthTracker::IsGood(const std::vector<ProbeResult>& results) const {
  const auto answered = std::ranges::count_if(
      results, [](const ProbeResult& result) { return result.answered; });
  return answered >= static_cast<std::ptrdiff_t>(health_.quorum);
}

bool HealthTracker::RoundEnded(const std::vector<ProbeResult>& results) {
  const bool good = IsGood(results);
  good_in_a_row_ = good ? good_in_a_row_ + 1 : 0;
  failed_in_a_row_ = good ? 0 : failed_in_a_row_ + 1;
  Count(results);
  Remember(results);
  MeasureQuality();
  HealthVerdict verdict = Judge(good, results);
  if (verdict == report_.verdict) return false;
  report_.verdict = std::move(verdict);
  return true;
}

void HealthTracker::PathChanged() {
  good_in_a_row_ = 0;
  failed_in_a_row_ = 0;
  ForgetQuality();
  MeasureQuality();
  for (ProbeStanding& probe : report_.probes) probe.last.reset();
}

void HealthTracker::Count(const std::vector<ProbeResult>& results) {
  for (std::size_t i = 0; i < report_.probes.size(); ++i) {
    ProbeStanding& probe = report_.probes[i];
    ++(results[i].answered ? probe.answered : probe.unanswered);
  }
}

void HealthTracker::Remember(const std::vector<ProbeResult>& results) {
  if (const auto round_trip = RoundTripOf(health_, results)) {
    round_trips_.push_back(*round_trip);
    if (round_trips_.size() > kRoundTrips) round_trips_.pop_front();
  }
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const ProbeResult& result = results[i];
    Record& record = records_[i];
    record.lost <<= 1;
    record.lost[0] = !result.answered;
    report_.probes[i].last = result;
    if (!result.answered) continue;
    record.latency =
        record.latency
            ? *record.latency + (result.latency - *record.latency) / kSmoothing
            : result.latency;
  }
}

void HealthTracker::ForgetQuality() {
  std::ranges::fill(records_, Record{});
  round_trips_.clear();
}

void HealthTracker::MeasureQuality() {
  std::vector<std::size_t> lost;
  std::vector<nanoseconds> latencies;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const Record& record = records_[i];
    lost.push_back(record.lost.count());
    report_.probes[i].loss = LossOf(record.lost.count());
    if (record.latency) latencies.push_back(*record.latency);
  }
  report_.loss = LossOf(NthSmallest(lost, health_.quorum));
  report_.latency.reset();
  if (latencies.size() >= health_.quorum) {
    report_.latency = NthSmallest(latencies, health_.quorum);
  }
  MeasureRoundTrip();
}

void HealthTracker::MeasureRoundTrip() {
  report_.round_trip.reset();
  if (round_trips_.size() < kRoundTrips) return;
  report_.round_trip =
      NthSmallest(std::vector(round_trips_.begin(), round_trips_.end()),
                  kRoundTrips / 2 + 1);
}

HealthVerdict HealthTracker::Judge(bool good,
                                   const std::vector<ProbeResult>& results) {
  const HealthVerdict& before = report_.verdict;
  if (failed_in_a_row_ >= health_.down) {
    if (before.state == HealthState::kDown) return before;
    return {HealthState::kDown, WhyDown(results)};
  }
  if (before.state == HealthState::kDown) {
    if (good_in_a_row_ < health_.up) return before;
    // What was lost while it was down says nothing about the line from now on.
    ForgetQuality();
    Remember(results);
    MeasureQuality();
    lossy_ = slow_ = false;
  }
  if (before.state == HealthState::kUnknown && !good) return before;
  return JudgeQuality();
}

std::string HealthTracker::WhyDown(
    const std::vector<ProbeResult>& results) const {
  std::size_t answered = 0;
  std::string faults;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].answered) {
      ++answered;
      continue;
    }
    if (!faults.empty()) faults += ", ";
    faults += report_.probes[i].name + ": " + results[i].fault;
  }
  std::string words = std::to_string(answered) + " of " +
                      std::to_string(results.size()) + " probes answered";
  if (answered != 0) {
    words += " where " + std::to_string(health_.quorum) + " must";
  }
  return words + " (" + faults + ")";
}

HealthVerdict HealthTracker::JudgeQuality() {
  HealthVerdict verdict{HealthState::kUp, ""};
  const auto add = [&verdict](const std::string& fault) {
    verdict.state = HealthState::kDegraded;
    verdict.reason += (verdict.reason.empty() ? "" : ", ") + fault;
  };
  const bool was_lossy = std::exchange(
      lossy_, health_.loss && IsBad(lossy_, report_.loss, *health_.loss));
  const bool was_slow = std::exchange(
      slow_, health_.latency && report_.latency &&
                 IsBad(slow_, *report_.latency, *health_.latency));
  // The words of a verdict that stays are those of its beginning.
  if (was_lossy == lossy_ && was_slow == slow_ &&
      report_.verdict.state == HealthState::kDegraded) {
    return report_.verdict;
  }
  if (lossy_) {
    add("loses " + Percent(report_.loss) + " of the probes, " +
        Percent(health_.loss->recovered) + " or less would be good");
  }
  if (slow_) {
    add("takes " + InMilliseconds(*report_.latency) + " to answer, " +
        InMilliseconds(health_.latency->recovered) + " or less would be good");
  }
  return verdict;
}

}  // namespace uplinkd
