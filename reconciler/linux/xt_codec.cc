#include "reconciler/linux/xt_codec.h"

#include <endian.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "reconciler/linux/xt_codec_extension.h"
#include "reconciler/linux/xt_codec_match.h"
#include "reconciler/linux/xt_codec_target.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// ---- the header: addresses, interfaces, flags ----

// The mask covers the NUL, so that the name matches as a whole.
Result<void> PackInterface(const std::string& name, char (&field)[IFNAMSIZ],
                           unsigned char (&mask)[IFNAMSIZ]) {
  if (name.empty()) return {};
  if (name.back() == '+') {
    return Fail(ErrorCode::kInvalidArgument,
                "the interface name '" + name +
                    "' would be a wildcard for the iptables program");
  }
  if (auto packed = PackName(name, field); !packed) return packed;
  std::memset(mask, 0xff, name.size() + 1);
  return {};
}

Address AddressFrom(const in_addr& bytes) {
  return Address::FromIpv4(be32toh(bytes.s_addr));
}
Address AddressFrom(const in6_addr& bytes) {
  std::array<std::uint8_t, 16> copy;
  std::memcpy(copy.data(), &bytes, sizeof bytes);
  return Address::FromBytes(Family::kIpv6, copy);
}

// The first `length` bits.
template <typename Bytes>
Bytes MaskOf(int length) {
  std::array<std::uint8_t, sizeof(Bytes)> ones;
  for (std::size_t i = 0; i < ones.size(); ++i) {
    const int set = std::clamp(length - 8 * static_cast<int>(i), 0, 8);
    ones.at(i) = static_cast<std::uint8_t>(0xff00 >> set);
  }
  return std::bit_cast<Bytes>(ones);
}

// How many bits of a mask are set before the first that is not.
template <typename Bytes>
int LengthOf(const Bytes& mask) {
  int length = 0;
  for (const std::uint8_t byte :
       std::bit_cast<std::array<std::uint8_t, sizeof(Bytes)>>(mask)) {
    length += std::countl_one(byte);
    if (byte != 0xff) break;
  }
  return length;
}

template <typename Bytes>
constexpr Family kFamilyOf = sizeof(Bytes) == sizeof(in_addr) ? Family::kIpv4
                                                              : Family::kIpv6;

static_assert(IPT_INV_SRCIP == IP6T_INV_SRCIP);
static_assert(IPT_INV_DSTIP == IP6T_INV_DSTIP);

// `Bytes` is in_addr or in6_addr, `Header` ipt_ip or ip6t_ip6.
template <typename Bytes, typename Header>
Result<void> PackPrefix(const std::optional<PrefixMatch>& match, Bytes& address,
                        Bytes& mask, std::uint8_t inverted, Header& header) {
  if (!match) return {};
  const Prefix& prefix = match->prefix;
  if (prefix.family() != kFamilyOf<Bytes> || prefix.IsDefault()) {
    return Fail(ErrorCode::kInvalidArgument,
                "no rule can match the prefix " + prefix.ToString());
  }
  std::memcpy(&address, prefix.network().bytes().data(), sizeof address);
  mask = MaskOf<Bytes>(prefix.length());
  if (match->invert) header.invflags |= inverted;
  return {};
}

template <typename Bytes>
std::optional<PrefixMatch> UnpackPrefix(const Bytes& address, const Bytes& mask,
                                        bool inverted) {
  const Bytes none{};
  if (std::memcmp(&mask, &none, sizeof mask) == 0) return std::nullopt;
  return PrefixMatch{Prefix(AddressFrom(address), LengthOf(mask)), inverted};
}

// The bits of an address that say which group it is in.
template <typename Bytes>
Bytes LastBits(std::uint8_t bits) {
  std::array<std::uint8_t, sizeof(Bytes)> bytes{};
  bytes.back() = bits;
  return std::bit_cast<Bytes>(bytes);
}

