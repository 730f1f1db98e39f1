#include "reconciler/linux/route.h"

#include <linux/icmpv6.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"

namespace uplinkd {
namespace {

// Flags of a next hop that are part of the configuration. The others (dead,
// link down, offloaded) are its present condition and no difference.
constexpr unsigned kModelledFlags = RTNH_F_ONLINK;
constexpr unsigned kUnmodelledFlags = RTNH_F_PERVASIVE;

std::string AttributeName(int type) {
  switch (type) {
    case RTA_METRICS: return "metrics";
    case RTA_FLOW: return "realm";
    case RTA_ENCAP_TYPE: return "encap-type";
    case RTA_ENCAP: return "encap";
    case RTA_NH_ID: return "nexthop-id";
    case RTA_SRC: return "from";
    case RTA_PREF: return "preference";
    default: return "attribute-" + std::to_string(type);
  }
}

// ---- decoding ----

// RTA_VIA: a gateway of another family than the route's.
std::optional<Address> DecodeVia(const nlattr* attribute) {
  rtvia header{};
  if (nla_len(attribute) < static_cast<int>(sizeof(header))) return {};
  std::memcpy(&header, nla_data(attribute), sizeof(header));
  const std::optional<Family> family = FamilyOf(header.rtvia_family);
  if (!family) return std::nullopt;
  const std::size_t size = static_cast<std::size_t>(FamilyBits(*family)) / 8;
  if (nla_len(attribute) < static_cast<int>(sizeof(header) + size)) return {};
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(),
              static_cast<const char*>(nla_data(attribute)) + sizeof(header),
              size);
  return Address::FromBytes(*family, bytes);
}

// True if the attribute belongs to a next hop and was understood.
bool DecodeGateway(const nlattr* attribute, Family family, NextHop& hop) {
  switch (nla_type(attribute)) {
    case RTA_GATEWAY: hop.gateway = DecodeAddress(attribute, family); break;
    case RTA_VIA: hop.gateway = DecodeVia(attribute); break;
    default: return false;
  }
  return hop.gateway.has_value();
}

void DecodeFlags(unsigned flags, NextHop& hop, std::string& extra) {
  hop.onlink = (flags & kModelledFlags) != 0;
  if ((flags & kUnmodelledFlags) != 0) {
    AppendUnknown(extra, "next-hop-flags", flags & kUnmodelledFlags);
  }
}

// False: a link of it is gone.
bool DecodeNextHops(const nlattr* attribute, LinkNames& names, Route& route) {
  const auto* position = static_cast<const char*>(nla_data(attribute));
  int rest = nla_len(attribute);
  while (rest >= static_cast<int>(sizeof(rtnexthop))) {
    rtnexthop header{};
    std::memcpy(&header, position, sizeof(header));
    const int size = header.rtnh_len;
    if (size < static_cast<int>(sizeof(header)) || size > rest) break;
    NextHop hop;
    hop.link = names.NameOf(header.rtnh_ifindex);
    hop.weight = header.rtnh_hops + 1U;
    DecodeFlags(header.rtnh_flags, hop, route.extra);
    std::vector<char> nest(position + sizeof(header), position + size);
    nlattr* inner = nullptr;
    int left = 0;
    nla_for_each_attr(inner, reinterpret_cast<nlattr*>(nest.data()),
                      static_cast<int>(nest.size()), left) {
      if (!DecodeGateway(inner, route.key.destination.family(), hop)) {
        AppendUnknown(route.extra, AttributeName(nla_type(inner)), inner);
      }
    }
    if (hop.link.empty()) return false;
    route.next_hops.push_back(std::move(hop));
    position += RTNH_ALIGN(size);
    rest -= static_cast<int>(RTNH_ALIGN(size));
  }
  return true;
}

RouteType DecodeType(const rtmsg& header, std::string& extra) {
  switch (header.rtm_type) {
    case RTN_UNICAST: return RouteType::kUnicast;
    case RTN_UNREACHABLE: return RouteType::kUnreachable;
    case RTN_BLACKHOLE: return RouteType::kBlackhole;
    default:
      AppendUnknown(extra, "type", header.rtm_type);
      return RouteType::kOther;
  }
}

Route DecodeHeader(const rtmsg& header) {
  Route route;
  route.key.table = header.rtm_table;
  route.key.tos = header.rtm_tos;
  route.protocol = header.rtm_protocol;
  route.type = DecodeType(header, route.extra);
  route.link_scope = header.rtm_scope == RT_SCOPE_LINK;
  if (!route.link_scope && header.rtm_scope != RT_SCOPE_UNIVERSE) {
    AppendUnknown(route.extra, "scope", header.rtm_scope);
  }
  return route;
}

// The single next hop of a route, as it is spread over the attributes.
struct SingleHop {
  NextHop hop;
  int ifindex = 0;
};

// False: a link of it is gone.
bool DecodeAttribute(const nlattr* attribute, LinkNames& names,
                     const rtmsg& header, SingleHop& single, Route& route) {
  const Family family = route.key.destination.family();
  switch (nla_type(attribute)) {
    case RTA_DST:
      route.key.destination =
          Prefix(DecodeAddress(attribute, family), header.rtm_dst_len);
      return true;
    case RTA_TABLE: route.key.table = DecodeU32(attribute); return true;
    case RTA_PRIORITY: route.key.metric = DecodeU32(attribute); return true;
    case RTA_PREFSRC:
      route.preferred_source = DecodeAddress(attribute, family);
      return true;
    case RTA_OIF:
      single.ifindex = static_cast<int>(DecodeU32(attribute));
      return true;
    case RTA_MULTIPATH: return DecodeNextHops(attribute, names, route);
    // The cache's, not the route's.
    case RTA_CACHEINFO: return true;
    // Every IPv6 route has one; medium is none.
    case RTA_PREF:
      if (DecodeU8(attribute) == ICMPV6_ROUTER_PREF_MEDIUM) return true;
      break;
    default: break;
  }
  if (!DecodeGateway(attribute, family, single.hop)) {
    AppendUnknown(route.extra, AttributeName(nla_type(attribute)), attribute);
  }
  return true;
}

// ---- encoding ----

Error MissingLink(const std::string& name) {
  return NetlinkError(ENODEV, "Cannot find device \"" + name + "\"");
}

std::uint8_t EncodeType(RouteType type) {
  switch (type) {
    case RouteType::kUnicast: return RTN_UNICAST;
    case RouteType::kUnreachable: return RTN_UNREACHABLE;
    case RouteType::kBlackhole: return RTN_BLACKHOLE;
    case RouteType::kOther: return RTN_UNSPEC;  // on removal: any
  }
  return RTN_UNSPEC;
}

// The payload and the type of the attribute that names a gateway.
std::pair<int, std::string> EncodeGateway(const Address& gateway,
                                          Family family) {
  const std::size_t size =
      static_cast<std::size_t>(FamilyBits(gateway.family())) / 8;
  const auto* bytes = reinterpret_cast<const char*>(gateway.bytes().data());
  if (gateway.family() == family) return {RTA_GATEWAY, {bytes, size}};
  rtvia via{};
  via.rtvia_family = static_cast<std::uint16_t>(SystemFamily(gateway.family()));
  std::string payload(reinterpret_cast<const char*>(&via), sizeof(via));
  return {RTA_VIA, payload.append(bytes, size)};
}

// All next hops as the payload of RTA_MULTIPATH.
Result<std::string> EncodeNextHops(const Route& route, LinkNames& names) {
  std::string payload;
  for (const NextHop& hop : route.next_hops) {
    rtnexthop header{};
    header.rtnh_ifindex = names.IndexOf(hop.link);
    if (header.rtnh_ifindex == 0) return tl::unexpected(MissingLink(hop.link));
    header.rtnh_hops = static_cast<std::uint8_t>(hop.weight - 1);
    header.rtnh_flags = hop.onlink ? RTNH_F_ONLINK : 0;
    std::string gateway;
    if (hop.gateway) {
      auto [type, bytes] =
          EncodeGateway(*hop.gateway, route.key.destination.family());
      rtattr attribute{};
      attribute.rta_type = static_cast<std::uint16_t>(type);
      attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(bytes.size()));
      gateway.assign(reinterpret_cast<const char*>(&attribute),
                     sizeof(attribute));
      gateway += bytes;
      gateway.resize(RTA_ALIGN(gateway.size()));
    }
    header.rtnh_len =
        static_cast<std::uint16_t>(sizeof(header) + gateway.size());
    payload.append(reinterpret_cast<const char*>(&header), sizeof(header));
    payload += gateway;
  }
  return payload;
}

