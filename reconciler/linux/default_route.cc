#include "reconciler/linux/default_route.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/route.h"

namespace uplinkd {
namespace {

// Destinations to look up; nothing is sent to them. The first is reserved, so
// hardly any main has a longer prefix for it; the others stand in where
// somebody routes (or blackholes) reserved networks.
constexpr std::array<std::uint32_t, 3> kProbes = {0xf0000001,   // 240.0.0.1
                                                  0x08080808,   // 8.8.8.8
                                                  0xc7000001};  // 199.0.0.1

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

// The route that the kernel would take to `destination` through that link.
// kUnavailable and the like: none.
Result<std::optional<Route>> LookUp(NlSocket& socket, LinkNames& names,
                                    std::uint32_t destination, int ifindex) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 32;
  // Without FIB_MATCH a link without any route gets an invented answer.
  header.rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
  NlRequest request(RTM_GETROUTE, 0, header);
  PutAddress(request, RTA_DST, Address::FromIpv4(destination));
  request.PutU32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
  std::optional<Route> route;
  const Result<void> asked = socket.Get(
      request, [&](nlmsghdr* message) { route = DecodeRoute(message, names); });
  if (!asked) return tl::unexpected(asked.error());
  return route;
}

// The slow way: all routes of main through that link.
Result<std::optional<DefaultRoute>> Search(NlSocket& socket, LinkNames& names,
                                           const std::string& link) {
  RouteFilter filter;
  filter.table = kMainTable;
  filter.ifindex = names.IndexOf(link);
  const Result<std::vector<Route>> routes = ReadRoutes(socket, names, filter);
  if (!routes) return tl::unexpected(routes.error());
  for (const Route& route : *routes) {
    if (const auto found = AsDefaultRoute(route, link)) return found;
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<DefaultRoute>> ReadDefaultRoute(NlSocket& socket,
                                                     LinkNames& names,
                                                     const std::string& link) {
  const int ifindex = names.IndexOf(link);
  bool hidden = false;
  for (const std::uint32_t probe : kProbes) {
    const Result<std::optional<Route>> route =
        LookUp(socket, names, probe, ifindex);
    if (!route && route.error().code == ErrorCode::kAborted) {
      return tl::unexpected(route.error());
    }
    // No route (or an unreachable one) for this probe; the next may differ.
    if (!route || !*route) continue;
    if (const auto found = AsDefaultRoute(**route, link)) return found;
    hidden = true;  // by a longer prefix, or by a rule for another table
  }
  if (hidden) return Search(socket, names, link);
  return std::nullopt;
}

}  // namespace uplinkd
