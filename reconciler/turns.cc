#include "reconciler/turns.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace uplinkd {
namespace {

constexpr double kTolerance = 0.01;

std::uint64_t Sum(const std::vector<std::uint64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

// What the members would get of `length` turns if turns had fractions.
std::vector<double> ExactParts(const std::vector<std::uint64_t>& weights,
                               std::uint64_t length) {
  const double per_weight =
      static_cast<double>(length) / static_cast<double>(Sum(weights));
  std::vector<double> parts;
  parts.reserve(weights.size());
  for (const std::uint64_t weight : weights) {
    parts.push_back(static_cast<double>(weight) * per_weight);
  }
  return parts;
}

// The parts as whole turns. Empty if one is too far off, or all together are
// not one cycle.
std::vector<std::uint64_t> RoundedTurns(const std::vector<double>& parts,
                                        std::uint64_t length) {
  std::vector<std::uint64_t> turns;
  for (const double part : parts) {
    const double rounded = std::round(part);
    if (std::abs(rounded - part) > kTolerance * part) return {};
    turns.push_back(static_cast<std::uint64_t>(rounded));
  }
  if (Sum(turns) != length) return {};
  return turns;
}

// The parts as whole turns, one at least. What is left over goes to those with
// the largest remainders; what is lacking comes from those with most turns.
std::vector<std::uint64_t> Apportion(const std::vector<double>& parts,
                                     std::uint64_t length) {
  std::vector<std::uint64_t> turns;
  std::vector<double> remainders;
  for (const double part : parts) {
    const double whole = std::max(1.0, std::floor(part));
    turns.push_back(static_cast<std::uint64_t>(whole));
    remainders.push_back(part - whole);
  }
  std::uint64_t given = Sum(turns);
  for (; given < length; ++given) {
    const auto largest = std::max_element(remainders.begin(), remainders.end());
    ++turns[static_cast<std::size_t>(largest - remainders.begin())];
    *largest -= 1;
  }
  for (; given > length; --given) {
    --*std::max_element(turns.begin(), turns.end());
  }
  return turns;
}

}  // namespace

std::vector<std::uint64_t> TurnsPerCycle(std::vector<std::uint64_t> weights) {
  std::uint64_t divisor = 0;
  for (const std::uint64_t weight : weights) {
    divisor = std::gcd(divisor, weight);
  }
  for (std::uint64_t& weight : weights) weight /= divisor;
  if (Sum(weights) <= kMaxCycle) return weights;
  for (std::uint64_t length = weights.size(); length < kMaxCycle; ++length) {
    std::vector<std::uint64_t> turns =
        RoundedTurns(ExactParts(weights, length), length);
    if (!turns.empty()) return turns;
  }
  return Apportion(ExactParts(weights, kMaxCycle), kMaxCycle);
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
