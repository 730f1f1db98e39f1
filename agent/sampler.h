// Sampler: takes the samples that a TrafficMeter computes with.
//
// Link counters at every look; connections less often, and the less the larger
// the conntrack table is. What cannot be read is left as it was. For the
// thread that owns the host.
#ifndef UPLINKD_AGENT_SAMPLER_H_
#define UPLINKD_AGENT_SAMPLER_H_

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "agent/host.h"
#include "agent/traffic.h"
#include "reconciler/reconcile.h"
#include "reconciler/spec.h"

namespace uplinkd {

class Sampler {
 public:
  static constexpr std::chrono::seconds kConnectionsEvery{5};

  explicit Sampler(MonotonicClock now) : now_(std::move(now)) {}

  // Another spec is followed from now on.
  void Follow(const Spec& spec);

  // `links`: uplink -> ifindex, 0 where there is no link.
  void Look(Host& host, const std::map<std::string, int>& links);

  // How many fates were given, by mark, as a pass read them.
  void FatesSeen(const std::map<Mark, std::uint64_t>& given);

  const TrafficMeter& meter() const { return meter_; }
  const ConntrackUsage& conntrack() const { return conntrack_; }

 private:
  void LookAtConnections(Host& host);

  MonotonicClock now_;
  TrafficMeter meter_;
  std::uint32_t mask_ = 0;
  std::map<std::string, Mark> marks_;  // by uplink
  RateMeter::Time next_connections_{};
  ConntrackUsage conntrack_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SAMPLER_H_
