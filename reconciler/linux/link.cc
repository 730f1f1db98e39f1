#include "reconciler/linux/link.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
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
#include "reconciler/linux/link_codec.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"

namespace uplinkd {
namespace {

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
