#include "reconciler/linux/link.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "reconciler/linux/default_route.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"

namespace uplinkd {
namespace {

// The link's own rp_filter, which comes along with the link itself.
int DecodeRpFilter(nlattr* families) {
  nlattr* inet = nla_find(static_cast<nlattr*>(nla_data(families)),
                          nla_len(families), AF_INET);
  if (inet == nullptr) return 0;
  nlattr* settings = nla_find(static_cast<nlattr*>(nla_data(inet)),
                              nla_len(inet), IFLA_INET_CONF);
  // An array of u32, counted from 1 in linux/ip.h.
  constexpr int kOffset = (IPV4_DEVCONF_RP_FILTER - 1) * 4;
  std::uint32_t value = 0;
  if (settings == nullptr || nla_len(settings) < kOffset + 4) return 0;
  std::memcpy(&value, static_cast<const char*>(nla_data(settings)) + kOffset,
              sizeof(value));
  return static_cast<int>(value);
}

Link DecodeLink(nlmsghdr* message) {
  ifinfomsg header{};
  std::memcpy(&header, nlmsg_data(message), sizeof(header));
  Link link;
  link.index = header.ifi_index;
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.carrier = (header.ifi_flags & IFF_LOWER_UP) != 0;
  link.point_to_point = (header.ifi_flags & IFF_POINTOPOINT) != 0;
  if (nlattr* families =
          nlmsg_find_attr(message, sizeof(header), IFLA_AF_SPEC)) {
    link.rp_filter = DecodeRpFilter(families);
  }
  return link;
}

std::optional<LinkAddress> DecodeLinkAddress(nlmsghdr* message, int ifindex) {
  ifaddrmsg header{};
  std::memcpy(&header, nlmsg_data(message), sizeof(header));
  const std::optional<Family> family = FamilyOf(header.ifa_family);
  if (!family || static_cast<int>(header.ifa_index) != ifindex) return {};
  const nlattr* local = nlmsg_find_attr(message, sizeof(header), IFA_LOCAL);
  const nlattr* remote = nlmsg_find_attr(message, sizeof(header), IFA_ADDRESS);
  if (remote == nullptr) return std::nullopt;
  LinkAddress address;
  const Address far_end = DecodeAddress(remote, *family);
  address.local = local == nullptr ? far_end : DecodeAddress(local, *family);
  // What the kernel's own connected route covers: the far end's network.
  address.network = Prefix(far_end, header.ifa_prefixlen);
  if (far_end != address.local) address.peer = far_end;
  return address;
}

Result<std::vector<LinkAddress>> ReadAddresses(NlSocket& socket, int ifindex) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_index = static_cast<std::uint32_t>(ifindex);
  return ReadList<LinkAddress>(
      socket, NlRequest(RTM_GETADDR, NLM_F_DUMP, header), 0,
      [&](nlmsghdr* message) { return DecodeLinkAddress(message, ifindex); });
}

// net.ipv4.conf.all.rp_filter.
Result<int> ReadRpFilterOfAll(NlSocket& socket) {
  netconfmsg header{};
  header.ncm_family = AF_INET;
  NlRequest request(RTM_GETNETCONF, 0, header);
  request.PutU32(NETCONFA_IFINDEX,
                 static_cast<std::uint32_t>(NETCONFA_IFINDEX_ALL));
  int value = 0;
  const Result<void> asked = socket.Get(request, [&](nlmsghdr* message) {
    // The kernel aligns the fixed part (one byte) to four.
    const nlattr* attribute =
        nlmsg_find_attr(message, sizeof(header), NETCONFA_RP_FILTER);
    if (attribute != nullptr) value = nla_get_s32(attribute);
  });
  if (!asked) return tl::unexpected(asked.error());
  return value;
}

// kNotFound: there is none.
Result<Link> ReadLink(NlSocket& socket, const std::string& name) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  NlRequest request(RTM_GETLINK, 0, header);
  request.PutString(IFLA_IFNAME, name);
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  Link link;
  const Result<void> asked = socket.Get(
      request, [&](nlmsghdr* message) { link = DecodeLink(message); });
  if (!asked) return tl::unexpected(asked.error());
  link.name = name;
  return link;
}

// Fills in what is not part of the link itself. kNotFound: it is gone.
Result<void> ReadRest(NlSocket& socket, LinkNames& names, Link& link) {
  Result<std::vector<LinkAddress>> addresses =
      ReadAddresses(socket, link.index);
  if (!addresses) return tl::unexpected(addresses.error());
  link.addresses = std::move(*addresses);
  if (!link.up) return {};  // a link that is down has no routes
  Result<std::optional<DefaultRoute>> route =
      ReadDefaultRoute(socket, names, link.name);
  if (!route) return tl::unexpected(route.error());
  link.default_route = *route;
  return {};
}

}  // namespace

const std::string& LinkNames::NameOf(int index) {
  const auto [known, added] = names_.try_emplace(index);
  if (added) {
    ifreq request{};
    request.ifr_ifindex = index;
    if (ioctl(fd_, SIOCGIFNAME, &request) == 0) {
      known->second = request.ifr_name;
    }
  }
  return known->second;
}

int LinkNames::IndexOf(const std::string& name) {
  const auto [known, added] = indexes_.try_emplace(name, 0);
  if (added && name.size() < IFNAMSIZ) {
    ifreq request{};
    std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
    if (ioctl(fd_, SIOCGIFINDEX, &request) == 0) {
      known->second = request.ifr_ifindex;
    }
  }
  return known->second;
}

Result<Facts> ReadLinks(NlSocket& socket,
                        const std::set<std::string>& interfaces) {
  const Result<int> strictest = ReadRpFilterOfAll(socket);
  if (!strictest) return tl::unexpected(strictest.error());
  LinkNames names(socket);
  Facts facts;
  for (const std::string& name : interfaces) {
    // The kernel refuses a longer name as invalid; to us it does not exist.
    if (name.empty() || name.size() >= IFNAMSIZ) continue;
    Result<Link> link = ReadLink(socket, name);
    Result<void> rest;
    if (link) {
      link->rp_filter = std::max(link->rp_filter, *strictest);
      rest = ReadRest(socket, names, *link);
    }
    const Error* error = !link   ? &link.error()
                         : !rest ? &rest.error()
                                 : nullptr;
    if (error != nullptr && error->code == ErrorCode::kNotFound) continue;
    if (error != nullptr) return tl::unexpected(*error);
    facts.links.emplace(name, std::move(*link));
  }
  return facts;
}

}  // namespace uplinkd