// A generous guess at what the next hops of a route take.
std::size_t RoomOf(const std::vector<NextHop>& hops) {
  return hops.size() * (sizeof(rtnexthop) + 32);
}

// Flags of the request and the message type.
std::pair<int, int> EncodeOperation(RouteOperation operation) {
  switch (operation) {
    case RouteOperation::kCreate:
      return {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL};
    case RouteOperation::kAppend:
      return {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND};
    case RouteOperation::kReplace:
      return {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE};
    case RouteOperation::kRemove: return {RTM_DELROUTE, 0};
  }
  return {RTM_DELROUTE, 0};
}

rtmsg EncodeHeader(RouteOperation operation, const Route& route) {
  const bool remove = operation == RouteOperation::kRemove;
  rtmsg header{};
  header.rtm_family =
      static_cast<std::uint8_t>(SystemFamily(route.key.destination.family()));
  header.rtm_dst_len =
      static_cast<std::uint8_t>(route.key.destination.length());
  header.rtm_tos = route.key.tos;
  header.rtm_table = route.key.table < 256
                         ? static_cast<std::uint8_t>(route.key.table)
                         : static_cast<std::uint8_t>(RT_TABLE_UNSPEC);
  header.rtm_protocol = route.protocol;
  header.rtm_type = EncodeType(route.type);
  // On removal "nowhere" means any: the rest identifies the route.
  header.rtm_scope = remove             ? RT_SCOPE_NOWHERE
                     : route.link_scope ? RT_SCOPE_LINK
                                        : RT_SCOPE_UNIVERSE;
  if (route.next_hops.size() == 1 && route.next_hops.front().onlink) {
    header.rtm_flags |= RTNH_F_ONLINK;
  }
  return header;
}

