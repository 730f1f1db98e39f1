// UplinkHistory: since when each uplink is in its phase, and how often it
// drained.
//
// Pure; time comes in as an argument. What happened before the agent started is
// not known: then a phase began when it was first seen.
#ifndef UPLINKD_AGENT_UPLINK_HISTORY_H_
#define UPLINKD_AGENT_UPLINK_HISTORY_H_

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "exporters/snapshot.h"
#include "reconciler/compile.h"

namespace uplinkd {

class UplinkHistory {
 public:
  using Time = std::chrono::system_clock::time_point;

  // All uplinks that there are, as they are at `now`. Forgets every other one.
  void Note(const std::vector<UplinkState>& uplinks, Time now);

  const std::map<std::string, UplinkPast>& all() const { return all_; }

 private:
  std::map<std::string, UplinkPast> all_;  // by name
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_UPLINK_HISTORY_H_
