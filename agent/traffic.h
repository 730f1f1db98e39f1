// Traffic: counters of links and connections made into rates and shares.
//
// Pure arithmetic on samples; the engine takes them. A counter that went
// backwards, or another link under the same name, makes the rate start over
// rather than show one that never was; totals never fall as long as the uplink
// is followed.
#ifndef UPLINKD_AGENT_TRAFFIC_H_
#define UPLINKD_AGENT_TRAFFIC_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "exporters/snapshot.h"
#include "reconciler/linux/statistics.h"

namespace uplinkd {

// The rate of a counter, as an exponentially weighted moving average.
class RateMeter {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  // `window` is the time constant of the average.
  void Sample(std::uint64_t count, Time now, Time window);
  double per_second() const { return rate_; }

 private:
  struct Last {
    std::uint64_t count = 0;
    Time at{};
  };
  std::optional<Last> last_;
  double rate_ = 0;
  bool averaging_ = false;  // false: the next rate is taken as it is
};

// The traffic of all uplinks of the spec.
class TrafficMeter {
 public:
  using Time = RateMeter::Time;

  // Forgets every uplink but these. `window` of the rates; at least a second,
  // since that is how often samples come.
  void Follow(const std::set<std::string>& uplinks, Time window);

  // The uplink's link is that of others too: until the next Follow() it has no
  // bytes and no rates.
  void LinkShared(const std::string& uplink);
  // A sample of an uplink's link; `index` tells links of one name apart.
  void LinkSeen(const std::string& uplink, int index,
                const LinkCounters& counters, Time now);
  // The uplink has no link now: its rates are zero, its bytes stay, and those
  // of its next link are added to them.
  void LinkMissing(const std::string& uplink);
  void ConnectionsSeen(const std::string& uplink, std::uint64_t connections);

  // Counters of the fates given to each uplink, 0 where there is none now. What
  // the kernel counted before the first call is not ours to report.
  void FatesSeen(const std::map<std::string, std::uint64_t>& counters,
                 Time now);

  const std::map<std::string, UplinkTraffic>& traffic() const {
    return traffic_;
  }

 private:
  // The bytes of one direction: of the uplink's first link since it was made,
  // of later ones since they were first seen, so that none makes a leap.
  struct Bytes {
    std::uint64_t counter = 0;  // of the present link, as last seen
    std::uint64_t total = 0;
    RateMeter rate;

    void Sample(std::uint64_t count, Time now, Time window);
  };
  struct Meters {
    int index = 0;  // 0: there was no link yet
    Bytes receive;
    Bytes transmit;
  };
  struct Fates {
    std::uint64_t counter = 0;  // as last seen
    RateMeter rate;             // of new connections
    RateMeter share_rate;       // the same over a longer window
  };
  void UpdateShares();
  Time window_ = std::chrono::seconds(1);
  std::map<std::string, Meters> meters_;
  std::map<std::string, Fates> fates_;
  bool fates_known_ = false;  // FatesSeen() was called
  std::map<std::string, UplinkTraffic> traffic_;
};

// When an expensive look may be taken again: two hundred times as long after it
// as it took, so that it costs at most half a percent of a core, and not before
// `at_least`.
RateMeter::Time NextLook(RateMeter::Time began, RateMeter::Time ended,
                         RateMeter::Time at_least);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TRAFFIC_H_
