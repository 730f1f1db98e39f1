#include "agent/traffic.h"

#include <algorithm>
#include <cmath>

namespace uplinkd {

void RateMeter::Sample(std::uint64_t count, Time now, Time window) {
  const std::optional<Last> before = last_;
  if (before && now <= before->at) return;
  last_ = Last{count, now};
  if (!before || count < before->count) {
    rate_ = 0;
    averaging_ = false;
    return;
  }
  const double seconds =
      std::chrono::duration<double>(now - before->at).count();
  const double rate = static_cast<double>(count - before->count) / seconds;
  const double weight =
      averaging_ ? 1 - std::exp(-seconds /
                                std::chrono::duration<double>(window).count())
                 : 1;
  averaging_ = true;
  rate_ += weight * (rate - rate_);
}

void TrafficMeter::Follow(const std::set<std::string>& uplinks, Time window) {
  window_ = std::max<Time>(window, std::chrono::seconds(1));
  const auto gone = [&](const auto& entry) {
    return !uplinks.contains(entry.first);
  };
  std::erase_if(meters_, gone);
  std::erase_if(traffic_, gone);
  for (const std::string& uplink : uplinks) traffic_.try_emplace(uplink);
}

void TrafficMeter::LinkSeen(const std::string& uplink, int index,
                            const LinkCounters& counters, Time now) {
  const auto traffic = traffic_.find(uplink);
  if (traffic == traffic_.end()) return;
  Meters& meters = meters_[uplink];
  if (meters.index != index) meters = Meters{index, {}, {}};
  meters.receive.Sample(counters.receive_bytes, now, window_);
  meters.transmit.Sample(counters.transmit_bytes, now, window_);
  traffic->second.receive_bytes = counters.receive_bytes;
  traffic->second.transmit_bytes = counters.transmit_bytes;
  traffic->second.receive_bytes_per_second = meters.receive.per_second();
  traffic->second.transmit_bytes_per_second = meters.transmit.per_second();
}

void TrafficMeter::LinkMissing(const std::string& uplink) {
  meters_.erase(uplink);
  const auto traffic = traffic_.find(uplink);
  if (traffic == traffic_.end()) return;
  traffic->second.receive_bytes_per_second = 0;
  traffic->second.transmit_bytes_per_second = 0;
}

void TrafficMeter::ConnectionsSeen(const std::string& uplink,
                                   std::uint64_t connections) {
  const auto traffic = traffic_.find(uplink);
  if (traffic != traffic_.end()) traffic->second.connections = connections;
}

RateMeter::Time NextLook(RateMeter::Time began, RateMeter::Time ended,
                         RateMeter::Time at_least) {
  return ended + std::max(at_least, 100 * (ended - began));
}

}  // namespace uplinkd
