#include "reconciler/linux/ctnetlink.h"

#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <string>
#include <utility>

namespace uplinkd {

NlRequest ConntrackRequest(int message, int flags) {
  nfgenmsg header{};
  header.nfgen_family = AF_UNSPEC;
  header.version = NFNETLINK_V0;
  return {NFNL_SUBSYS_CTNETLINK << 8 | message, flags, header};
}

std::uint32_t ConntrackNumber(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) < 4) return 0;
  return ntohl(nla_get_u32(attribute));
}

std::uint32_t ConntrackNumber(nlmsghdr* message, int attribute) {
  return ConntrackNumber(nlmsg_find_attr(message, sizeof(nfgenmsg), attribute));
}

tl::unexpected<Error> ConntrackFailure(const char* what, Error error) {
  error.message = std::string(what) + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace uplinkd
