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
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "reconciler/linux/default_route.h"
#include "reconciler/linux/ipset.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"

namespace uplinkd {
namespace {

// One of the link's own settings, which come along with the link itself.
// `setting` is an IPV4_DEVCONF_* of linux/ip.h.
int DecodeSetting(nlattr* families, int setting) {
  nlattr* inet = nla_find(static_cast<nlattr*>(nla_data(families)),
                          nla_len(families), AF_INET);
  if (inet == nullptr) return 0;
  nlattr* settings = nla_find(static_cast<nlattr*>(nla_data(inet)),
                              nla_len(inet), IFLA_INET_CONF);
  // An array of u32, counted from 1 in linux/ip.h.
  const int offset = (setting - 1) * 4;
  std::uint32_t value = 0;
  if (settings == nullptr || nla_len(settings) < offset + 4) return 0;
  std::memcpy(&value, static_cast<const char*>(nla_data(settings)) + offset,
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
    link.rp_filter = DecodeSetting(families, IPV4_DEVCONF_RP_FILTER);
    link.src_valid_mark = DecodeSetting(families, IPV4_DEVCONF_SRC_VMARK) != 0;
  }
  return link;
}

// An address and the number of its link.
using NumberedAddress = std::pair<int, LinkAddress>;

// In 32 bits; the header has room for the first eight.
std::uint32_t DecodeAddressFlags(nlmsghdr* message, const ifaddrmsg& header) {
  const nlattr* flags = nlmsg_find_attr(message, sizeof(header), IFA_FLAGS);
  return flags == nullptr ? header.ifa_flags : nla_get_u32(flags);
}

std::optional<NumberedAddress> DecodeAddressOfLink(nlmsghdr* message) {
  ifaddrmsg header{};
  std::memcpy(&header, nlmsg_data(message), sizeof(header));
  const std::optional<Family> family = FamilyOf(header.ifa_family);
  const nlattr* local = nlmsg_find_attr(message, sizeof(header), IFA_LOCAL);
  const nlattr* remote = nlmsg_find_attr(message, sizeof(header), IFA_ADDRESS);
  if (!family || remote == nullptr) return std::nullopt;
  LinkAddress address;
  const Address far_end = DecodeAddress(remote, *family);
  address.local = local == nullptr ? far_end : DecodeAddress(local, *family);
  // What the kernel's own connected route covers: the far end's network.
  address.network = Prefix(far_end, header.ifa_prefixlen);
  if (far_end != address.local) address.peer = far_end;
  if (*family == Family::kIpv6) {
    const std::uint32_t flags = DecodeAddressFlags(message, header);
    // Nothing can be sent from it yet, and no route can name it.
    if ((flags & IFA_F_TENTATIVE) != 0) return std::nullopt;
    address.preferred = (flags & (IFA_F_DEPRECATED | IFA_F_TEMPORARY)) == 0;
  }
  return NumberedAddress{static_cast<int>(header.ifa_index), address};
}

// One list for all links: a list per link would cost a request each, and the
// links that are not asked for seldom have addresses.
Result<void> ReadAddresses(NlSocket& socket, Family family,
                           std::vector<Link>& links) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(SystemFamily(family));
  const Result<std::vector<NumberedAddress>> addresses =
      ReadList<NumberedAddress>(socket,
                                NlRequest(RTM_GETADDR, NLM_F_DUMP, header),
                                DecodeAddressOfLink);
  if (!addresses) return tl::unexpected(addresses.error());
  std::map<int, Link*> by_index;
  for (Link& link : links) by_index.emplace(link.index, &link);
  for (const auto& [ifindex, address] : *addresses) {
    const auto link = by_index.find(ifindex);
    if (link != by_index.end()) link->second->addresses.push_back(address);
  }
  return {};
}

NlRequest EncodeLinkQuestion(const std::string& name) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  NlRequest request(RTM_GETLINK, 0, header);
  request.PutString(IFLA_IFNAME, name);
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return request;
}

// Asks for net.ipv4.conf.all.rp_filter.
NlRequest EncodeRpFilterQuestion() {
  netconfmsg header{};
  header.ncm_family = AF_INET;
  NlRequest request(RTM_GETNETCONF, 0, header);
  request.PutU32(NETCONFA_IFINDEX,
                 static_cast<std::uint32_t>(NETCONFA_IFINDEX_ALL));
  return request;
}

