#include "reconciler/linux/link_codec.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cstring>

#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"

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

// In 32 bits; the header has room for the first eight.
std::uint32_t DecodeAddressFlags(nlmsghdr* message, const ifaddrmsg& header) {
  const nlattr* flags = nlmsg_find_attr(message, sizeof(header), IFA_FLAGS);
  return flags == nullptr ? header.ifa_flags : DecodeU32(flags);
}

}  // namespace

Link DecodeLink(nlmsghdr* message) {
  ifinfomsg header{};
  if (!CopyHeader(message, header)) return {};
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

std::optional<NumberedAddress> DecodeAddressOfLink(nlmsghdr* message) {
  ifaddrmsg header{};
  if (!CopyHeader(message, header)) return {};
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

int DecodeRpFilterOfAll(nlmsghdr* message) {
  const nlattr* value =
      nlmsg_find_attr(message, sizeof(netconfmsg), NETCONFA_RP_FILTER);
  return value == nullptr ? 0 : static_cast<int>(DecodeU32(value));
}

}  // namespace uplinkd
