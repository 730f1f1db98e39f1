#include "reconciler/linux/xt_codec_match.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_cluster.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_rateest.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_statistic.h>

#include <array>
#include <cstring>
#include <utility>

namespace uplinkd {
namespace {

constexpr std::uint16_t kStateNew =
    XT_CONNTRACK_STATE_BIT(IP_CT_NEW);  // 8: --ctstate NEW

constexpr std::uint16_t kComparesCapacity =
    XT_RATEEST_MATCH_DELTA | XT_RATEEST_MATCH_BPS;

struct MatchEncoder {
  Result<XtExtension> operator()(const MarkMatch& match) const {
    auto data = PackData<xt_mark_mtinfo1>([&](auto& info) {
      info.mark = match.mark.value;
      info.mask = match.mark.mask;
      info.invert = match.invert;
    });
    return XtExtension{"mark", 1, std::move(data)};
  }

  Result<XtExtension> operator()(const ConnmarkMatch& match) const {
    auto data = PackData<xt_connmark_mtinfo1>([&](auto& info) {
      info.mark = match.mark.value;
      info.mask = match.mark.mask;
      info.invert = match.invert;
    });
    return XtExtension{"connmark", 1, std::move(data)};
  }

  Result<XtExtension> operator()(const NewConnectionMatch&) const {
    auto data = PackData<xt_conntrack_mtinfo3>([](auto& info) {
      info.match_flags = XT_CONNTRACK_STATE;
      info.state_mask = kStateNew;
    });
    return XtExtension{"conntrack", 3, std::move(data)};
  }

  Result<XtExtension> operator()(const RandomMatch& match) const {
    auto data = PackData<xt_statistic_info>([&](auto& info) {
      info.mode = XT_STATISTIC_MODE_RANDOM;
      info.u.random.probability = match.threshold;
      // The program computes `count` in every mode, and `every` shares its
      // place with the probability.
      info.u.nth.count = match.threshold;
    });
    return XtExtension{"statistic", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const SourceCoinMatch& match) const {
    auto data = PackData<xt_cluster_match_info>([&](auto& info) {
      info.total_nodes = 2;
      info.node_mask = 1;
      info.hash_seed = match.seed;
      info.flags = match.invert ? __u32{XT_CLUSTER_F_INV} : 0;
    });
    return XtExtension{"cluster", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const CounterMatch& match) const {
    Result<void> named;
    auto data = PackData<xt_recent_mtinfo_v1>([&](auto& info) {
      info.check_set = OperationFlag(match.operation);
      info.hit_count = match.hits;
      info.side = XT_RECENT_SOURCE;
      // The mask stays zero: every source is one and the same entry.
      // The program writes the name and its NUL over its default name, and
      // compares what is left of that.
      std::memcpy(info.name, "DEFAULT", sizeof "DEFAULT");
      named = PackName(match.name, info.name);
    });
    if (!named) return tl::unexpected(named.error());
    return XtExtension{"recent", 1, std::move(data)};
  }

  Result<XtExtension> operator()(const FreeCapacityMatch& match) const {
    Result<void> left;
    Result<void> right;
    auto data = PackData<xt_rateest_match_info>([&](auto& info) {
      left = PackName(match.left.estimator, info.name1);
      info.bps1 = match.left.capacity;
      if (match.right) {
        right = PackName(match.right->estimator, info.name2);
        info.bps2 = match.right->capacity;
        info.flags = kComparesCapacity | XT_RATEEST_MATCH_REL;
        info.mode = XT_RATEEST_MATCH_GT;
      } else {
        info.flags = kComparesCapacity | XT_RATEEST_MATCH_ABS;
        info.mode = XT_RATEEST_MATCH_EQ;  // with bps2, which is zero
      }
    });
    if (!left) return tl::unexpected(left.error());
    if (!right) return tl::unexpected(right.error());
    return XtExtension{"rateest", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const OpaqueMatch& match) const {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign match '" + match.text + "' cannot be written");
  }

  static std::uint8_t OperationFlag(CounterMatch::Operation operation) {
    switch (operation) {
      case CounterMatch::Operation::kAtLeast: return XT_RECENT_CHECK;
      case CounterMatch::Operation::kIncrement: return XT_RECENT_SET;
      case CounterMatch::Operation::kReset: return XT_RECENT_REMOVE;
    }
    return 0;
  }
};

using Data = std::span<const std::byte>;

// The decoders look only at what they need: DecodeMatch() compares the rest.

std::optional<Match> DecodeMark(Data data) {
  const auto info = UnpackData<xt_mark_mtinfo1>(data);
  if (!info) return std::nullopt;
  return MarkMatch{{info->mark, info->mask}, info->invert != 0};
}

std::optional<Match> DecodeConnmark(Data data) {
  const auto info = UnpackData<xt_connmark_mtinfo1>(data);
  if (!info) return std::nullopt;
  return ConnmarkMatch{{info->mark, info->mask}, info->invert != 0};
}

std::optional<Match> DecodeConntrack(Data) {
  return NewConnectionMatch{};
}

std::optional<Match> DecodeStatistic(Data data) {
  const auto info = UnpackData<xt_statistic_info>(data);
  if (!info) return std::nullopt;
  return RandomMatch{info->u.random.probability};
}

std::optional<Match> DecodeCluster(Data data) {
  const auto info = UnpackData<xt_cluster_match_info>(data);
  if (!info) return std::nullopt;
  return SourceCoinMatch{info->hash_seed, info->flags != 0};
}

std::optional<Match> DecodeRecent(Data data) {
  const auto info = UnpackData<xt_recent_mtinfo_v1>(data);
  if (!info) return std::nullopt;
  CounterMatch match{UnpackName(info->name), CounterMatch::Operation::kAtLeast,
                     info->hit_count};
  if (info->check_set == XT_RECENT_SET) {
    match.operation = CounterMatch::Operation::kIncrement;
  } else if (info->check_set == XT_RECENT_REMOVE) {
    match.operation = CounterMatch::Operation::kReset;
  }
  return match;
}

std::optional<Match> DecodeRateest(Data data) {
  const auto info = UnpackData<xt_rateest_match_info>(data);
  if (!info) return std::nullopt;
  FreeCapacityMatch match{{UnpackName(info->name1), info->bps1}, std::nullopt};
  if ((info->flags & XT_RATEEST_MATCH_REL) != 0) {
    match.right = {UnpackName(info->name2), info->bps2};
  }
  return match;
}

struct MatchDecoder {
  std::string_view name;
  std::uint8_t revision;
  std::optional<Match> (*decode)(Data);
};

constexpr std::array<MatchDecoder, 7> kDecoders{{
    {"mark", 1, DecodeMark},
    {"connmark", 1, DecodeConnmark},
    {"conntrack", 3, DecodeConntrack},
    {"statistic", 0, DecodeStatistic},
    {"cluster", 0, DecodeCluster},
    {"recent", 1, DecodeRecent},
    {"rateest", 0, DecodeRateest},
}};

}  // namespace

Result<XtExtension> EncodeMatch(const Match& match) {
  return std::visit(MatchEncoder{}, match);
}

Match DecodeMatch(const XtExtensionView& view) {
  for (const MatchDecoder& decoder : kDecoders) {
    if (decoder.name != view.name || decoder.revision != view.revision) {
      continue;
    }
    const std::optional<Match> match = decoder.decode(view.data);
    if (!match) break;
    const Result<XtExtension> ours = EncodeMatch(*match);
    if (ours && SameBytes(*ours, view)) return *match;
    break;
  }
  return OpaqueMatch{OpaqueText(view)};
}

}  // namespace uplinkd
