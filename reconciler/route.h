// Route and PolicyRule: the objects of policy routing, as plain values.
//
// The shared tongue of desired and observed. A field that the kernel compares
// and that these values do not model is kept as text in `extra`, so that an
// object with such a field never equals one of ours by accident.
// Links are named, not numbered: the kernel edge translates both ways.
#ifndef UPLINKD_RECONCILER_ROUTE_H_
#define UPLINKD_RECONCILER_ROUTE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/ip.h"
#include "reconciler/mark.h"
#include "reconciler/ownership.h"

namespace uplinkd {

// RT_TABLE_MAIN (linux/rtnetlink.h).
inline constexpr std::uint32_t kMainTable = 254;
// The metric of the route that ends each uplink table.
inline constexpr std::uint32_t kFloorMetric = 4294967295;

// The metric of a route for which nobody asks for one. In IPv6 the kernel makes
// 1024 of none (IP6_RT_PRIO_USER in net/ipv6.h), so we say it.
constexpr std::uint32_t UsualMetric(Family family) {
  return family == Family::kIpv4 ? 0 : 1024;
}

// The kernel's identity of a route: two routes with one key cannot coexist
// (fib_table_insert in net/ipv4/fib_trie.c, without NLM_F_APPEND).
struct RouteKey {
  std::uint32_t table = kMainTable;
  Prefix destination;  // carries the family
  std::uint8_t tos = 0;
  std::uint32_t metric = 0;  // ip(8)'s word; RTA_PRIORITY

  friend auto operator<=>(const RouteKey&, const RouteKey&) = default;
};

enum class RouteType { kUnicast, kUnreachable, kBlackhole, kOther };

struct NextHop {
  std::string link;
  std::optional<Address> gateway;  // none: on-link
  std::uint32_t weight = 1;        // 1..256; 1 for a single next hop
  bool onlink = false;             // RTNH_F_ONLINK: do not check the gateway

  friend auto operator<=>(const NextHop&, const NextHop&) = default;
};

struct Route {
  RouteKey key;
  RouteType type = RouteType::kUnicast;
  std::uint8_t protocol = kProtocol;
  bool link_scope = false;                  // RT_SCOPE_LINK, else universe
  std::optional<Address> preferred_source;  // RTA_PREFSRC
  std::vector<NextHop> next_hops;           // empty unless unicast
  std::string extra;  // attributes not modelled here, for people; ours: ""

  friend auto operator<=>(const Route&, const Route&) = default;
};

// What a packet gets that an ip rule matches (FR_ACT_TO_TBL and its siblings,
// linux/fib_rules.h).
enum class RuleAction { kLookup, kUnreachable, kBlackhole };

// One ip rule. All of it is its identity (the kernel has no key for rules).
struct PolicyRule {
  std::uint32_t priority = 0;
  Family family = Family::kIpv4;
  std::optional<Prefix> source;
  std::string in_interface;  // "" for any
  std::optional<Mark> mark;
  RuleAction action = RuleAction::kLookup;
  std::uint32_t table = kMainTable;  // 0 (RT_TABLE_UNSPEC) without a lookup
  std::optional<std::uint32_t> suppress_prefix_length;
  std::uint8_t protocol = kProtocol;  // FRA_PROTOCOL
  std::string extra;  // attributes not modelled here, for people; ours: ""

  friend auto operator<=>(const PolicyRule&, const PolicyRule&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_ROUTE_H_
