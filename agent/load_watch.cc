#include "agent/load_watch.h"

#include <algorithm>
#include <cmath>

namespace uplinkd {
namespace {

// What "now" means for the rate of arrivals: some looks, so that it is more
// than one roll of the dice.
constexpr std::chrono::seconds kArrivalWindow{2};

bool Counts(const Policy& policy) {
  return policy.algorithm == Algorithm::kLeastConnections;
}

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void LoadWatch::Follow(const Spec& spec) {
  watching_ =
      Counts(spec.balance) || std::ranges::any_of(spec.policies, Counts);
  mask_ = spec.mark_mask;
  lines_.clear();
  for (const Uplink& uplink : spec.uplinks) {
    lines_[uplink.name].mark = MarkOf(spec, uplink.id);
  }
  counted_.reset();
  next_count_ = {};
  choices_.clear();
  loads_.clear();
}

bool LoadWatch::Look(Host& host) {
  if (!watching_) return false;
  ReadFates(host);
  if (now_() >= next_count_) Count(host);
  if (!counted_) return false;
  Loads loads = LoadsAt(now_());
  const bool matters = std::ranges::any_of(choices_, [&](const auto& choice) {
    return Matters(choice.second, loads);
  });
  if (matters) loads_ = std::move(loads);
  return matters;
}

void LoadWatch::ReadFates(Host& host) {
  const Result<ChainLook> look = host.kernel().LookAtChains();
  if (!look) return;
  const Time now = now_();
  for (auto& [uplink, line] : lines_) {
    const auto fates = look->fates_given.find(line.mark);
    const std::uint64_t counter =
        fates == look->fates_given.end() ? 0 : fates->second;
    if (line.counter) {
      // A counter that went back belongs to a new rule, which began at 0.
      line.arrived +=
          counter < *line.counter ? counter : counter - *line.counter;
    }
    line.counter = counter;
    line.rate.Sample(line.arrived, now, kArrivalWindow);
  }
}

void LoadWatch::Count(Host& host) {
  const Time began = now_();
  const Time cost_before = processor_();
  const Result<ConnectionCounts> counts = host.CountConnections(mask_);
  // At most one percent of a core.
  next_count_ = began + 100 * (processor_() - cost_before);
  if (!counts) return;
  for (auto& [uplink, line] : lines_) {
    const auto found = counts->find(line.mark.value);
    const std::uint64_t busy = found == counts->end() ? 0 : found->second.busy;
    if (counted_ && began > *counted_) {
      const auto before =
          static_cast<double>(line.busy + line.arrived - line.arrived_then);
      line.leaving = std::max(0.0, before - static_cast<double>(busy)) /
                     Seconds(began - *counted_);
    }
    line.busy = busy;
    line.arrived_then = line.arrived;
  }
  counted_ = began;
}

Loads LoadWatch::LoadsAt(Time now) const {
  Loads loads;
  for (const auto& [uplink, line] : lines_) {
    const auto came = static_cast<double>(line.arrived - line.arrived_then);
    const double went = line.leaving * Seconds(now - *counted_);
    const double busy =
        std::max(0.0, static_cast<double>(line.busy) + came - went);
    loads[uplink] = {
        .connections = static_cast<std::uint64_t>(std::llround(busy)),
        .arrivals = line.rate.per_second() * Seconds(kEvery)};
  }
  return loads;
}

}  // namespace uplinkd
