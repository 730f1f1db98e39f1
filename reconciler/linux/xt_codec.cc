#include "reconciler/linux/xt_codec.h"

#include <endian.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include <bit>
#include <cstring>
#include <string>

#include "reconciler/linux/xt_codec_extension.h"
#include "reconciler/linux/xt_codec_match.h"
#include "reconciler/linux/xt_codec_target.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// ---- the header: addresses, interfaces, flags ----

std::uint32_t MaskOf(int length) {
  return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
}

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

Result<void> PackPrefix(const std::optional<PrefixMatch>& match,
                        in_addr& address, in_addr& mask, std::uint8_t inverted,
                        ipt_ip& header) {
  if (!match) return {};
  if (match->prefix.family() != Family::kIpv4 || match->prefix.IsDefault()) {
    return Fail(ErrorCode::kInvalidArgument,
                "no rule can match the prefix " + match->prefix.ToString());
  }
  address.s_addr = htobe32(match->prefix.network().ipv4());
  mask.s_addr = htobe32(MaskOf(match->prefix.length()));
  if (match->invert) header.invflags |= inverted;
  return {};
}

Result<ipt_ip> PackHeader(const ChainRule& rule) {
  ipt_ip header;
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
       }) {
    if (!packed) return tl::unexpected(packed.error());
  }
  header.proto = rule.protocol;
  const auto* jump = std::get_if<JumpTarget>(&rule.target);
  if (jump != nullptr && jump->go_to) header.flags |= IPT_F_GOTO;
  return header;
}

std::optional<PrefixMatch> UnpackPrefix(const in_addr& address,
                                        const in_addr& mask, bool inverted) {
  if (mask.s_addr == 0) return std::nullopt;
  const int length = std::countl_one(be32toh(mask.s_addr));
  return PrefixMatch{Prefix(Address::FromIpv4(be32toh(address.s_addr)), length),
                     inverted};
}

// For people. The digest makes it differ wherever the bytes differ.
std::string DescribeHeader(const ipt_ip& header) {
  std::string text;
  if ((header.flags & IPT_F_FRAG) != 0) text += "-f ";
  const auto bytes = std::as_bytes(std::span(&header, 1));
  return text + "header " + Digest(bytes);
}

// Fills all but the matches and the target, which must be there already.
void UnpackHeader(const ipt_ip& header, ChainRule& rule) {
  rule.in_interface = UnpackName(header.iniface);
  rule.out_interface = UnpackName(header.outiface);
  rule.source = UnpackPrefix(header.src, header.smsk,
                             (header.invflags & IPT_INV_SRCIP) != 0);
  rule.destination = UnpackPrefix(header.dst, header.dmsk,
                                  (header.invflags & IPT_INV_DSTIP) != 0);
  rule.protocol = static_cast<std::uint8_t>(header.proto);
  const Result<ipt_ip> ours = PackHeader(rule);
  if (!ours || std::memcmp(&*ours, &header, sizeof header) != 0) {
    rule.extra = DescribeHeader(header);
  }
}

// ---- the target ----

bool IsVerdict(std::string_view name) {
  return name == "ACCEPT" || name == "DROP" || name == "QUEUE";
}

Target UnpackTarget(const XtExtensionView& view, std::string_view target,
                    bool go_to) {
  // In the kernel a jump has no name of its own. A rule that libiptc has not
  // committed yet still carries the chain's or the verdict's; no extension has
  // our prefix, or the name of a verdict.
  if (view.name.empty() || IsOwnedChain(view.name) || view.name == "RETURN") {
    if (target.empty()) return ContinueTarget{};
    if (target == "RETURN") return ReturnTarget{};
    if (IsVerdict(target)) return OpaqueTarget{std::string(target)};
    return JumpTarget{std::string(target), go_to};
  }
  return DecodeExtensionTarget(view);
}

}  // namespace

Result<std::vector<std::byte>> EncodeRule(const ChainRule& rule) {
  if (!rule.extra.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign rule '" + rule.extra + "' cannot be written");
  }
  const Result<ipt_ip> header = PackHeader(rule);
  if (!header) return tl::unexpected(header.error());

  std::vector<std::byte> bytes(sizeof(ipt_entry));
  for (const Match& match : rule.matches) {
    const Result<XtExtension> extension = EncodeMatch(match);
    if (!extension) return tl::unexpected(extension.error());
    AppendExtension(*extension, bytes);
  }
  const std::size_t target_offset = bytes.size();
  const Result<XtExtension> target = EncodeTarget(rule.target);
  if (!target) return tl::unexpected(target.error());
  AppendExtension(*target, bytes);

  auto* entry = reinterpret_cast<ipt_entry*>(bytes.data());
  entry->ip = *header;
  entry->target_offset = static_cast<__u16>(target_offset);
  entry->next_offset = static_cast<__u16>(bytes.size());
  return bytes;
}

ChainRule DecodeRule(std::span<const std::byte> entry,
                     std::string_view target) {
  const auto* header = reinterpret_cast<const ipt_entry*>(entry.data());
  ChainRule rule;
  std::size_t offset = sizeof(ipt_entry);
  while (offset < header->target_offset) {
    const auto* match =
        reinterpret_cast<const xt_entry_match*>(entry.data() + offset);
    const std::size_t size = match->u.match_size;
    rule.matches.push_back(
        DecodeMatch(ViewExtension(entry.subspan(offset, size))));
    offset += size;
  }
  rule.target = UnpackTarget(ViewExtension(entry.subspan(offset)), target,
                             (header->ip.flags & IPT_F_GOTO) != 0);
  UnpackHeader(header->ip, rule);
  return rule;
}

}  // namespace uplinkd