int DecodeRpFilterOfAll(nlmsghdr* message) {
  const nlattr* value =
      nlmsg_find_attr(message, sizeof(netconfmsg), NETCONFA_RP_FILTER);
  return value == nullptr ? 0 : nla_get_s32(value);
}

// Netlink does not tell this one of "all".
bool AllHaveSrcValidMark() {
  std::ifstream file("/proc/sys/net/ipv4/conf/all/src_valid_mark");
  int value = 0;
  return file >> value && value != 0;
}

// It only counts where a strict check does, so it is only asked for then.
void ReadSrcValidMarkOfAll(std::vector<Link>& links) {
  constexpr int kStrict = 1;
  const auto in_question = [](const Link& link) {
    return link.rp_filter == kStrict && !link.src_valid_mark;
  };
  if (std::none_of(links.begin(), links.end(), in_question)) return;
  const bool all = AllHaveSrcValidMark();
  for (Link& link : links) link.src_valid_mark |= all;
}

// The links themselves, without what hangs on them.
Result<std::vector<Link>> ReadLinksOnly(NlSocket& socket,
                                        const std::vector<std::string>& names) {
  std::vector<NlRequest> requests;
  requests.reserve(names.size() + 1);
  for (const std::string& name : names) {
    requests.push_back(EncodeLinkQuestion(name));
  }
  requests.push_back(EncodeRpFilterQuestion());
  std::vector<Link> links;
  int strictest = 0;
  const std::vector<std::optional<Error>> answers =
      socket.Ask(requests, [&](std::size_t i, nlmsghdr* message) {
        if (i == names.size()) {
          strictest = DecodeRpFilterOfAll(message);
          return;
        }
        links.push_back(DecodeLink(message));
        links.back().name = names[i];
      });
  for (const std::optional<Error>& error : answers) {
    if (error && error->code != ErrorCode::kNotFound) {
      return tl::unexpected(*error);
    }
  }
  for (Link& link : links) link.rp_filter = std::max(link.rp_filter, strictest);
  ReadSrcValidMarkOfAll(links);
  return links;
}

// What hangs on the links in one family, and the default source address.
Result<void> ReadFamily(NlSocket& socket, Family family,
                        const FactsScope& scope, std::vector<Link>& links,
                        Facts& facts) {
  const bool ipv4 = family == Family::kIpv4;
  if (Result<void> read = ReadAddresses(socket, family, links); !read) {
    return read;
  }
  if (Result<void> read = ReadDefaultRoutes(
          socket, family, ipv4 ? scope.default_routes : scope.default_routes6,
          links);
      !read) {
    return read;
  }
  if (!scope.default_source) return {};
  const Result<std::optional<Address>> source =
      ReadDefaultSource(socket, family);
  if (!source) return tl::unexpected(source.error());
  (ipv4 ? facts.default_source : facts.default_source6) = *source;
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

Result<Facts> ReadFacts(NlSocket& socket, const FactsScope& scope) {
  std::vector<std::string> names;
  // The kernel refuses a longer name as invalid; to us it does not exist.
  std::ranges::copy_if(scope.links, std::back_inserter(names),
                       [](const std::string& name) {
                         return !name.empty() && name.size() < IFNAMSIZ;
                       });
  Result<std::vector<Link>> links = ReadLinksOnly(socket, names);
  if (!links) return tl::unexpected(links.error());
  Facts facts;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (family == Family::kIpv6 && !scope.ipv6) continue;
    if (Result<void> read = ReadFamily(socket, family, scope, *links, facts);
        !read) {
      return tl::unexpected(read.error());
    }
  }
  Result<std::set<std::string>> ipsets = ReadIpsets(scope.ipsets);
  if (!ipsets) return tl::unexpected(ipsets.error());
  facts.ipsets = std::move(*ipsets);
  for (Link& link : *links) {
    std::string name = link.name;
    facts.links.emplace(std::move(name), std::move(link));
  }
  return facts;
}

}  // namespace uplinkd
