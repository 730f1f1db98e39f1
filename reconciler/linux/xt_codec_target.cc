#include "reconciler/linux/xt_codec_target.h"

#include <endian.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_RATEEST.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// What translations take: NatRange for IPv4, NatRange6 for IPv6.
using NatRange = nf_nat_ipv4_multi_range_compat;
using NatRange6 = nf_nat_range;

std::vector<std::byte> PackRange(Family family, const Address& first,
                                 const Address& last, unsigned int flags) {
  const auto copy = [](const Address& address, auto& to) {
    std::memcpy(&to, address.bytes().data(), sizeof to);
  };
  if (family == Family::kIpv6) {
    return PackData<NatRange6>([&](auto& info) {
      info.flags = flags;
      copy(first, info.min_addr);
      copy(last, info.max_addr);
    });
  }
  return PackData<NatRange>([&](auto& info) {
    info.rangesize = 1;
    info.range[0].flags = flags;
    copy(first, info.range[0].min_ip);
    copy(last, info.range[0].max_ip);
  });
}

// The first and the last address of a range.
std::optional<std::pair<Address, Address>> UnpackRange(
    Family family, std::span<const std::byte> data) {
  if (family == Family::kIpv6) {
    const auto info = UnpackData<NatRange6>(data);
    if (!info) return std::nullopt;
    const auto address = [](const nf_inet_addr& from) {
      std::array<std::uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &from, sizeof from);
      return Address::FromBytes(Family::kIpv6, bytes);
    };
    return std::pair(address(info->min_addr), address(info->max_addr));
  }
  const auto info = UnpackData<NatRange>(data);
  if (!info) return std::nullopt;
  return std::pair(Address::FromIpv4(be32toh(info->range[0].min_ip)),
                   Address::FromIpv4(be32toh(info->range[0].max_ip)));
}

// The last address of a network.
Address LastOf(const Prefix& prefix) {
  std::array<std::uint8_t, 16> bytes = prefix.network().bytes();
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(prefix.length() - 8 * i, 0, 8);
    bytes[i] = static_cast<std::uint8_t>(bytes[i] | (0xff >> kept));
  }
  return Address::FromBytes(prefix.family(), bytes);
}

// How many bits two addresses have in common at their beginning.
int CommonBits(const Address& a, const Address& b) {
  int common = 0;
  for (std::size_t i = 0; i < a.bytes().size(); ++i) {
    const auto differs =
        static_cast<std::uint8_t>(a.bytes().at(i) ^ b.bytes().at(i));
    common += std::countl_zero(differs);
    if (differs != 0) break;
  }
  return std::min(common, FamilyBits(a.family()));
}

Result<XtExtension> OtherFamily(const std::string& what, Family family) {
  return Fail(ErrorCode::kInvalidArgument,
              what + " is not " + FamilyName(family));
}

constexpr std::uint8_t SnatRevision(Family family) {
  return family == Family::kIpv4 ? 0 : 1;
}

// A standard target names no extension: data is its verdict, which libiptc
// fills in.
XtExtension Standard(std::string_view name) {
  return {name, 0,
          std::vector<std::byte>(XT_ALIGN(sizeof(xt_standard_target)) -
                                 sizeof(xt_entry_target))};
}

XtExtension MoveMark(std::uint32_t mask, std::uint8_t mode) {
  auto data = PackData<xt_connmark_tginfo2>([&](auto& info) {
    info.ctmask = mask;
    info.nfmask = mask;
    info.mode = mode;
  });
  return {"CONNMARK", 2, std::move(data)};
}

struct TargetEncoder {
  Family family = Family::kIpv4;

  Result<XtExtension> operator()(const ContinueTarget&) const {
    return Standard("");
  }

  Result<XtExtension> operator()(const ReturnTarget&) const {
    return Standard("RETURN");
  }

