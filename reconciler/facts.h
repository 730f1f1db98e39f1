// Facts: what the host is like right now, as far as a spec asks about it.
//
// Read from the kernel by Kernel::ReadFacts(), never written. Only what a
// FactsScope asks for appears; a link that does not exist is simply absent.
#ifndef UPLINKD_RECONCILER_FACTS_H_
#define UPLINKD_RECONCILER_FACTS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/health.h"
#include "reconciler/ip.h"
#include "reconciler/latency.h"
#include "reconciler/load.h"

namespace uplinkd {

// One address of a link (rtnetlink's IFA_LOCAL and IFA_ADDRESS).
struct LinkAddress {
  Address local;
  Prefix network;               // the connected network; a /32 if none
  std::optional<Address> peer;  // point-to-point links only
  // IPv6: false for a deprecated or a temporary one, which new connections of
  // ours had better not begin with. (One that is tentative is not listed.)
  bool preferred = true;

  friend auto operator<=>(const LinkAddress&, const LinkAddress&) = default;
};

// The default route of `main` through a link, however it came to be there
// (DHCP client, PPP daemon, router advertisement, operator).
struct DefaultRoute {
  std::optional<Address> gateway;  // none: the link itself (point-to-point)

  friend auto operator<=>(const DefaultRoute&, const DefaultRoute&) = default;
};

struct Link {
  std::string name;
  int index = 0;
  bool up = false;                     // IFF_UP: the administrator's word
  bool carrier = false;                // IFF_LOWER_UP: the line's word
  bool point_to_point = false;         // IFF_POINTOPOINT
  std::vector<LinkAddress> addresses;  // kernel order, primary ones first
  std::optional<DefaultRoute> default_route;   // IPv4
  std::optional<DefaultRoute> default_route6;  // IPv6
  int rp_filter = 0;  // the effective value: max of "all" and the link's own
  bool src_valid_mark = false;  // effective too: "all" or the link's own

  friend auto operator<=>(const Link&, const Link&) = default;
};

// What to ask: each answer costs the kernel a lookup, in every pass.
struct FactsScope {
  std::set<std::string> links;
  // Those of `links` whose default route in `main` matters.
  std::set<std::string> default_routes;
  bool default_source = false;
  std::set<std::string> ipsets;
  // The same in IPv6, and its addresses.
  bool ipv6 = false;
  std::set<std::string> default_routes6;

  friend auto operator<=>(const FactsScope&, const FactsScope&) = default;
};

// The default route of `link` in that family.
inline const std::optional<DefaultRoute>& DefaultRouteOf(const Link& link,
                                                         Family family) {
  return family == Family::kIpv4 ? link.default_route : link.default_route6;
}

// An uplink as far as it carries one family. Where the name alone stands for
// it, IPv4 is meant.
struct UplinkPart {
  // NOLINTNEXTLINE(google-explicit-constructor)
  UplinkPart(std::string name, Family part = Family::kIpv4)
      : uplink(std::move(name)), family(part) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  UplinkPart(const char* name) : uplink(name) {}

  std::string uplink;
  Family family = Family::kIpv4;

  friend auto operator<=>(const UplinkPart&, const UplinkPart&) = default;
};

// Uplinks that the kernel refused, with its words.
using BlockedParts = std::map<UplinkPart, std::string>;

struct Facts {
  std::map<std::string, Link> links;  // by name
  // The source address of a connection of the router's own that is bound to
  // none and goes by main's default route; none: there is no such route.
  std::optional<Address> default_source;   // IPv4
  std::optional<Address> default_source6;  // IPv6
  // The ipsets that exist, of those that the spec names.
  std::set<std::string> ipsets;
  // Uplinks that the kernel refused in an earlier pass, with its words; Compile
  // treats them as waiting. Filled by the caller, not by ReadFacts().
  BlockedParts blocked;
  // What least-connections levels out. Filled by the caller as well.
  Loads loads;
  // Whom lowest-latency prefers, by the policy's name. A policy that is absent
  // goes by its order. Filled by the caller as well.
  Rankings rankings;
  // Uplinks that an operator drains apart from the spec, each with a sentence
  // that says until when. Filled by the caller as well.
  std::map<std::string, std::string> draining;
  // What probes say of uplinks. One that is absent is not probed, or has no
  // verdict yet. Filled by the caller as well.
  std::map<std::string, HealthVerdict> health;

  friend auto operator<=>(const Facts&, const Facts&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_FACTS_H_
