#include "agent/traffic.h"

#include <algorithm>
#include <cmath>

namespace uplinkd {
namespace {

// What "recently" means for the achieved shares.
constexpr std::chrono::seconds kShareWindow{30};
// Connections per second below which there is no share to speak of.
constexpr double kNoConnections = 1e-6;

}  // namespace

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

// A counter that went back began at 0.
void TrafficMeter::Bytes::Sample(std::uint64_t count, Time now, Time window) {
  total += count < counter ? count : count - counter;
  counter = count;
  rate.Sample(count, now, window);
}

void TrafficMeter::Follow(const std::set<std::string>& uplinks, Time window) {
  window_ = std::max<Time>(window, std::chrono::seconds(1));
  const auto gone = [&](const auto& entry) {
    return !uplinks.contains(entry.first);
  };
  std::erase_if(meters_, gone);
  std::erase_if(traffic_, gone);
  std::erase_if(fates_, gone);
  for (const std::string& uplink : uplinks) {
    std::optional<LinkTraffic>& link = traffic_[uplink].link;
    if (!link) link.emplace();
  }
}

void TrafficMeter::LinkShared(const std::string& uplink) {
  meters_.erase(uplink);
  const auto traffic = traffic_.find(uplink);
  if (traffic != traffic_.end()) traffic->second.link.reset();
}

void TrafficMeter::LinkSeen(const std::string& uplink, int index,
                            const LinkCounters& counters, Time now) {
  const auto traffic = traffic_.find(uplink);
  if (traffic == traffic_.end() || !traffic->second.link) return;
  Meters& meters = meters_[uplink];
  if (meters.index != index) {
    if (meters.index != 0) {
      meters.receive = {counters.receive_bytes, meters.receive.total, {}};
      meters.transmit = {counters.transmit_bytes, meters.transmit.total, {}};
    }
    meters.index = index;
  }
  meters.receive.Sample(counters.receive_bytes, now, window_);
  meters.transmit.Sample(counters.transmit_bytes, now, window_);
  traffic->second.link = {meters.receive.total, meters.transmit.total,
                          meters.receive.rate.per_second(),
                          meters.transmit.rate.per_second()};
}

void TrafficMeter::LinkMissing(const std::string& uplink) {
  if (const auto meters = meters_.find(uplink); meters != meters_.end()) {
    meters->second.receive.rate = {};
    meters->second.transmit.rate = {};
  }
  const auto traffic = traffic_.find(uplink);
  if (traffic == traffic_.end() || !traffic->second.link) return;
  traffic->second.link->receive_bytes_per_second = 0;
  traffic->second.link->transmit_bytes_per_second = 0;
}

void TrafficMeter::ConnectionsSeen(const std::string& uplink,
                                   std::uint64_t connections) {
  const auto traffic = traffic_.find(uplink);
  if (traffic != traffic_.end()) traffic->second.connections = connections;
}

void TrafficMeter::FatesSeen(
    const std::map<std::string, std::uint64_t>& counters, Time now) {
  for (const auto& [uplink, counter] : counters) {
    const auto traffic = traffic_.find(uplink);
    if (traffic == traffic_.end()) continue;
    Fates& fates = fates_[uplink];
    if (fates_known_) {
      // A counter that went back belongs to a new chain, which began at 0.
      traffic->second.new_connections +=
          counter < fates.counter ? counter : counter - fates.counter;
    }
    fates.counter = counter;
    fates.rate.Sample(traffic->second.new_connections, now, window_);
    fates.share_rate.Sample(traffic->second.new_connections, now, kShareWindow);
    traffic->second.new_connections_per_second = fates.rate.per_second();
  }
  fates_known_ = true;
  UpdateShares();
}

void TrafficMeter::UpdateShares() {
  double sum = 0;
  for (const auto& [uplink, fates] : fates_) {
    sum += fates.share_rate.per_second();
  }
  for (const auto& [uplink, fates] : fates_) {
    traffic_[uplink].achieved_share =
        sum > kNoConnections ? fates.share_rate.per_second() / sum : 0;
  }
}

RateMeter::Time NextLook(RateMeter::Time began, RateMeter::Time ended,
                         RateMeter::Time at_least) {
  return ended + std::max(at_least, 200 * (ended - began));
}

}  // namespace uplinkd
