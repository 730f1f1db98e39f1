#include "reconciler/linux/xt_codec_target.h"

#include <endian.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_RATEEST.h>

#include <array>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

using NatRange = nf_nat_ipv4_multi_range_compat;

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
    if (target.address.family() != Family::kIpv4) {
      return Fail(ErrorCode::kInvalidArgument,
                  target.address.ToString() + " is not an IPv4 address");
    }
    auto data = PackData<NatRange>([&](auto& info) {
      info.rangesize = 1;
      info.range[0].flags = NF_NAT_RANGE_MAP_IPS;
      info.range[0].min_ip = htobe32(target.address.ipv4());
      info.range[0].max_ip = info.range[0].min_ip;
    });
    return XtExtension{"SNAT", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const MasqueradeTarget&) const {
    auto data = PackData<NatRange>([](auto& info) { info.rangesize = 1; });
    return XtExtension{"MASQUERADE", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const OpaqueTarget& target) const {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign target '" + target.text + "' cannot be written");
  }
};

using Data = std::span<const std::byte>;

// The decoders look only at what they need: DecodeExtensionTarget() compares
// the rest.

std::optional<Target> DecodeMark(Data data) {
  const auto info = UnpackData<xt_mark_tginfo2>(data);
  if (!info) return std::nullopt;
  return SetMarkTarget{{info->mark, info->mask}};
}

std::optional<Target> DecodeConnmark(Data data) {
  const auto info = UnpackData<xt_connmark_tginfo2>(data);
  if (!info) return std::nullopt;
  if (info->mode == XT_CONNMARK_SAVE) return SaveMarkTarget{info->ctmask};
  return RestoreMarkTarget{info->ctmask};
}

std::optional<Target> DecodeRateest(Data data) {
  const auto info = UnpackData<xt_rateest_target_info>(data);
  if (!info) return std::nullopt;
  return EstimateTarget{UnpackName(info->name), info->interval, info->ewma_log};
}

std::optional<Target> DecodeSnat(Data data) {
  const auto info = UnpackData<NatRange>(data);
  if (!info) return std::nullopt;
  return SnatTarget{Address::FromIpv4(be32toh(info->range[0].min_ip))};
}

std::optional<Target> DecodeMasquerade(Data) {
  return MasqueradeTarget{};
}

struct TargetDecoder {
  std::string_view name;
  std::uint8_t revision;
  std::optional<Target> (*decode)(Data);
};

constexpr std::array<TargetDecoder, 5> kDecoders{{
    {"MARK", 2, DecodeMark},
    {"CONNMARK", 2, DecodeConnmark},
    {"RATEEST", 0, DecodeRateest},
    {"SNAT", 0, DecodeSnat},
    {"MASQUERADE", 0, DecodeMasquerade},
}};

}  // namespace

Result<XtExtension> EncodeTarget(const Target& target) {
  return std::visit(TargetEncoder{}, target);
}

Target DecodeExtensionTarget(const XtExtensionView& view) {
  for (const TargetDecoder& decoder : kDecoders) {
    if (decoder.name != view.name || decoder.revision != view.revision) {
      continue;
    }
    const std::optional<Target> target = decoder.decode(view.data);
    if (!target) break;
    const Result<XtExtension> ours = EncodeTarget(*target);
    if (ours && SameBytes(*ours, view)) return *target;
    break;
  }
  return OpaqueTarget{OpaqueText(view)};
}

}  // namespace uplinkd
