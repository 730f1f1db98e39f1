// Moment and Instant: what time it is, by all the clocks that deadlines need.
//
// A setting of the time of day must move no deadline, and the other clocks
// begin anew with a boot. So what is stored carries a Moment, and what goes on
// while the agent runs is counted by the monotonic clock.
#ifndef UPLINKD_AGENT_MOMENT_H_
#define UPLINKD_AGENT_MOMENT_H_

#include <chrono>
#include <string>

namespace uplinkd {

// By the clocks that mean something to a later run of the agent.
struct Moment {
  std::chrono::system_clock::time_point wall;
  std::chrono::nanoseconds uptime{};  // since the boot, also while asleep
  std::string boot = {};              // the id of the boot; "": unknown

  friend auto operator<=>(const Moment&, const Moment&) = default;
};

// The same, and by the clock of this run.
struct Instant {
  std::chrono::nanoseconds monotonic{};
  Moment moment;
};

// By the clocks of the system (CLOCK_BOOTTIME in clock_gettime(2),
// /proc/sys/kernel/random/boot_id in random(4)). Any thread. Without /proc the
// boot has no id, and the time of day decides.
Moment PresentMoment();

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_MOMENT_H_
