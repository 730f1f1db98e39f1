#include "tests/chaos/disturbance.h"

#include <iterator>
#include <utility>

namespace uplinkd::chaos {

Disturbances AllDisturbances() {
  Disturbances all;
  for (const auto& kinds : {OfSpecs, OfAgents, OfLines, OfOurs, OfForeign}) {
    Disturbances some = kinds();
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

const Disturbance& Pick(Random& random, const Disturbances& all) {
  unsigned sum = 0;
  for (const Disturbance& one : all) sum += one.weight;
  std::uint64_t ticket = random.Below(sum);
  for (const Disturbance& one : all) {
    if (ticket < one.weight) return one;
    ticket -= one.weight;
  }
  return all.back();
}

}  // namespace uplinkd::chaos