template <typename Header>
Result<void> PackGroup(const ChainRule& rule, Header& header) {
  if (!rule.destination_group) return {};
  if (rule.destination || *rule.destination_group >= kDestinationGroups) {
    return Fail(ErrorCode::kInvalidArgument,
                "no rule can match the destination group " +
                    std::to_string(*rule.destination_group));
  }
  using Bytes = decltype(header.dst);
  header.dst = LastBits<Bytes>(*rule.destination_group);
  header.dmsk = LastBits<Bytes>(kDestinationGroups - 1);
  return {};
}

// Into the group of a rule, if it has one; else into its destination.
template <typename Header>
void UnpackDestination(const Header& header, ChainRule& rule) {
  using Bytes = decltype(header.dst);
  const auto groups = LastBits<Bytes>(kDestinationGroups - 1);
  const bool inverted = (header.invflags & IPT_INV_DSTIP) != 0;
  if (inverted || std::memcmp(&header.dmsk, &groups, sizeof groups) != 0) {
    rule.destination = UnpackPrefix(header.dst, header.dmsk, inverted);
    return;
  }
  rule.destination_group =
      std::bit_cast<std::array<std::uint8_t, sizeof(Bytes)>>(header.dst).back();
}

// In IPv6 a flag says that the protocol counts.
void PackProtocol(std::uint8_t protocol, ipt_ip& header) {
  header.proto = protocol;
}
void PackProtocol(std::uint8_t protocol, ip6t_ip6& header) {
  header.proto = protocol;
  if (protocol != 0) header.flags |= IP6T_F_PROTO;
}

template <typename Header>
constexpr std::uint8_t kGoto = IPT_F_GOTO;
template <>
constexpr std::uint8_t kGoto<ip6t_ip6> = IP6T_F_GOTO;

template <typename Header>
Result<Header> PackHeader(const ChainRule& rule) {
  Header header;
  std::memset(&header, 0, sizeof header);
  for (const Result<void>& packed : {
           PackInterface(rule.in_interface, header.iniface,
                         header.iniface_mask),
           PackInterface(rule.out_interface, header.outiface,
                         header.outiface_mask),
           PackPrefix(rule.source, header.src, header.smsk, IPT_INV_SRCIP,
                      header),
           PackPrefix(rule.destination, header.dst, header.dmsk, IPT_INV_DSTIP,
                      header),
           PackGroup(rule, header),
       }) {
    if (!packed) return tl::unexpected(packed.error());
  }
  PackProtocol(rule.protocol, header);
  const auto* jump = std::get_if<JumpTarget>(&rule.target);
  if (jump != nullptr && jump->go_to) header.flags |= kGoto<Header>;
  return header;
}

// All of them: padding is kept as it was sent, and we send zeros.
template <typename Header>
std::span<const std::byte> BytesOf(const Header& header) {
  return std::as_bytes(std::span(&header, 1));
}

// For people. The digest makes it differ wherever the bytes differ.
std::string DescribeHeader(const ipt_ip& header) {
  std::string text;
  if ((header.flags & IPT_F_FRAG) != 0) text += "-f ";
  return text + "header " + Digest(BytesOf(header));
}
std::string DescribeHeader(const ip6t_ip6& header) {
  return "header " + Digest(BytesOf(header));
}

// Fills all but the matches and the target, which must be there already.
template <typename Header>
void UnpackHeader(const Header& header, ChainRule& rule) {
  rule.in_interface = UnpackName(header.iniface);
  rule.out_interface = UnpackName(header.outiface);
  rule.source = UnpackPrefix(header.src, header.smsk,
                             (header.invflags & IPT_INV_SRCIP) != 0);
  UnpackDestination(header, rule);
  rule.protocol = static_cast<std::uint8_t>(header.proto);
  const Result<Header> ours = PackHeader<Header>(rule);
  if (!ours || !std::ranges::equal(BytesOf(*ours), BytesOf(header))) {
    rule.extra = DescribeHeader(header);
  }
}

// ---- the target ----

bool IsVerdict(std::string_view name) {
  return name == "ACCEPT" || name == "DROP" || name == "QUEUE";
}

