// TrafficRule: which policy a new connection is under, by what it is like.
#ifndef UPLINKD_RECONCILER_TRAFFIC_H_
#define UPLINKD_RECONCILER_TRAFFIC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/ip.h"

namespace uplinkd {

inline constexpr std::size_t kMaxTrafficRules = 1000;
inline constexpr std::size_t kMaxMatchValues = 256;  // of one list

// Inclusive on both sides; 0 is a port.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend auto operator<=>(const PortRange&, const PortRange&) = default;
};

using MacAddress = std::array<std::uint8_t, 6>;

// What a connection's first packet must be like: each field that is given must
// hold, and of a list any one value. An empty one holds for every packet.
struct TrafficMatch {
  std::optional<std::uint8_t> protocol;  // IPPROTO_*
  std::vector<Prefix> source;
  std::vector<Prefix> destination;
  std::vector<PortRange> source_ports;
  std::vector<PortRange> destination_ports;
  std::string interface;  // that it comes in by; "" for any
  std::vector<std::uint8_t> dscp;
  std::vector<MacAddress> source_mac;

  friend auto operator<=>(const TrafficMatch&, const TrafficMatch&) = default;
};

struct TrafficRule {
  std::string name;
  TrafficMatch match;
  // Each field that is given must not hold: none of a list's values.
  TrafficMatch except;
  // The name of a policy or an uplink, kBalance, or kUseMain.
  std::string use;

  friend auto operator<=>(const TrafficRule&, const TrafficRule&) = default;
};

// The `use` that leaves a connection to main.
inline constexpr char kUseMain[] = "main";

// Whether `protocol` has ports, so that they can be matched (those of
// xt_multiport: tcp, udp, udplite, sctp, dccp).
bool HasPorts(std::uint8_t protocol);

// Whether every connection that `b` holds for is one that `a` holds for. A
// false is no proof of the contrary.
bool Covers(const TrafficRule& a, const TrafficRule& b);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_TRAFFIC_H_
