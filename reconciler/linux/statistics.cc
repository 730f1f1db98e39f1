#include "reconciler/linux/statistics.h"

#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <utility>
#include <vector>

#include "reconciler/linux/conntrack_entry.h"
#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
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

std::map<int, LinkCounters> Statistics::ReadLinks(const std::set<int>& links) {
  std::vector<NlRequest> requests;
  requests.reserve(links.size());
  for (const int ifindex : links) {
    if_stats_msg header{};
    header.ifindex = static_cast<std::uint32_t>(ifindex);
    header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    requests.emplace_back(RTM_GETSTATS, 0, header);
  }
  std::map<int, LinkCounters> counters;
  sockets_->route->Ask(requests, [&](std::size_t, nlmsghdr* message) {
    if (const auto one = DecodeLinkCounters(message)) counters.insert(*one);
  });
  return counters;
}

std::optional<std::pair<int, LinkCounters>> DecodeLinkCounters(
    nlmsghdr* message) {
  if_stats_msg header{};
  if (!CopyHeader(message, header)) return {};
  const nlattr* found =
      nlmsg_find_attr(message, sizeof(header), IFLA_STATS_LINK_64);
  if (found == nullptr) return std::nullopt;
  // As much of it as both the kernel and we know.
  rtnl_link_stats64 stats{};
  nla_memcpy(&stats, found, sizeof(stats));
  return std::pair(static_cast<int>(header.ifindex),
                   LinkCounters{stats.rx_bytes, stats.tx_bytes});
}

Result<ConnectionCounts> Statistics::CountConnections(std::uint32_t mask) {
  const ConntrackTimeouts timeouts = ReadConntrackTimeouts();
  ConnectionCounts connections;
  // An interrupted dump counts as well: it is off by what changed meanwhile,
  // and so would be a second one.
  const Result<NlSocket::DumpInfo> dumped = sockets_->netfilter->Dump(
      ConntrackRequest(IPCTNL_MSG_CT_GET, NLM_F_DUMP), [&](nlmsghdr* message) {
        const ConntrackEntry entry = DecodeConntrackEntry(message);
        ConnectionCount& count = connections[entry.mark & mask];
        ++count.all;
        if (IsBusy(entry, timeouts)) ++count.busy;
        if (IsUnanswered(entry)) ++count.unanswered;
      });
  if (!dumped)
    return ConntrackFailure("cannot list connections", dumped.error());
  return connections;
}

Result<ConntrackUsage> Statistics::ReadConntrackUsage() {
  ConntrackUsage usage;
  const Result<void> asked = sockets_->netfilter->Get(
      ConntrackRequest(IPCTNL_MSG_CT_GET_STATS, 0), [&](nlmsghdr* message) {
        usage.entries = ConntrackNumber(message, CTA_STATS_GLOBAL_ENTRIES);
        usage.limit = ConntrackNumber(message, CTA_STATS_GLOBAL_MAX_ENTRIES);
      });
  if (!asked)
    return ConntrackFailure("cannot count connections", asked.error());
  return usage;
}

}  // namespace uplinkd
