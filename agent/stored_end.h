// StoredEnd: when something ends that may outlive the agent's run.
//
// In the boot that it began in, the time since the boot decides: no setting of
// a clock moves it. After a reboot the time of day does, but makes it no later
// than it was meant to be. Pure; time is an argument.
#ifndef UPLINKD_AGENT_STORED_END_H_
#define UPLINKD_AGENT_STORED_END_H_

#include <chrono>
#include <string>

#include "agent/moment.h"

namespace uplinkd {

struct StoredEnd {
  std::chrono::system_clock::time_point wall;
  std::chrono::nanoseconds most{};    // it was to last, from its beginning
  std::chrono::nanoseconds uptime{};  // at its end, in `boot`
  std::string boot = {};              // that it began in; "": nobody knows

  friend bool operator==(const StoredEnd&, const StoredEnd&) = default;
};
StoredEnd EndAfter(std::chrono::nanoseconds duration, const Moment& now);

// How long it still is, negative if it is over: in the same boot to the
// nanosecond, else by the time of day, but `most` at most.
std::chrono::nanoseconds TimeUntil(const StoredEnd& end, const Moment& now);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_STORED_END_H_
