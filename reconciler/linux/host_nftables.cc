#include "reconciler/linux/host_nftables.h"

// First: the kernel's headers then leave out what is in both.
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <string>

#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
namespace {

std::string FamilyName(int family) {
  switch (family) {
    case NFPROTO_INET: return "inet";
    case NFPROTO_IPV4: return "ip";
    case NFPROTO_IPV6: return "ip6";
    case NFPROTO_ARP: return "arp";
    case NFPROTO_BRIDGE: return "bridge";
    case NFPROTO_NETDEV: return "netdev";
    default: return std::to_string(family);
  }
}

}  // namespace

Result<std::vector<NftTable>> ReadNftTables() {
  auto socket = NlSocket::Open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  const nfgenmsg all{NFPROTO_UNSPEC, NFNETLINK_V0, 0};
  const NlRequest request((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETTABLE,
                          NLM_F_DUMP, all);
  std::vector<NftTable> tables;
  const auto info = (*socket)->Dump(request, [&](nlmsghdr* message) {
    std::array<nlattr*, NFTA_TABLE_MAX + 1> attributes{};
    if (nlmsg_parse(message, sizeof(nfgenmsg), attributes.data(),
                    NFTA_TABLE_MAX, nullptr) < 0 ||
        attributes[NFTA_TABLE_NAME] == nullptr) {
      return;
    }
    const auto* header = static_cast<const nfgenmsg*>(nlmsg_data(message));
    tables.push_back({FamilyName(header->nfgen_family),
                      DecodeText(attributes[NFTA_TABLE_NAME])});
  });
  if (info) return tables;
  // The answer of nfnetlink to a subsystem that nobody registered.
  if (info.error().system_errno == EINVAL) return std::vector<NftTable>{};
  return tl::unexpected(info.error());
}

}  // namespace uplinkd
