// DurationHistogram: how often something took how long.
//
// Cumulative since it was made, with fixed bounds, so that histograms of
// several routers can be added up. Pure.
#ifndef UPLINKD_RECONCILER_DURATION_HISTOGRAM_H_
#define UPLINKD_RECONCILER_DURATION_HISTOGRAM_H_

#include <array>
#include <chrono>
#include <cstdint>

namespace uplinkd {

struct DurationHistogram {
  // In seconds: from a read of small tables (0.1 ms) to a wait that has run
  // into several limits (the xtables lock's is 5 s).
  static constexpr std::array<double, 17> kBounds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
      0.1,    0.25,    0.5,    1.0,   2.5,    5.0,   10.0, 60.0};
  std::array<std::uint64_t, kBounds.size() + 1> counts{};  // last: +Inf
  double sum = 0;                                          // in seconds

  void Observe(std::chrono::nanoseconds duration);
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_DURATION_HISTOGRAM_H_