  Result<XtExtension> operator()(const JumpTarget& target) const {
    if (target.chain.empty() || target.chain.size() > kMaxChainName) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "the chain name '" + target.chain + "' must have 1 to 28 characters");
    }
    return Standard(target.chain);
  }

  Result<XtExtension> operator()(const SetMarkTarget& target) const {
    auto data = PackData<xt_mark_tginfo2>([&](auto& info) {
      info.mark = target.mark.value;
      info.mask = target.mark.mask;
    });
    return XtExtension{"MARK", 2, std::move(data)};
  }

  Result<XtExtension> operator()(const SaveMarkTarget& target) const {
    return MoveMark(target.mask, XT_CONNMARK_SAVE);
  }

  Result<XtExtension> operator()(const RestoreMarkTarget& target) const {
    return MoveMark(target.mask, XT_CONNMARK_RESTORE);
  }

  Result<XtExtension> operator()(const EstimateTarget& target) const {
    Result<void> named;
    auto data = PackData<xt_rateest_target_info>([&](auto& info) {
      named = PackName(target.estimator, info.name);
      info.interval = target.interval_log2;
      info.ewma_log = target.ewma_log2;
    });
    if (!named) return tl::unexpected(named.error());
    return XtExtension{"RATEEST", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const SnatTarget& target) const {
    const Address& address = target.address;
    if (address.family() != family) {
      return OtherFamily(address.ToString(), family);
    }
    return XtExtension{
        "SNAT", SnatRevision(family),
        PackRange(family, address, address, NF_NAT_RANGE_MAP_IPS)};
  }

  Result<XtExtension> operator()(const MasqueradeTarget&) const {
    const Address any = Prefix::Default(family).network();
    return XtExtension{"MASQUERADE", 0, PackRange(family, any, any, 0)};
  }

  Result<XtExtension> operator()(const NetmapTarget& target) const {
    const Prefix& prefix = target.prefix;
    if (prefix.family() != family) {
      return OtherFamily(prefix.ToString(), family);
    }
    return XtExtension{"NETMAP", 0,
                       PackRange(family, prefix.network(), LastOf(prefix),
                                 NF_NAT_RANGE_MAP_IPS)};
  }

  Result<XtExtension> operator()(const OpaqueTarget& target) const {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign target '" + target.text + "' cannot be written");
  }
};

using Data = std::span<const std::byte>;

// The decoders look only at what they need: DecodeExtensionTarget() compares
// the rest.

std::optional<Target> DecodeMark(Family, Data data) {
  const auto info = UnpackData<xt_mark_tginfo2>(data);
  if (!info) return std::nullopt;
  return SetMarkTarget{{info->mark, info->mask}};
}

std::optional<Target> DecodeConnmark(Family, Data data) {
  const auto info = UnpackData<xt_connmark_tginfo2>(data);
  if (!info) return std::nullopt;
  if (info->mode == XT_CONNMARK_SAVE) return SaveMarkTarget{info->ctmask};
  return RestoreMarkTarget{info->ctmask};
}

std::optional<Target> DecodeRateest(Family, Data data) {
  const auto info = UnpackData<xt_rateest_target_info>(data);
  // What gen_new_estimator() of the kernel refuses is no estimator.
  if (!info || info->interval < -2 || info->interval > 3 ||
      info->ewma_log < 1 || info->ewma_log > 30) {
    return std::nullopt;
  }
  return EstimateTarget{UnpackName(info->name), info->interval, info->ewma_log};
}

std::optional<Target> DecodeSnat(Family family, Data data) {
  const auto range = UnpackRange(family, data);
  if (!range) return std::nullopt;
  return SnatTarget{range->first};
}

std::optional<Target> DecodeMasquerade(Family, Data) {
  return MasqueradeTarget{};
}

std::optional<Target> DecodeNetmap(Family family, Data data) {
  const auto range = UnpackRange(family, data);
  if (!range) return std::nullopt;
  return NetmapTarget{
      Prefix(range->first, CommonBits(range->first, range->second))};
}

struct TargetDecoder {
  std::string_view name;
  std::uint8_t revision;
  std::optional<Target> (*decode)(Family, Data);
};

constexpr std::array<TargetDecoder, 7> kDecoders{{
    {"MARK", 2, DecodeMark},
    {"CONNMARK", 2, DecodeConnmark},
    {"RATEEST", 0, DecodeRateest},
    {"SNAT", SnatRevision(Family::kIpv4), DecodeSnat},
    {"SNAT", SnatRevision(Family::kIpv6), DecodeSnat},
    {"MASQUERADE", 0, DecodeMasquerade},
    {"NETMAP", 0, DecodeNetmap},
}};

}  // namespace

Result<XtExtension> EncodeTarget(Family family, const Target& target) {
  return std::visit(TargetEncoder{family}, target);
}

Target DecodeExtensionTarget(Family family, const XtExtensionView& view) {
  for (const TargetDecoder& decoder : kDecoders) {
    if (decoder.name != view.name || decoder.revision != view.revision) {
      continue;
    }
    const std::optional<Target> target = decoder.decode(family, view.data);
    if (!target) break;
    const Result<XtExtension> ours = EncodeTarget(family, *target);
    if (ours && SameBytes(*ours, view)) return *target;
    break;
  }
  return OpaqueTarget{OpaqueText(view)};
}

}  // namespace uplinkd
