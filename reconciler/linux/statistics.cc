#include "reconciler/linux/statistics.h"

#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "reconciler/linux/conntrack_entry.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
namespace {

constexpr int ConntrackMessage(int message) {
  return NFNL_SUBSYS_CTNETLINK << 8 | message;
}

nfgenmsg ConntrackHeader() {
  nfgenmsg header{};
  header.nfgen_family = AF_UNSPEC;  // both families
  header.version = NFNETLINK_V0;
  return header;
}

// ctnetlink's numbers are in network order. 0 if there is no such attribute.
std::uint32_t ConntrackNumber(nlmsghdr* message, int attribute) {
  const nlattr* found = nlmsg_find_attr(message, sizeof(nfgenmsg), attribute);
  if (found == nullptr || nla_len(found) < 4) return 0;
  return ntohl(nla_get_u32(found));
}

tl::unexpected<Error> Failure(const char* what, Error error) {
  error.message = std::string(what) + ": " + error.message;
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace

struct Statistics::Sockets {
  std::unique_ptr<NlSocket> route;
  std::unique_ptr<NlSocket> netfilter;
};

Statistics::Statistics(std::unique_ptr<Sockets> sockets)
    : sockets_(std::move(sockets)) {}

Statistics::~Statistics() = default;

Result<std::unique_ptr<Statistics>> Statistics::Open() {
  Result<std::unique_ptr<NlSocket>> route = NlSocket::Open(NETLINK_ROUTE);
  if (!route) return tl::unexpected(route.error());
  Result<std::unique_ptr<NlSocket>> netfilter =
      NlSocket::Open(NETLINK_NETFILTER);
  if (!netfilter) return tl::unexpected(netfilter.error());
  return std::unique_ptr<Statistics>(new Statistics(std::make_unique<Sockets>(
      Sockets{std::move(*route), std::move(*netfilter)})));
}

Result<LinkCounters> Statistics::ReadLink(int ifindex) {
  if_stats_msg header{};
  header.ifindex = static_cast<std::uint32_t>(ifindex);
  header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  rtnl_link_stats64 counters{};
  const Result<void> asked = sockets_->route->Get(
      NlRequest(RTM_GETSTATS, 0, header), [&](nlmsghdr* message) {
        // As much of it as both the kernel and we know.
        const nlattr* found =
            nlmsg_find_attr(message, sizeof(header), IFLA_STATS_LINK_64);
        if (found != nullptr) nla_memcpy(&counters, found, sizeof(counters));
      });
  if (!asked) return Failure("cannot read a link's counters", asked.error());
  return LinkCounters{counters.rx_bytes, counters.tx_bytes};
}

Result<ConnectionCounts> Statistics::CountConnections(std::uint32_t mask) {
  const ConntrackTimeouts timeouts = ReadConntrackTimeouts();
  ConnectionCounts connections;
  // An interrupted dump counts as well: it is off by what changed meanwhile,
  // and so would be a second one.
  const Result<NlSocket::DumpInfo> dumped = sockets_->netfilter->Dump(
      NlRequest(ConntrackMessage(IPCTNL_MSG_CT_GET), NLM_F_DUMP,
                ConntrackHeader()),
      [&](nlmsghdr* message) {
        const ConntrackEntry entry = DecodeConntrackEntry(message);
        ConnectionCount& count = connections[entry.mark & mask];
        ++count.all;
        if (IsBusy(entry, timeouts)) ++count.busy;
      });
  if (!dumped) return Failure("cannot list connections", dumped.error());
  return connections;
}

Result<ConntrackUsage> Statistics::ReadConntrackUsage() {
  ConntrackUsage usage;
  const Result<void> asked = sockets_->netfilter->Get(
      NlRequest(ConntrackMessage(IPCTNL_MSG_CT_GET_STATS), 0,
                ConntrackHeader()),
      [&](nlmsghdr* message) {
        usage.entries = ConntrackNumber(message, CTA_STATS_GLOBAL_ENTRIES);
        usage.limit = ConntrackNumber(message, CTA_STATS_GLOBAL_MAX_ENTRIES);
      });
  if (!asked) return Failure("cannot count connections", asked.error());
  return usage;
}

}  // namespace uplinkd
