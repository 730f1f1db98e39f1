#include "reconciler/linux/conntrack_entry.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/msg.h>

#include <array>
#include <fstream>
#include <string>

#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_codec.h"

namespace uplinkd {
namespace {

bool Unacknowledged(const nlattr* flags) {
  // nf_ct_tcp_flags: the flags, then their mask.
  return (ConntrackByte(flags) & IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED) != 0;
}

std::optional<std::int64_t> ReadTimeout(const std::string& name) {
  std::ifstream file("/proc/sys/net/netfilter/nf_conntrack_" + name);
  std::int64_t seconds = 0;
  if (file >> seconds) return seconds;
  return std::nullopt;
}

bool Moved(const ConntrackEntry& entry, std::optional<std::int64_t> timeout) {
  return !timeout || *timeout - entry.timeout <= kIdleSeconds;
}

bool TcpIsBusy(const ConntrackEntry& entry, const ConntrackTimeouts& timeouts) {
  switch (entry.tcp_state) {
    case TCP_CONNTRACK_SYN_SENT:
    case TCP_CONNTRACK_SYN_SENT2:
    case TCP_CONNTRACK_SYN_RECV: return true;
    case TCP_CONNTRACK_ESTABLISHED:
      return entry.unacknowledged || Moved(entry, timeouts.tcp_established);
    default: return false;
  }
}

}  // namespace

ConntrackEntry DecodeConntrackEntry(nlmsghdr* message) {
  std::array<nlattr*, CTA_MAX + 1> found{};
  ConntrackEntry entry;
  if (nlmsg_parse(message, sizeof(nfgenmsg), found.data(), CTA_MAX, nullptr) <
      0) {
    return entry;
  }
  entry.mark = ConntrackNumber(found[CTA_MARK]);
  entry.status = ConntrackNumber(found[CTA_STATUS]);
  entry.timeout = ConntrackNumber(found[CTA_TIMEOUT]);
  entry.protocol = ConntrackByte(
      FindIn(FindIn(found[CTA_TUPLE_ORIG], CTA_TUPLE_PROTO), CTA_PROTO_NUM));
  const nlattr* tcp = FindIn(found[CTA_PROTOINFO], CTA_PROTOINFO_TCP);
  entry.tcp_state = ConntrackByte(FindIn(tcp, CTA_PROTOINFO_TCP_STATE));
  entry.unacknowledged =
      Unacknowledged(FindIn(tcp, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL)) ||
      Unacknowledged(FindIn(tcp, CTA_PROTOINFO_TCP_FLAGS_REPLY));
  return entry;
}

ConntrackTimeouts ReadConntrackTimeouts() {
  return {.tcp_established = ReadTimeout("tcp_timeout_established"),
          .udp = ReadTimeout("udp_timeout"),
          .udp_stream = ReadTimeout("udp_timeout_stream")};
}

bool IsBusy(const ConntrackEntry& entry, const ConntrackTimeouts& timeouts) {
  if ((entry.status & IPS_OFFLOAD) != 0) return true;
  switch (entry.protocol) {
    case IPPROTO_TCP: return TcpIsBusy(entry, timeouts);
    case IPPROTO_UDP: {
      const bool stream = (entry.status & IPS_ASSURED) != 0;
      return Moved(entry, stream ? timeouts.udp_stream : timeouts.udp);
    }
    default: return false;
  }
}

bool IsUnanswered(const ConntrackEntry& entry) {
  return entry.protocol == IPPROTO_TCP &&
         entry.tcp_state == TCP_CONNTRACK_SYN_SENT &&
         (entry.status & IPS_SEEN_REPLY) == 0;
}

}  // namespace uplinkd
