#include "reconciler/linux/default_route.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/route.h"

namespace uplinkd {
namespace {

// Destinations to look up; nothing is sent to them. The first is reserved, so
// hardly any main has a longer prefix for it; the others stand in where
// somebody routes (or blackholes) reserved networks.
using Probes = std::array<Address, 3>;
const Probes& ProbesOf(Family family) {
  static const Probes ipv4 = {Address::FromIpv4(0xf0000001),   // 240.0.0.1
                              Address::FromIpv4(0x08080808),   // 8.8.8.8
                              Address::FromIpv4(0xc7000001)};  // 199.0.0.1
  static const Probes ipv6 = {
      Address::FromBytes(Family::kIpv6, {0x40}),               // 4000::
      Address::FromBytes(Family::kIpv6, {0x2a, 0x00, 0x10}),   // 2a00:1000::
      Address::FromBytes(Family::kIpv6, {0x20, 0x01, 0x48})};  // 2001:4800::
  return family == Family::kIpv4 ? ipv4 : ipv6;
}

// What is known of one link's default route.
struct Search {
  Link* link;
  bool hidden = false;  // by a longer prefix, or by a rule for another table
};

// The next hop of `route` on that link, if it is a default route of main.
std::optional<DefaultRoute> AsDefaultRoute(const Route& route,
                                           const std::string& link) {
  if (route.key.table != kMainTable || !route.key.destination.IsDefault()) {
    return std::nullopt;
  }
  const auto hop = std::ranges::find(route.next_hops, link, &NextHop::link);
  if (hop == route.next_hops.end()) return std::nullopt;
  return DefaultRoute{hop->gateway};
}

std::optional<DefaultRoute>& Slot(Link& link, Family family) {
  return family == Family::kIpv4 ? link.default_route : link.default_route6;
}

// Which route would the kernel take to `destination` through that link?
NlRequest EncodeLookup(const Address& destination, int ifindex) {
  rtmsg header = LookupHeader(destination.family());
  // Without FIB_MATCH a link without any route gets an invented answer.
  header.rtm_flags |= RTM_F_FIB_MATCH;
  NlRequest request(RTM_GETROUTE, 0, header);
  PutAddress(request, RTA_DST, destination);
  request.PutU32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
  return request;
}

// Looks up one destination for each search and drops those that are answered.
Result<void> TryDestination(NlSocket& socket, LinkNames& names,
                            const Address& destination,
                            std::vector<Search>& searches) {
  const Family family = destination.family();
  std::vector<NlRequest> requests;
  requests.reserve(searches.size());
  for (const Search& search : searches) {
    requests.push_back(EncodeLookup(destination, search.link->index));
  }
  const std::vector<std::optional<Error>> answers =
      socket.Ask(requests, [&](std::size_t i, nlmsghdr* message) {
        const std::optional<Route> route = DecodeRoute(message, names);
        Link& link = *searches[i].link;
        if (route) Slot(link, family) = AsDefaultRoute(*route, link.name);
        searches[i].hidden |= !Slot(link, family).has_value();
      });
  for (const std::optional<Error>& error : answers) {
    // The other refusals mean: no route, or an unreachable one.
    if (error && error->code == ErrorCode::kAborted) {
      return tl::unexpected(*error);
    }
  }
  std::erase_if(searches, [family](const Search& search) {
    return Slot(*search.link, family).has_value();
  });
  return {};
}

// The slow way: all routes of main through that link.
Result<void> ListRoutes(NlSocket& socket, LinkNames& names, Family family,
                        Link& link) {
  RouteFilter filter;
  filter.family = family;
  filter.table = kMainTable;
  filter.ifindex = link.index;
  const Result<std::vector<Route>> routes = ReadRoutes(socket, names, filter);
  if (!routes) return tl::unexpected(routes.error());
  for (const Route& route : *routes) {
    Slot(link, family) = AsDefaultRoute(route, link.name);
    if (Slot(link, family)) break;
  }
  return {};
}

}  // namespace

Result<void> ReadDefaultRoutes(NlSocket& socket, Family family,
                               const std::set<std::string>& wanted,
                               std::vector<Link>& links) {
  std::vector<Search> searches;
  std::map<int, std::string> known;
  for (Link& link : links) {
    // A link that is down has no routes.
    if (link.up && wanted.contains(link.name)) searches.push_back({&link});
    known.emplace(link.index, link.name);
  }
  LinkNames names(socket, std::move(known));
  for (const Address& destination : ProbesOf(family)) {
    if (Result<void> asked =
            TryDestination(socket, names, destination, searches);
        !asked) {
      return asked;
    }
  }
  for (const Search& search : searches) {
    if (!search.hidden) continue;
    if (Result<void> listed = ListRoutes(socket, names, family, *search.link);
        !listed) {
      return listed;
    }
  }
  return {};
}

std::optional<Address> DecodeSourceInMain(nlmsghdr* message, Family family) {
  std::optional<Address> source;
  std::uint32_t table = 0;
  nlattr* attribute = nullptr;
  int left = 0;
  nla_for_each_attr(attribute, nlmsg_attrdata(message, sizeof(rtmsg)),
                    nlmsg_attrlen(message, sizeof(rtmsg)), left) {
    if (nla_type(attribute) == RTA_TABLE) table = DecodeU32(attribute);
    if (nla_type(attribute) == RTA_PREFSRC) {
      source = DecodeAddress(attribute, family);
    }
  }
  return table == kMainTable ? source : std::nullopt;
}

Result<std::optional<Address>> ReadDefaultSource(NlSocket& socket,
                                                 Family family) {
  for (const Address& destination : ProbesOf(family)) {
    NlRequest request(RTM_GETROUTE, 0, LookupHeader(family));
    PutAddress(request, RTA_DST, destination);
    std::optional<Address> source;
    const Result<void> asked =
        socket.Get(request, [&source, family](nlmsghdr* message) {
          source = DecodeSourceInMain(message, family);
        });
    // The other refusals mean: no route, or an unreachable one.
    if (!asked && asked.error().code == ErrorCode::kAborted) {
      return tl::unexpected(asked.error());
    }
    if (source) return source;
  }
  return std::nullopt;
}

}  // namespace uplinkd
