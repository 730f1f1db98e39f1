// Sampler: takes the samples that a TrafficMeter computes with.
//
// Link counters at every look; connections less often, and the less the larger
// the conntrack table is, since the kernel walks all of it to count them; still
// less while as many entries exist as before and no fate was given since. In
// between they are estimated from the fates given and the entries that are
// left. What cannot be read is left as it was. For the thread that owns the
// host.
#ifndef UPLINKD_AGENT_SAMPLER_H_
#define UPLINKD_AGENT_SAMPLER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/host.h"
#include "agent/traffic.h"
#include "reconciler/reconcile.h"
#include "reconciler/spec.h"

namespace uplinkd {

class Sampler {
 public:
  static constexpr std::chrono::seconds kConnectionsEvery{5};
  // While no connection seems to have come or gone.
  static constexpr std::chrono::seconds kQuietConnectionsEvery{60};

  explicit Sampler(MonotonicClock now) : now_(std::move(now)) {}

  // Another spec is followed from now on.
  void Follow(const Spec& spec);

  // `links`: uplink -> ifindex, 0 where there is no link.
  void Look(Host& host, const std::map<std::string, int>& links);

  // How many fates were given, by mark, as a pass read them.
  void FatesSeen(const std::map<Mark, std::uint64_t>& given);

  // Uplinks on which new connections get no answer, as of the last look at the
  // connections: at least half of those that came since the look before it.
  // Empty if the last call of Look() did not look at them.
  const std::set<std::string>& suspects() const { return suspects_; }

  const TrafficMeter& meter() const { return meter_; }
  const ConntrackUsage& conntrack() const { return conntrack_; }

 private:
  void LookAtConnections(Host& host);
  void TakeOver(const ConnectionCounts& counts, RateMeter::Time at);
  void Estimate();
  void Suspect(const ConnectionCounts& counts);
  bool ConnectionsAreDue() const;

  MonotonicClock now_;
  TrafficMeter meter_;
  std::uint32_t mask_ = 0;
  std::map<std::string, Mark> marks_;    // by uplink
  std::map<Mark, std::uint64_t> fates_;  // as of the last pass
  struct Counted {                       // as it was at the last count
    RateMeter::Time at{};
    std::uint64_t entries = 0;
    std::map<Mark, std::uint64_t> fates;
    ConnectionCounts connections;
  };
  std::optional<Counted> counted_;
  std::set<std::string> suspects_;
  RateMeter::Time next_connections_{};
  ConntrackUsage conntrack_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SAMPLER_H_
