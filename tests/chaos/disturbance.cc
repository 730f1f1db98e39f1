#include "tests/chaos/disturbance.h"

#include <initializer_list>
#include <iterator>
#include <utility>

namespace uplinkd::chaos {

namespace {

Disturbances Together(std::initializer_list<Disturbances (*)()> kinds) {
  Disturbances all;
  for (const auto& kind : kinds) {
    Disturbances some = kind();
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

}  // namespace

Disturbances AllDisturbances() {
  return Together({OfSpecs, OfAgents, OfLines, OfOurs, OfForeign});
}

Disturbances HarmlessDisturbances() {
  return Together({OfSpecs, OfAgents, OfForeign});
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
