// Disturbances: all that can happen to the router, one function each.
//
// Each draws what it needs from the chaos' Random first, says what it does,
// does it, and notes in the Effects what its round may lose. None waits for the
// agent, except those that ask it for something. A new one is one more line in
// a table of a disturbances_*.cc.
#ifndef UPLINKD_TESTS_CHAOS_DISTURBANCE_H_
#define UPLINKD_TESTS_CHAOS_DISTURBANCE_H_

#include <string>
#include <vector>

#include "tests/chaos/chaos.h"

namespace uplinkd::chaos {

struct Disturbance {
  std::string kind;
  unsigned weight = 1;  // how often, in relation to the others
  void (*cause)(Chaos& chaos) = nullptr;
};
using Disturbances = std::vector<Disturbance>;

Disturbances OfSpecs();    // specs, drains, pauses
Disturbances OfAgents();   // kills, stops, slow disks, locks, overruns
Disturbances OfLines();    // links, addresses, gateways, providers
Disturbances OfOurs();     // others edit what is ours
Disturbances OfForeign();  // others edit what is theirs, beside ours

Disturbances AllDisturbances();
// Those that neither touch a line nor what is ours.
Disturbances HarmlessDisturbances();
// By weight.
const Disturbance& Pick(Random& random, const Disturbances& all);

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_DISTURBANCE_H_
