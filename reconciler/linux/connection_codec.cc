#include "reconciler/linux/connection_codec.h"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstring>

#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"

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
    connection.protocol = DecodeU8(protocol[CTA_PROTO_NUM]);
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

}  // namespace

std::optional<Connection> DecodeConnection(nlmsghdr* message) {
  nfgenmsg header{};
  if (!CopyHeader(message, header)) return {};
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

}  // namespace uplinkd
