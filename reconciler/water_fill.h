// Water-filling: where new connections level out the old ones.
//
//   vessel i holds n_i and is w_i wide; A is poured in
//   the level L is where  sum max(0, L * w_i - n_i) = A
//   vessel i gets the share  max(0, L * w_i - n_i) / A
//
// Pure arithmetic. A vessel above the level gets nothing; equal levels, or much
// more water than there was, give the widths.
#ifndef UPLINKD_RECONCILER_WATER_FILL_H_
#define UPLINKD_RECONCILER_WATER_FILL_H_

#include <cstdint>
#include <vector>

namespace uplinkd {

struct Vessel {
  double held = 0;   // 0 or more
  double width = 1;  // above 0
};

// The share of each of `vessels` when `poured`, above 0, comes in: 0 or more,
// 1 in total. The order of the vessels makes no difference.
std::vector<double> WaterFill(const std::vector<Vessel>& vessels,
                              double poured);

// `shares`, whose sum is 1, in whole parts whose sum is `parts`: each one
// rounded down, and what is left over to the largest remainders (Hamilton's
// method). A share of 0 stays 0.
std::vector<std::uint64_t> InParts(const std::vector<double>& shares,
                                   std::uint64_t parts);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_WATER_FILL_H_
