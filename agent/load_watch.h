// LoadWatch: knows how many connections are busy on each uplink, for
// least-connections.
//
//   fate counters, conntrack --Look--> Loads --> the next pass, if it matters
//
// Looks only while some policy asks. The kernel walks its whole conntrack table
// to count, so that is done at every look only while it costs less than 1 % of
// a core, and less often otherwise. In between, the fates given since are
// added, and connections taken off at the rate at which they last went.
//
// The loads in force are those that passes compile with. They stay as they are
// until others would matter (see load.h), so that a pass for any other reason
// writes no new shares. For the thread that owns the host.
#ifndef UPLINKD_AGENT_LOAD_WATCH_H_
#define UPLINKD_AGENT_LOAD_WATCH_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/host.h"
#include "agent/traffic.h"
#include "reconciler/load.h"
#include "reconciler/reconcile.h"
#include "reconciler/spec.h"

namespace uplinkd {

class LoadWatch {
 public:
  // How often to look. It bounds what a stale share can do: connections that
  // come in by a line that has just turned bad.
  static constexpr std::chrono::milliseconds kEvery{250};

  // `processor` is the processor time of the calling thread: on a busy machine
  // a count takes longer than it costs.
  LoadWatch(MonotonicClock now, MonotonicClock processor)
      : now_(std::move(now)), processor_(std::move(processor)) {}

  // Another spec is followed from now on: the weights decide until the next
  // look.
  void Follow(const Spec& spec);

  // Whether there is anything to look for.
  bool watching() const { return watching_; }

  // The choices that a pass left in force.
  void PassEnded(const std::map<std::string, CountedChoice>& choices) {
    choices_ = choices;
  }

  // True: other loads are in force from now on, and a pass is due. What cannot
  // be read is left as it was.
  bool Look(Host& host);

  // In force.
  const Loads& loads() const { return loads_; }

 private:
  using Time = std::chrono::nanoseconds;  // monotonic

  struct Line {
    Mark mark;
    std::optional<std::uint64_t> counter;  // of its fates, as last seen
    std::uint64_t arrived = 0;             // fates given since the first look
    RateMeter rate;                        // of arrivals
    // As of the last count.
    std::uint64_t busy = 0;
    std::uint64_t arrived_then = 0;
    double leaving = 0;  // connections per second, between the last two
  };

  void ReadFates(Host& host);
  void Count(Host& host);
  Loads LoadsAt(Time now) const;

  MonotonicClock now_;
  MonotonicClock processor_;
  bool watching_ = false;
  std::uint32_t mask_ = 0;
  std::map<std::string, Line> lines_;  // by uplink
  std::optional<Time> counted_;        // when; none: not yet
  Time next_count_{};
  std::map<std::string, CountedChoice> choices_;  // by policy
  Loads loads_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LOAD_WATCH_H_
