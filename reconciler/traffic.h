// TrafficRule: which policy a new connection is under, by what it is like.
#ifndef UPLINKD_RECONCILER_TRAFFIC_H_
#define UPLINKD_RECONCILER_TRAFFIC_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/ip.h"
#include "reconciler/mark.h"

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

// Inclusive on both sides.
struct UidRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  friend auto operator<=>(const UidRange&, const UidRange&) = default;
};

// Whose connections share one budget.
enum class LimitKey { kAll, kSource, kDestination, kSourceDestination };

// At most `count` new connections per `unit`, and `burst` at once. The kernel's
// words for a unit are second, minute, hour and day.
struct RateLimit {
  std::uint32_t count = 0;
  std::chrono::seconds unit{1};
  std::uint32_t burst = 5;
  LimitKey per = LimitKey::kAll;

  friend auto operator<=>(const RateLimit&, const RateLimit&) = default;
};
inline constexpr std::uint32_t kMaxLimit = 1000;  // exact in xt_hashlimit
inline constexpr std::uint32_t kMaxBurst = 10000;

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
  // Names of ipsets that hold the address; "" for any.
  std::string source_set;
  std::string destination_set;
  // Of bits that other programs set; none of them is ours.
  std::optional<Mark> mark;
  std::optional<Mark> connmark;
  std::optional<RateLimit> limit;  // holds while the budget lasts
  // Who opened it. Such a rule is for the router's own connections alone, one
  // without it for those of the LANs alone.
  std::vector<UidRange> uid;

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

// The names of the ipsets that the rule asks.
std::set<std::string> IpsetsOf(const TrafficRule& rule);

// Whether the rule is for the router's own connections.
bool IsLocal(const TrafficRule& rule);

// https://www.iana.org/assignments/protocol-numbers
inline constexpr std::uint8_t kIcmp = 1;  // of a rule: in IPv6, kIcmpv6
inline constexpr std::uint8_t kIcmpv6 = 58;

// Whether `protocol` has ports, so that they can be matched (those of
// xt_multiport: tcp, udp, udplite, sctp, dccp).
bool HasPorts(std::uint8_t protocol);

// Whether every connection that `b` holds for is one that `a` holds for. A
// false is no proof of the contrary.
bool Covers(const TrafficRule& a, const TrafficRule& b);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_TRAFFIC_H_
