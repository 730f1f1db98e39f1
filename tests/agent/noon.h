// The moment at which the tests of clocks begin.
#ifndef UPLINKD_TESTS_AGENT_NOON_H_
#define UPLINKD_TESTS_AGENT_NOON_H_

#include <chrono>

#include "agent/moment.h"

namespace uplinkd::testing {

// 2026-11-26T12:00:00Z, an hour after the machine started.
inline Instant Noon() {
  return {std::chrono::hours(1),
          {.wall = std::chrono::system_clock::time_point(
               std::chrono::seconds(1795694400))}};
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_NOON_H_