Target UnpackTarget(Family family, const XtExtensionView& view,
                    std::string_view target, bool go_to) {
  // In the kernel a jump has no name of its own. A rule that libiptc has not
  // committed yet still carries the chain's or the verdict's; no extension has
  // our prefix, or the name of a verdict.
  if (view.name.empty() || IsOwnedChain(view.name) || view.name == "RETURN") {
    if (target.empty()) return ContinueTarget{};
    if (target == "RETURN") return ReturnTarget{};
    if (IsVerdict(target)) return OpaqueTarget{std::string(target)};
    return JumpTarget{std::string(target), go_to};
  }
  return DecodeExtensionTarget(family, view);
}

// The header, which is the first member of an entry.
template <typename Entry>
struct HeaderOf;
template <>
struct HeaderOf<ipt_entry> {
  using Type = ipt_ip;
};
template <>
struct HeaderOf<ip6t_entry> {
  using Type = ip6t_ip6;
};

// `Entry` is ipt_entry or ip6t_entry; what stands in front of the matches.
template <typename Entry>
Result<std::vector<std::byte>> EncodeEntry(const ChainRule& rule) {
  using Header = typename HeaderOf<Entry>::Type;
  const Result<Header> header = PackHeader<Header>(rule);
  if (!header) return tl::unexpected(header.error());
  std::vector<std::byte> bytes(sizeof(Entry));
  std::memcpy(bytes.data(), &*header, sizeof *header);
  return bytes;
}

template <typename Entry>
void DecodeEntry(std::span<const std::byte> bytes, std::string_view target,
                 const XtExtensionView& view, ChainRule& rule) {
  using Header = typename HeaderOf<Entry>::Type;
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  constexpr Family kFamily = kFamilyOf<decltype(header.src)>;
  rule.target =
      UnpackTarget(kFamily, view, target, (header.flags & kGoto<Header>) != 0);
  UnpackHeader(header, rule);
}

void WriteOffset(std::size_t value, std::size_t place,
                 std::vector<std::byte>& bytes) {
  const auto offset = static_cast<std::uint16_t>(value);
  std::memcpy(bytes.data() + place, &offset, sizeof offset);
}

}  // namespace

Result<std::vector<std::byte>> EncodeRule(Family family,
                                          const ChainRule& rule) {
  if (!rule.extra.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign rule '" + rule.extra + "' cannot be written");
  }
  Result<std::vector<std::byte>> bytes = family == Family::kIpv4
                                             ? EncodeEntry<ipt_entry>(rule)
                                             : EncodeEntry<ip6t_entry>(rule);
  if (!bytes) return bytes;
  for (const Match& match : rule.matches) {
    const Result<XtExtension> extension = EncodeMatch(family, match);
    if (!extension) return tl::unexpected(extension.error());
    AppendExtension(*extension, *bytes);
  }
  const std::size_t target_offset = bytes->size();
  const Result<XtExtension> target = EncodeTarget(family, rule.target);
  if (!target) return tl::unexpected(target.error());
  AppendExtension(*target, *bytes);
  const XtLayout& layout = LayoutOf(family);
  WriteOffset(target_offset, layout.target_offset, *bytes);
  WriteOffset(bytes->size(), layout.next_offset, *bytes);
  return bytes;
}

ChainRule DecodeRule(Family family, std::span<const std::byte> entry,
                     std::string_view target) {
  const XtLayout& layout = LayoutOf(family);
  const std::size_t target_offset = layout.TargetOffset(entry.data());
  ChainRule rule;
  std::size_t offset = layout.size;
  while (offset < target_offset) {
    const auto* match =
        reinterpret_cast<const xt_entry_match*>(entry.data() + offset);
    const std::size_t size = match->u.match_size;
    rule.matches.push_back(
        DecodeMatch(family, ViewExtension(entry.subspan(offset, size))));
    offset += size;
  }
  const XtExtensionView view = ViewExtension(entry.subspan(offset));
  if (family == Family::kIpv4) {
    DecodeEntry<ipt_entry>(entry, target, view, rule);
  } else {
    DecodeEntry<ip6t_entry>(entry, target, view, rule);
  }
  return rule;
}

}  // namespace uplinkd
