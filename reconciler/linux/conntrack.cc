#include "reconciler/linux/conntrack.h"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {
namespace {

template <std::size_t N>
using Attributes = std::array<nlattr*, N>;

// The attributes in `nest`, by type. All null if there is no nest.
template <std::size_t N>
Attributes<N> Unnest(nlattr* nest) {
  Attributes<N> attributes{};
  if (nest != nullptr) {
    nla_parse_nested(attributes.data(), static_cast<int>(N) - 1, nest, nullptr);
  }
  return attributes;
}

std::uint16_t Port(const nlattr* attribute) {
  if (attribute == nullptr || nla_len(attribute) < 2) return 0;
  return ntohs(nla_get_u16(attribute));
}

void DecodeTuple(nlattr* tuple, Family family, Connection& connection) {
  const auto parts = Unnest<CTA_TUPLE_MAX + 1>(tuple);
  const auto ip = Unnest<CTA_IP_MAX + 1>(parts[CTA_TUPLE_IP]);
  const bool v4 = family == Family::kIpv4;
  const nlattr* source = ip[v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC];
  const nlattr* destination = ip[v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST];
  if (source != nullptr) connection.source = DecodeAddress(source, family);
  if (destination != nullptr) {
    connection.destination = DecodeAddress(destination, family);
  }
  const auto protocol = Unnest<CTA_PROTO_MAX + 1>(parts[CTA_TUPLE_PROTO]);
  if (protocol[CTA_PROTO_NUM] != nullptr) {
    connection.protocol = nla_get_u8(protocol[CTA_PROTO_NUM]);
  }
  connection.source_port = Port(protocol[CTA_PROTO_SRC_PORT]);
  connection.destination_port = Port(protocol[CTA_PROTO_DST_PORT]);
}

std::optional<std::uint64_t> DecodeBytes(nlattr* counters) {
  const auto parts = Unnest<CTA_COUNTERS_MAX + 1>(counters);
  const nlattr* bytes = parts[CTA_COUNTERS_BYTES];
  if (bytes == nullptr || nla_len(bytes) < 8) return std::nullopt;
  std::uint64_t value = 0;
  std::memcpy(&value, nla_data(bytes), sizeof(value));
  return be64toh(value);
}

// Nothing for families that we do not route.
std::optional<Connection> Decode(nlmsghdr* message) {
  nfgenmsg header{};
  if (nlmsg_datalen(message) < static_cast<int>(sizeof(header))) return {};
  std::memcpy(&header, nlmsg_data(message), sizeof(header));
  const std::optional<Family> family = FamilyOf(header.nfgen_family);
  Attributes<CTA_MAX + 1> parts{};
  if (!family || nlmsg_parse(message, sizeof(header), parts.data(), CTA_MAX,
                             nullptr) != 0) {
    return std::nullopt;
  }
  Connection connection;
  DecodeTuple(parts[CTA_TUPLE_ORIG], *family, connection);
  connection.mark = ConntrackNumber(parts[CTA_MARK]);
  connection.replied =
      (ConntrackNumber(parts[CTA_STATUS]) & IPS_SEEN_REPLY) != 0;
  const auto sent = DecodeBytes(parts[CTA_COUNTERS_ORIG]);
  const auto received = DecodeBytes(parts[CTA_COUNTERS_REPLY]);
  if (sent || received) {
    connection.bytes = sent.value_or(0) + received.value_or(0);
  }
  return connection;
}

NlRequest WithMark(int message, int flags, const Mark& mark,
                   std::optional<Family> family) {
  NlRequest request = ConntrackRequest(message, flags, family);
  request.PutU32(CTA_MARK, htonl(mark.value));
  request.PutU32(CTA_MARK_MASK, htonl(mark.mask));
  return request;
}

NlRequest ListRequest(const Mark& filter,
                      std::optional<Family> family = std::nullopt) {
  if (filter.mask == 0) {
    return ConntrackRequest(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
  }
  return WithMark(IPCTNL_MSG_CT_GET, NLM_F_DUMP, filter, family);
}

NlRequest DeleteRequest(const Mark& mark, Family family) {
  return WithMark(IPCTNL_MSG_CT_DELETE, 0, mark, family);
}

}  // namespace

Conntrack::Conntrack(std::unique_ptr<NlSocket> socket)
    : socket_(std::move(socket)) {}

Conntrack::~Conntrack() = default;

Result<std::unique_ptr<Conntrack>> Conntrack::Open() {
  Result<std::unique_ptr<NlSocket>> socket = NlSocket::Open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  return std::unique_ptr<Conntrack>(new Conntrack(std::move(*socket)));
}

Result<void> Conntrack::List(const Mark& filter,
                             const ConnectionHandler& handler) {
  const Result<NlSocket::DumpInfo> dumped =
      socket_->Dump(ListRequest(filter), [&](nlmsghdr* message) {
        if (const auto connection = Decode(message)) handler(*connection);
      });
  if (!dumped) {
    return ConntrackFailure("cannot list connections", dumped.error());
  }
  return {};
}

Result<std::uint64_t> Conntrack::Cut(const Mark& mark, Family family) {
  if (mark.mask == 0 || mark.value == 0 || (mark.value & ~mark.mask) != 0) {
    return Fail(
        ErrorCode::kInvalidArgument,
        "connections are cut by a mark under a mask, neither of them 0");
  }
  Result<std::uint64_t> count = Count(mark, family);
  if (!count || *count == 0) return count;
  if (!heeds_filters_) {
    const Result<bool> refused = RefusesBadFilter(mark, family);
    if (!refused) return tl::unexpected(refused.error());
    heeds_filters_ = *refused;
    if (!*refused) return count;  // done: see there
  }
  const NlRequest request = DeleteRequest(mark, family);
  if (const auto error = socket_->Write(std::span(&request, 1)).front()) {
    return ConntrackFailure("cannot cut connections", *error);
  }
  return count;
}

// The number of connections with the mark. Also proves that the kernel reads
// the mark and the mask as we mean them.
Result<std::uint64_t> Conntrack::Count(const Mark& mark, Family family) {
  std::uint64_t count = 0;
  bool others = false;
  const Result<NlSocket::DumpInfo> dumped =
      socket_->Dump(ListRequest(mark, family), [&](nlmsghdr* message) {
        ++count;
        others |=
            (ConntrackNumber(message, CTA_MARK) & mark.mask) != mark.value;
      });
  if (!dumped) {
    return ConntrackFailure("cannot count connections", dumped.error());
  }
  if (others) {
    return Fail(ErrorCode::kInternal,
                "no connection is cut: asked for those with one mark, the "
                "kernel listed others");
  }
  return count;
}

// A kernel that does not look at the filter of a delete request deletes every
// connection there is. One that does refuses a filter that makes no sense,
// before it deletes anything: here, one that wants the source address compared
// with that of a tuple (CTA_FILTER_F_CTA_IP_SRC, 1) which is not there.
//
// CTA_FILTER came with Linux 5.8. Before that it is overlooked, the mark is
// heeded, and the request has done what was to be done: false. Kernels that
// overlook the mark as well are older than NETLINK_GET_STRICT_CHK (4.20),
// without which no NlSocket opens.
Result<bool> Conntrack::RefusesBadFilter(const Mark& mark, Family family) {
  struct {
    nlattr header{};
    std::uint32_t flags = 1;
  } compare_source;
  compare_source.header.nla_len = sizeof(compare_source);
  compare_source.header.nla_type = CTA_FILTER_ORIG_FLAGS;
  NlRequest request = DeleteRequest(mark, family);
  request.Put(CTA_FILTER | NLA_F_NESTED, &compare_source,
              sizeof(compare_source));
  const auto error = socket_->Write(std::span(&request, 1)).front();
  if (!error) return false;
  if (error->system_errno == EINVAL || error->system_errno == EOPNOTSUPP) {
    return true;
  }
  return ConntrackFailure("cannot cut connections", *error);
}

}  // namespace uplinkd
