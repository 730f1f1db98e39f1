#include "reconciler/linux/link_news.h"

#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <utility>

#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"

namespace uplinkd {
namespace {

// What of a link's flags a pass can see.
constexpr unsigned kFlags = IFF_UP | IFF_LOWER_UP | IFF_POINTOPOINT;

}  // namespace

bool LinkNews::Matters(nlmsghdr* message) {
  const bool removed = message->nlmsg_type == RTM_DELLINK;
  if (message->nlmsg_type != RTM_NEWLINK && !removed) return true;
  ifinfomsg header{};
  if (!CopyHeader(message, header)) return true;
  // A port that joins or leaves a bridge; the link itself has its own event.
  if (header.ifi_family != AF_UNSPEC) return false;
  if (removed) {
    links_.erase(header.ifi_index);
    return true;
  }
  const nlattr* name = nlmsg_find_attr(message, sizeof(header), IFLA_IFNAME);
  Seen now{name == nullptr ? "" : DecodeText(name), header.ifi_flags & kFlags};
  const auto [known, added] = links_.try_emplace(header.ifi_index);
  if (!added && known->second == now) return false;
  known->second = std::move(now);
  return true;
}

}  // namespace uplinkd
