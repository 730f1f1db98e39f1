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
constexpr std::array<std::uint32_t, 3> kProbes = {0xf0000001,   // 240.0.0.1
                                                  0x08080808,   // 8.8.8.8
                                                  0xc7000001};  // 199.0.0.1

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

// Which route would the kernel take to `destination` through that link?
NlRequest EncodeLookup(std::uint32_t destination, int ifindex) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 32;
  // Without FIB_MATCH a link without any route gets an invented answer.
  header.rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
  NlRequest request(RTM_GETROUTE, 0, header);
  PutAddress(request, RTA_DST, Address::FromIpv4(destination));
  request.PutU32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
  return request;
}

// Looks up one destination for each search and drops those that are answered.
Result<void> TryDestination(NlSocket& socket, LinkNames& names,
                            std::uint32_t destination,
                            std::vector<Search>& searches) {
  std::vector<NlRequest> requests;
  requests.reserve(searches.size());
  for (const Search& search : searches) {
    requests.push_back(EncodeLookup(destination, search.link->index));
  }
  const std::vector<std::optional<Error>> answers =
      socket.Ask(requests, [&](std::size_t i, nlmsghdr* message) {
        const std::optional<Route> route = DecodeRoute(message, names);
        Link& link = *searches[i].link;
        if (route) link.default_route = AsDefaultRoute(*route, link.name);
        searches[i].hidden |= !link.default_route.has_value();
      });
  for (const std::optional<Error>& error : answers) {
    // The other refusals mean: no route, or an unreachable one.
    if (error && error->code == ErrorCode::kAborted) {
      return tl::unexpected(*error);
    }
  }
  std::erase_if(searches, [](const Search& search) {
    return search.link->default_route.has_value();
  });
  return {};
}

// The source address in an answer about a route of main.
std::optional<Address> SourceInMain(nlmsghdr* message) {
  std::optional<Address> source;
  std::uint32_t table = 0;
  nlattr* attribute = nullptr;
  int left = 0;
  nla_for_each_attr(attribute, nlmsg_attrdata(message, sizeof(rtmsg)),
                    nlmsg_attrlen(message, sizeof(rtmsg)), left) {
    if (nla_type(attribute) == RTA_TABLE) table = nla_get_u32(attribute);
    if (nla_type(attribute) == RTA_PREFSRC) {
      source = DecodeAddress(attribute, Family::kIpv4);
    }
  }
  return table == kMainTable ? source : std::nullopt;
}

// The slow way: all routes of main through that link.
Result<void> ListRoutes(NlSocket& socket, LinkNames& names, Link& link) {
  RouteFilter filter;
  filter.table = kMainTable;
  filter.ifindex = link.index;
  const Result<std::vector<Route>> routes = ReadRoutes(socket, names, filter);
  if (!routes) return tl::unexpected(routes.error());
  for (const Route& route : *routes) {
    link.default_route = AsDefaultRoute(route, link.name);
    if (link.default_route) break;
  }
  return {};
}

}  // namespace

Result<void> ReadDefaultRoutes(NlSocket& socket,
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
  for (const std::uint32_t destination : kProbes) {
    if (Result<void> asked =
            TryDestination(socket, names, destination, searches);
        !asked) {
      return asked;
    }
  }
  for (const Search& search : searches) {
    if (!search.hidden) continue;
    if (Result<void> listed = ListRoutes(socket, names, *search.link);
        !listed) {
      return listed;
    }
  }
  return {};
}

Result<std::optional<Address>> ReadDefaultSource(NlSocket& socket) {
  for (const std::uint32_t destination : kProbes) {
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_dst_len = 32;
    header.rtm_flags = RTM_F_LOOKUP_TABLE;
    NlRequest request(RTM_GETROUTE, 0, header);
    PutAddress(request, RTA_DST, Address::FromIpv4(destination));
    std::optional<Address> source;
    const Result<void> asked = socket.Get(
        request,
        [&source](nlmsghdr* message) { source = SourceInMain(message); });
    // The other refusals mean: no route, or an unreachable one.
    if (!asked && asked.error().code == ErrorCode::kAborted) {
      return tl::unexpected(asked.error());
    }
    if (source) return source;
  }
  return std::nullopt;
}

}  // namespace uplinkd
