#include "reconciler/linux/connection_codec.h"

#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cstring>

#include "reconciler/linux/ctnetlink.h"
#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_codec.h"

namespace uplinkd {
namespace {

void DecodeTuple(const nlattr* tuple, Family family, Connection& connection) {
  const nlattr* ip = FindIn(tuple, CTA_TUPLE_IP);
  const bool v4 = family == Family::kIpv4;
  const nlattr* source = FindIn(ip, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC);
  const nlattr* destination = FindIn(ip, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST);
  if (source != nullptr) connection.source = DecodeAddress(source, family);
  if (destination != nullptr) {
    connection.destination = DecodeAddress(destination, family);
  }
  const nlattr* protocol = FindIn(tuple, CTA_TUPLE_PROTO);
  connection.protocol = ConntrackByte(FindIn(protocol, CTA_PROTO_NUM));
  connection.source_port = ConntrackPort(FindIn(protocol, CTA_PROTO_SRC_PORT));
  connection.destination_port =
      ConntrackPort(FindIn(protocol, CTA_PROTO_DST_PORT));
}

std::optional<std::uint64_t> DecodeBytes(const nlattr* counters) {
  const nlattr* bytes = FindIn(counters, CTA_COUNTERS_BYTES);
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
  std::array<nlattr*, CTA_MAX + 1> parts{};
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
