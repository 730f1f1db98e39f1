#include "reconciler/linux/xt_codec_match.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_cluster.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_dscp.h>
#include <linux/netfilter/xt_hashlimit.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_owner.h>
#include <linux/netfilter/xt_rateest.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter/xt_statistic.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "reconciler/linux/ipset.h"

namespace uplinkd {
namespace {

constexpr std::uint16_t kStateNew =
    XT_CONNTRACK_STATE_BIT(IP_CT_NEW);  // 8: --ctstate NEW

constexpr std::uint16_t kComparesCapacity =
    XT_RATEEST_MATCH_DELTA | XT_RATEEST_MATCH_BPS;

struct MatchEncoder {
  Family family = Family::kIpv4;

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

  Result<XtExtension> operator()(const ClientListMatch& match) const {
    if ((match.operation == ClientListMatch::Operation::kHolds) !=
        (match.seconds != 0)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "a look at a list of clients has an age, a change has none");
    }
    Result<void> named;
    auto data = PackData<xt_recent_mtinfo_v1>([&](auto& info) {
      info.check_set = OperationFlag(match.operation);
      info.seconds = match.seconds;
      info.side = XT_RECENT_SOURCE;
      // Every source is an entry of its own. The program's default has more
      // bits than an address, which a restore of its own save has not.
      std::memset(&info.mask, 0xff,
                  static_cast<std::size_t>(FamilyBits(family)) / 8);
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

  Result<XtExtension> operator()(const PortsMatch& match) const {
    bool fits = true;
    auto data = PackData<xt_multiport_v1>([&](auto& info) {
      info.flags = match.side == PortsMatch::Side::kSource
                       ? XT_MULTIPORT_SOURCE
                       : XT_MULTIPORT_DESTINATION;
      info.invert = match.invert;
      for (const PortRange& range : match.ports) {
        const bool single = range.first == range.last;
        fits = fits && info.count + (single ? 1 : 2) <= XT_MULTI_PORTS;
        if (!fits) return;
        info.ports[info.count] = range.first;
        info.pflags[info.count++] = !single;  // the next one ends a range
        if (!single) info.ports[info.count++] = range.last;
      }
    });
    if (!fits || match.ports.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "one match holds 1 to 15 ports, a range being two");
    }
    return XtExtension{"multiport", 1, std::move(data)};
  }

  Result<XtExtension> operator()(const DscpMatch& match) const {
    auto data = PackData<xt_dscp_info>([&](auto& info) {
      info.dscp = match.dscp;
      info.invert = match.invert;
    });
    return XtExtension{"dscp", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const MacMatch& match) const {
    auto data = PackData<xt_mac_info>([&](auto& info) {
      std::ranges::copy(match.source, info.srcaddr);
      info.invert = match.invert;
    });
    return XtExtension{"mac", 0, std::move(data)};
  }

  Result<XtExtension> operator()(const OwnerMatch& match) const {
    auto data = PackData<xt_owner_match_info>([&](auto& info) {
      info.uid_min = match.uid.first;
      info.uid_max = match.uid.last;
      info.match = XT_OWNER_UID;
      info.invert = match.invert ? XT_OWNER_UID : 0;
    });
    return XtExtension{"owner", 1, std::move(data)};
  }

  Result<XtExtension> operator()(const BudgetMatch& match) const {
    if (match.interval == 0) {
      return Fail(ErrorCode::kInvalidArgument, "a budget without an interval");
    }
    Result<void> named;
    auto data = PackData<xt_hashlimit_mtinfo3>([&](auto& info) {
      named = PackName(match.name, info.name);
      info.cfg.mode = KeyMode(match.key);
      if (match.invert) info.cfg.mode |= XT_HASHLIMIT_INVERT;
      info.cfg.avg = match.interval;
      info.cfg.burst = match.burst;
      // The program's defaults.
      info.cfg.gc_interval = 1000;
      info.cfg.expire =
          static_cast<__u32>(RateOf(match).unit / std::chrono::milliseconds(1));
      info.cfg.srcmask = static_cast<__u8>(FamilyBits(family));
      info.cfg.dstmask = info.cfg.srcmask;
    });
    if (!named) return tl::unexpected(named.error());
    return XtExtension{"hashlimit", 3, std::move(data)};
  }

  Result<XtExtension> operator()(const IpsetMatch& match) const {
    const Result<std::uint16_t> number = FindIpset(match.set);
    if (!number) return tl::unexpected(number.error());
    auto data = PackData<xt_set_info_match_v4>([&](auto& info) {
      info.match_set.index = *number;
      info.match_set.dim = IPSET_DIM_ONE;
      if (match.side == IpsetMatch::Side::kSource) {
        info.match_set.flags |= IPSET_DIM_ONE_SRC;
      }
      if (match.invert) info.match_set.flags |= IPSET_INV_MATCH;
    });
    return XtExtension{"set", 4, std::move(data)};
  }

  Result<XtExtension> operator()(const OpaqueMatch& match) const {
    return Fail(ErrorCode::kInvalidArgument,
                "the foreign match '" + match.text + "' cannot be written");
  }

  static std::uint32_t KeyMode(LimitKey key) {
    switch (key) {
      case LimitKey::kAll: return 0;
      case LimitKey::kSource: return XT_HASHLIMIT_HASH_SIP;
      case LimitKey::kDestination: return XT_HASHLIMIT_HASH_DIP;
      case LimitKey::kSourceDestination:
        return XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_HASH_DIP;
    }
    return 0;
  }

  static std::uint8_t OperationFlag(ClientListMatch::Operation operation) {
    switch (operation) {
      case ClientListMatch::Operation::kHolds: return XT_RECENT_CHECK;
      case ClientListMatch::Operation::kAdd: return XT_RECENT_SET;
      case ClientListMatch::Operation::kRemove: return XT_RECENT_REMOVE;
    }
    return 0;
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

Match DecodeClientList(const xt_recent_mtinfo_v1& info) {
  ClientListMatch match{UnpackName(info.name),
                        ClientListMatch::Operation::kHolds, info.seconds};
  if (info.check_set == XT_RECENT_SET) {
    match.operation = ClientListMatch::Operation::kAdd;
  } else if (info.check_set == XT_RECENT_REMOVE) {
    match.operation = ClientListMatch::Operation::kRemove;
  }
  return match;
}

std::optional<Match> DecodeRecent(Data data) {
  const auto info = UnpackData<xt_recent_mtinfo_v1>(data);
  if (!info) return std::nullopt;
  if (info->mask.ip != 0) return DecodeClientList(*info);
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

std::optional<Match> DecodeMultiport(Data data) {
  const auto info = UnpackData<xt_multiport_v1>(data);
  if (!info || info->count > XT_MULTI_PORTS) return std::nullopt;
  PortsMatch match;
  match.side = info->flags == XT_MULTIPORT_SOURCE
                   ? PortsMatch::Side::kSource
                   : PortsMatch::Side::kDestination;
  match.invert = info->invert != 0;
  for (std::uint8_t i = 0; i < info->count; ++i) {
    PortRange range{info->ports[i], info->ports[i]};
    if (info->pflags[i] != 0 && i + 1 < info->count) {
      range.last = info->ports[++i];
    }
    match.ports.push_back(range);
  }
  return match;
}

std::optional<Match> DecodeDscp(Data data) {
  const auto info = UnpackData<xt_dscp_info>(data);
  if (!info) return std::nullopt;
  return DscpMatch{info->dscp, info->invert != 0};
}

std::optional<Match> DecodeMac(Data data) {
  const auto info = UnpackData<xt_mac_info>(data);
  if (!info) return std::nullopt;
  MacMatch match{{}, info->invert != 0};
  std::ranges::copy(info->srcaddr, match.source.begin());
  return match;
}

std::optional<Match> DecodeOwner(Data data) {
  const auto info = UnpackData<xt_owner_match_info>(data);
  if (!info) return std::nullopt;
  return OwnerMatch{{info->uid_min, info->uid_max}, info->invert != 0};
}

std::optional<Match> DecodeHashlimit(Data data) {
  const auto info = UnpackData<xt_hashlimit_mtinfo3>(data);
  if (!info) return std::nullopt;
  BudgetMatch match{UnpackName(info->name), info->cfg.avg,
                    static_cast<std::uint32_t>(info->cfg.burst)};
  match.invert = (info->cfg.mode & XT_HASHLIMIT_INVERT) != 0;
  const bool source = (info->cfg.mode & XT_HASHLIMIT_HASH_SIP) != 0;
  const bool destination = (info->cfg.mode & XT_HASHLIMIT_HASH_DIP) != 0;
  if (source && destination) {
    match.key = LimitKey::kSourceDestination;
  } else if (source) {
    match.key = LimitKey::kSource;
  } else if (destination) {
    match.key = LimitKey::kDestination;
  }
  return match;
}

std::optional<Match> DecodeSet(Data data) {
  const auto info = UnpackData<xt_set_info_match_v4>(data);
  if (!info) return std::nullopt;
  const Result<std::string> name = NameOfIpset(info->match_set.index);
  if (!name) return std::nullopt;
  IpsetMatch match{*name, IpsetMatch::Side::kDestination};
  if ((info->match_set.flags & IPSET_DIM_ONE_SRC) != 0) {
    match.side = IpsetMatch::Side::kSource;
  }
  match.invert = (info->match_set.flags & IPSET_INV_MATCH) != 0;
  return match;
}

struct MatchDecoder {
  std::string_view name;
  std::uint8_t revision;
  std::optional<Match> (*decode)(Data);
};

constexpr std::array<MatchDecoder, 13> kDecoders{{
    {"mark", 1, DecodeMark},
    {"connmark", 1, DecodeConnmark},
    {"conntrack", 3, DecodeConntrack},
    {"statistic", 0, DecodeStatistic},
    {"cluster", 0, DecodeCluster},
    {"recent", 1, DecodeRecent},
    {"rateest", 0, DecodeRateest},
    {"multiport", 1, DecodeMultiport},
    {"dscp", 0, DecodeDscp},
    {"mac", 0, DecodeMac},
    {"owner", 1, DecodeOwner},
    {"hashlimit", 3, DecodeHashlimit},
    {"set", 4, DecodeSet},
}};

}  // namespace

Result<XtExtension> EncodeMatch(Family family, const Match& match) {
  return std::visit(MatchEncoder{family}, match);
}

Match DecodeMatch(Family family, const XtExtensionView& view) {
  for (const MatchDecoder& decoder : kDecoders) {
    if (decoder.name != view.name || decoder.revision != view.revision) {
      continue;
    }
    const std::optional<Match> match = decoder.decode(view.data);
    if (!match) break;
    const Result<XtExtension> ours = EncodeMatch(family, *match);
    if (ours && SameBytes(*ours, view)) return *match;
    break;
  }
  return OpaqueMatch{OpaqueText(view)};
}

}  // namespace uplinkd
