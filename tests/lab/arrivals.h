// Arrivals: downloads that begin at random, however many are under way, as
// those of many users do.
//
// Each is one connection to the server's file service. How long they take is
// what a user feels of a balance. Not for production code.
#ifndef UPLINKD_TESTS_LAB_ARRIVALS_H_
#define UPLINKD_TESTS_LAB_ARRIVALS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/lab/namespace.h"

namespace uplinkd::lab {

struct ArrivalOptions {
  double per_second = 30;
  std::chrono::milliseconds duration{5000};  // no more begin after it
  // For those that are still under way then; they count as if they ended.
  std::chrono::milliseconds patience{4000};
  std::uint32_t seed = 1;  // the same seed, the same moments
};

// Runs them inside `where` and returns how long each took. `at`, if given, is
// called once `after` has passed since the first moment.
std::vector<std::chrono::duration<double>> RunArrivals(
    const Namespace& where, const ArrivalOptions& options,
    std::chrono::milliseconds after = {},
    const std::function<void()>& at = nullptr);

std::chrono::duration<double> Mean(
    const std::vector<std::chrono::duration<double>>& durations);

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_ARRIVALS_H_
