#include "reconciler/water_fill.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace uplinkd {
namespace {

double LevelOf(const Vessel& vessel) {
  return vessel.held / vessel.width;
}

// The level once `poured` is in: the lowest vessels fill up together, and each
// further one takes part as soon as the water stands above what it holds.
double LevelAfter(std::vector<Vessel> vessels, double poured) {
  std::ranges::sort(vessels, {}, LevelOf);
  double water = poured;
  double width = 0;
  for (const Vessel& vessel : vessels) {
    if (width > 0 && LevelOf(vessel) * width >= water) break;
    water += vessel.held;
    width += vessel.width;
  }
  return water / width;
}

}  // namespace

std::vector<double> WaterFill(const std::vector<Vessel>& vessels,
                              double poured) {
  if (vessels.empty()) return {};
  const double level = LevelAfter(vessels, poured);
  std::vector<double> shares;
  double total = 0;
  for (const Vessel& vessel : vessels) {
    shares.push_back(std::max(0.0, level * vessel.width - vessel.held));
    total += shares.back();
  }
  // `total` is what was poured, but for the rounding.
  for (double& share : shares) share /= total;
  return shares;
}

std::vector<std::uint64_t> InParts(const std::vector<double>& shares,
                                   std::uint64_t parts) {
  std::vector<std::uint64_t> whole;
  std::vector<double> remainders;
  for (const double share : shares) {
    const double exact = share * static_cast<double>(parts);
    whole.push_back(static_cast<std::uint64_t>(exact));
    remainders.push_back(exact - std::floor(exact));
  }
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::size_t i) { return remainders[i]; });
  std::uint64_t left = parts;
  for (const std::uint64_t part : whole) left -= std::min(left, part);
  for (const std::size_t i : order) {
    if (left == 0) break;
    if (shares[i] <= 0) continue;
    ++whole[i];
    --left;
  }
  return whole;
}

}  // namespace uplinkd
