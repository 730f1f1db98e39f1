// Checks: what has to be true of the router after a round, whatever it was.
//
// They wait until the agent is at rest, and then hold the laws of
// docs/design.md against the kernel's own words and real traffic. What they
// find goes to Chaos::Violate().
#ifndef UPLINKD_TESTS_CHAOS_CHECKS_H_
#define UPLINKD_TESTS_CHAOS_CHECKS_H_

#include <cstdint>

#include "tests/chaos/chaos.h"

namespace uplinkd::chaos {

// What all rounds had, for the report.
struct Counts {
  std::uint64_t talks = 0;  // that were asked after a round
  // Those that ended: where the round may end some; where it may not.
  std::uint64_t lost = 0;
  std::uint64_t lost_needlessly = 0;
  std::uint64_t cut_as_asked = 0;  // of uplinks that died
  std::uint64_t hung = 0;          // that should have been cut
  std::uint64_t calls = 0;         // short connections
  std::uint64_t failed_calls = 0;  // in rounds that may fail some
  std::uint64_t quiet_rounds = 0;  // that may not
  std::uint64_t foreign_differences = 0;
};

// In the order of this file; the first waits until the agent is at rest, and
// the others need it to be: false, and nothing more can be said.
bool CheckRest(Chaos& chaos);
// What is foreign reads as in the twin, what is ours as in the mirror.
void CheckForeign(Chaos& chaos, Counts& counts);
void CheckOurs(Chaos& chaos);
// Connections live that may, those of dead uplinks are cut, new ones get an
// uplink that the spec allows, and no packet went astray.
void CheckTraffic(Chaos& chaos, Counts& counts);
// Passes that find nothing to do write nothing; memory, descriptors, the log.
void CheckIdle(Chaos& chaos);
void CheckAgent(Chaos& chaos);

// Opens as many lasting connections as there should be.
void OpenTalks(Chaos& chaos);

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_CHECKS_H_
