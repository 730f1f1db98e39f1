#include "reconciler/linux/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "reconciler/linux/nl_codec.h"

namespace uplinkd {

// The kernel looks at the family of a delete request only in a version that is
// not 0 (ctnetlink_del_conntrack in net/netfilter/nf_conntrack_netlink.c).
constexpr int kHeedsFamily = 1;

NlRequest ConntrackRequest(int message, int flags,
                           std::optional<Family> family) {
  nfgenmsg header{};
  header.nfgen_family =
      static_cast<std::uint8_t>(family ? SystemFamily(*family) : AF_UNSPEC);
  header.version = family ? kHeedsFamily : NFNETLINK_V0;
  return {NFNL_SUBSYS_CTNETLINK << 8 | message, flags, header};
}

std::uint32_t ConntrackNumber(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) < 4) return 0;
  return ntohl(nla_get_u32(attribute));
}

std::uint16_t ConntrackPort(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) < 2) return 0;
  return ntohs(nla_get_u16(attribute));
}

std::uint8_t ConntrackByte(const nlattr* attribute) {
  return attribute == nullptr ? 0 : DecodeU8(attribute);
}

std::uint32_t ConntrackNumber(nlmsghdr* message, int attribute) {
  return ConntrackNumber(nlmsg_find_attr(message, sizeof(nfgenmsg), attribute));
}

tl::unexpected<Error> ConntrackFailure(const char* what, Error error) {
  error.message = std::string(what) + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace uplinkd
