// Sampler: takes the samples that a TrafficMeter computes with.
//
// Link counters at every look; connections less often, and the less the larger
// the conntrack table is, since the kernel walks all of it to count them; still
// less while as many entries exist as before and no fate was given since. In
// between they are estimated from the fates given, the connections cut and the
// entries that are left. That is a guess where much went by itself, and where
// connections were cut others follow: then they are counted sooner. What cannot
// be read is left as it was. For the thread that owns the host.
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
  // Not sooner, whatever the reason.
  static constexpr std::chrono::seconds kHurriedConnectionsEvery{1};

  explicit Sampler(MonotonicClock now) : now_(std::move(now)) {}

  // Another spec is followed from now on.
  void Follow(const Spec& spec);

  // `links`: uplink -> ifindex, 0 where there is no link.
  void Look(Host& host, const std::map<std::string, int>& links);

  // How many fates were given, by mark, as a pass read them.
  void FatesSeen(const std::map<Mark, std::uint64_t>& given);

  // So many connections of this mark were cut. They are not told of any more,
  // and the next look counts what is there, unless another did so just now.
  void NoteCut(const Mark& mark, std::uint64_t connections);

  // Uplinks on which new connections get no answer, as of the last look at the
  // connections: at least half of those that came since the look before it.
  // Empty if the last call of Look() did not look at them.
  const std::set<std::string>& suspects() const { return suspects_; }

  const TrafficMeter& meter() const { return meter_; }
  const ConntrackUsage& conntrack() const { return conntrack_; }

 private:
  void LookAtConnections(Host& host);
  void TakeOver(const ConnectionCounts& counts, RateMeter::Time at);
  std::uint64_t Estimate();
  void Suspect(const ConnectionCounts& counts);
  bool ConnectionsAreDue(std::uint64_t gone) const;

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
    // Since then.
    std::map<Mark, std::uint64_t> came = {};
    std::map<Mark, std::uint64_t> cut = {};
  };
  std::optional<Counted> counted_;
  std::set<std::string> suspects_;
  bool was_cut_ = false;  // something, since the last count
  // When they may be counted: as usual, since something was cut, and since much
  // is gone.
  RateMeter::Time next_connections_{};
  RateMeter::Time next_after_cut_{};
  RateMeter::Time next_after_loss_{};
  ConntrackUsage conntrack_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SAMPLER_H_
