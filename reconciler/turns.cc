#include "reconciler/turns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace uplinkd {
namespace {

constexpr double kTolerance = 0.01;

double Sum(const std::vector<std::uint64_t>& values) {
  return static_cast<double>(
      std::accumulate(values.begin(), values.end(), std::uint64_t{0}));
}

// `length` turns, one for each member and the others by largest remainder.
std::vector<std::uint64_t> Apportion(const std::vector<std::uint64_t>& weights,
                                     std::uint64_t length) {
  const double total = Sum(weights);
  std::vector<std::uint64_t> turns;
  for (const std::uint64_t weight : weights) {
    const double exact =
        static_cast<double>(length) * static_cast<double>(weight) / total;
    turns.push_back(std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::floor(exact))));
  }
  const auto shortage = [&](std::size_t i) {
    return static_cast<double>(length) * static_cast<double>(weights[i]) /
               total -
           static_cast<double>(turns[i]);
  };
  auto given = static_cast<std::uint64_t>(Sum(turns));
  while (given != length) {
    // The first of equals, so that the same weights give the same turns.
    std::size_t chosen = 0;
    for (std::size_t i = 1; i < turns.size(); ++i) {
      const bool better =
          given < length ? shortage(i) > shortage(chosen)
                         : turns[chosen] == 1 ||
                               (turns[i] > 1 && shortage(i) < shortage(chosen));
      if (better) chosen = i;
    }
    if (given < length) {
      ++turns[chosen];
      ++given;
    } else {
      --turns[chosen];
      --given;
    }
  }
  return turns;
}

bool CloseEnough(const std::vector<std::uint64_t>& turns,
                 const std::vector<std::uint64_t>& weights) {
  const double per_turn = Sum(weights) / Sum(turns);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const double ratio = static_cast<double>(turns[i]) * per_turn /
                         static_cast<double>(weights[i]);
    if (std::abs(ratio - 1) > kTolerance) return false;
  }
  return true;
}

}  // namespace

std::vector<std::uint64_t> TurnsPerCycle(std::vector<std::uint64_t> weights) {
  std::uint64_t divisor = 0;
  for (const std::uint64_t weight : weights) {
    divisor = std::gcd(divisor, weight);
  }
  for (std::uint64_t& weight : weights) weight /= divisor;
  if (Sum(weights) <= static_cast<double>(kMaxCycle)) return weights;
  for (std::uint64_t length = weights.size(); length < kMaxCycle; ++length) {
    std::vector<std::uint64_t> turns = Apportion(weights, length);
    if (CloseEnough(turns, weights)) return turns;
  }
  return Apportion(weights, kMaxCycle);
}

std::vector<std::size_t> SmoothCycle(const std::vector<std::uint64_t>& turns) {
  const auto length = static_cast<std::int64_t>(Sum(turns));
  std::vector<std::int64_t> credit(turns.size(), 0);
  std::vector<std::size_t> cycle;
  for (std::int64_t turn = 0; turn < length; ++turn) {
    for (std::size_t i = 0; i < turns.size(); ++i) {
      credit[i] += static_cast<std::int64_t>(turns[i]);
    }
    const auto richest = std::max_element(credit.begin(), credit.end());
    *richest -= length;
    cycle.push_back(static_cast<std::size_t>(richest - credit.begin()));
  }
  return cycle;
}

}  // namespace uplinkd