Result<void> PutNextHops(const Route& route, LinkNames& names,
                         NlRequest& request) {
  if (route.next_hops.size() > 1) {
    const Result<std::string> payload = EncodeNextHops(route, names);
    if (!payload) return tl::unexpected(payload.error());
    request.Put(RTA_MULTIPATH, payload->data(), payload->size());
    return {};
  }
  for (const NextHop& hop : route.next_hops) {
    const int ifindex = names.IndexOf(hop.link);
    if (ifindex == 0) return tl::unexpected(MissingLink(hop.link));
    request.PutU32(RTA_OIF, static_cast<std::uint32_t>(ifindex));
    if (!hop.gateway) continue;
    const auto [type, bytes] =
        EncodeGateway(*hop.gateway, route.key.destination.family());
    request.Put(type, bytes.data(), bytes.size());
  }
  return {};
}

}  // namespace

rtmsg LookupHeader(Family family) {
  rtmsg header{};
  // IPv6 always tells the table, and refuses to be asked for it.
  if (family == Family::kIpv4) header.rtm_flags = RTM_F_LOOKUP_TABLE;
  header.rtm_family = static_cast<std::uint8_t>(SystemFamily(family));
  header.rtm_dst_len = static_cast<std::uint8_t>(FamilyBits(family));
  return header;
}

Result<std::vector<Route>> ReadRoutes(NlSocket& socket, LinkNames& names,
                                      const RouteFilter& filter) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(SystemFamily(filter.family));
  header.rtm_protocol = filter.protocol;
  NlRequest request(RTM_GETROUTE, NLM_F_DUMP, header);
  if (filter.table != 0) request.PutU32(RTA_TABLE, filter.table);
  if (filter.ifindex != 0) {
    request.PutU32(RTA_OIF, static_cast<std::uint32_t>(filter.ifindex));
  }
  Result<std::vector<Route>> routes = ReadList<Route>(
      socket, request, [&](nlmsghdr* message) -> std::optional<Route> {
        std::optional<Route> route = DecodeRoute(message, names);
        // A kernel without IPv6 answers with what it has.
        const bool asked_for =
            route && route->key.destination.family() == filter.family;
        return asked_for ? route : std::nullopt;
      });
  // "FIB table does not exist": nobody has put a route there yet.
  if (!routes && (routes.error().system_errno == ENOENT ||
                  routes.error().system_errno == EAFNOSUPPORT)) {
    return std::vector<Route>();
  }
  return routes;
}

std::optional<Route> DecodeRoute(nlmsghdr* message, LinkNames& names) {
  rtmsg header{};
  if (message->nlmsg_type != RTM_NEWROUTE || !CopyHeader(message, header)) {
    return std::nullopt;
  }
  const std::optional<Family> family = FamilyOf(header.rtm_family);
  if (!family) return std::nullopt;
  Route route = DecodeHeader(header);
  route.key.destination = Prefix::Default(*family);
  SingleHop single;
  nlattr* attribute = nullptr;
  int left = 0;
  nla_for_each_attr(attribute, nlmsg_attrdata(message, sizeof(header)),
                    nlmsg_attrlen(message, sizeof(header)), left) {
    if (!DecodeAttribute(attribute, names, header, single, route)) return {};
  }
  // IPv6 has its routes that lead nowhere lead to the loopback.
  const bool nowhere =
      *family == Family::kIpv6 && route.type != RouteType::kUnicast;
  if (single.ifindex != 0 && !nowhere) {
    single.hop.link = names.NameOf(single.ifindex);
    if (single.hop.link.empty()) return std::nullopt;
    DecodeFlags(header.rtm_flags, single.hop, route.extra);
    route.next_hops.push_back(std::move(single.hop));
  }
  return route;
}

Result<NlRequest> EncodeRoute(RouteOperation operation, const Route& route,
                              LinkNames& names) {
  const auto [type, flags] = EncodeOperation(operation);
  NlRequest request(type, flags, EncodeHeader(operation, route),
                    NlRequest::kUsualRoom + RoomOf(route.next_hops));
  request.PutU32(RTA_TABLE, route.key.table);
  if (!route.key.destination.IsDefault()) {
    PutAddress(request, RTA_DST, route.key.destination.network());
  }
  if (route.key.metric != 0) request.PutU32(RTA_PRIORITY, route.key.metric);
  // The kernel cannot match a route that was embellished by its next hops
  // (those of a nexthop object, for one); its key and protocol must do.
  if (operation == RouteOperation::kRemove && !route.extra.empty()) {
    return request;
  }
  if (route.preferred_source) {
    PutAddress(request, RTA_PREFSRC, *route.preferred_source);
  }
  if (const Result<void> put = PutNextHops(route, names, request); !put) {
    return tl::unexpected(put.error());
  }
  return request;
}

}  // namespace uplinkd
