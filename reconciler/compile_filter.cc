#include "reconciler/compile_filter.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "reconciler/compile_policy.h"

namespace uplinkd {
namespace {

// What no uplink is for. IPv4: multicast, the reserved block and broadcast,
// 224.0.0.0/3. IPv6: link-local addresses and multicast.
std::set<Prefix> NeverRouted(Family family) {
  if (family == Family::kIpv4) return {{Address::FromIpv4(0xe0000000), 3}};
  return {{Address::FromBytes(family, {0xfe, 0x80}), 10},
          {Address::FromBytes(family, {0xff}), 8}};
}

void AddOwnNetworks(const std::optional<Link>& link, Family family,
                    std::set<Prefix>& all) {
  if (!link) return;
  for (const LinkAddress& address : AddressesIn(*link, family)) {
    all.insert(address.network);
    all.insert(Prefix::Host(address.local));
  }
}

// Without those that lie within another one. In their order a prefix stands
// right before everything that it contains.
std::vector<Prefix> Outermost(const std::set<Prefix>& all) {
  std::vector<Prefix> outermost;
  for (const Prefix& prefix : all) {
    if (outermost.empty() || !outermost.back().Contains(prefix)) {
      outermost.push_back(prefix);
    }
  }
  return outermost;
}

std::vector<Prefix> InternalDestinations(
    Family family, const std::vector<ResolvedUplink>& uplinks,
    const std::vector<ResolvedLan>& lans) {
  std::set<Prefix> all = NeverRouted(family);
  for (const ResolvedUplink& uplink : uplinks) {
    AddOwnNetworks(uplink.link, family, all);
  }
  for (const ResolvedLan& lan : lans) {
    AddOwnNetworks(lan.link, family, all);
    all.insert(lan.networks.begin(), lan.networks.end());
  }
  return Outermost(all);
}

// Whether the uplink has what its translation needs.
bool CanTranslate(const ResolvedUplink& resolved) {
  if (resolved.phase == UplinkPhase::kDisabled) return false;
  switch (resolved.nat()) {
    case Nat::kSnat: return resolved.address.has_value();
    case Nat::kPrefix: return resolved.prefix && resolved.address;
    default: return true;
  }
}

// What leaves by a shared interface without a sharer's fate, since main routes
// it: a sharer's address is that of a socket which is bound to it, and stays.
// For all else the kernel takes the address that is next to the gateway that
// main chose. By interface; none where no sharer translates.
std::map<std::string, SourceNat> RestOfShared(
    const std::vector<ResolvedUplink>& uplinks) {
  std::map<std::string, SourceNat> rest;
  for (const ResolvedUplink& resolved : uplinks) {
    if (!resolved.shared || !CanTranslate(resolved)) continue;
    SourceNat none{.interface = resolved.uplink.interface,
                   .nat = Nat::kNone,
                   .address = std::nullopt,
                   .prefix = std::nullopt,
                   .fate = std::nullopt,
                   .except = {}};
    SourceNat& nat =
        rest.try_emplace(none.interface, std::move(none)).first->second;
    if (resolved.nat() != Nat::kNone) nat.nat = Nat::kMasquerade;
    if (resolved.address) nat.except.push_back(*resolved.address);
  }
  std::erase_if(
      rest, [](const auto& entry) { return entry.second.nat == Nat::kNone; });
  return rest;
}

std::vector<SourceNat> Translations(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks) {
  std::map<std::string, SourceNat> rest = RestOfShared(uplinks);
  std::vector<SourceNat> all;
  for (const ResolvedUplink& resolved : uplinks) {
    const std::string& interface = resolved.uplink.interface;
    if (!CanTranslate(resolved)) continue;
    // That one is not translated must be said where another one is.
    if (resolved.nat() == Nat::kNone && !rest.contains(interface)) continue;
    SourceNat nat{.interface = interface,
                  .nat = resolved.nat(),
                  .address = resolved.address,
                  .prefix = resolved.prefix,
                  .fate = std::nullopt,
                  .except = {}};
    if (resolved.shared) nat.fate = MarkOf(spec, resolved.uplink.id);
    all.push_back(std::move(nat));
  }
  // Those for one fate alone come first, so that one which is still needed
  // stands before whatever takes its place.
  std::stable_partition(all.begin(), all.end(), [](const SourceNat& nat) {
    return nat.fate.has_value();
  });
  for (auto& [interface, nat] : rest) all.push_back(std::move(nat));
  return all;
}

void CompileNat(const Spec& spec, const std::vector<ResolvedUplink>& uplinks,
                const std::vector<ResolvedLan>& lans, FilterIntent& intent) {
  std::set<Prefix> sources;
  std::set<Prefix> own;
  for (const ResolvedLan& lan : lans) {
    sources.insert(lan.networks.begin(), lan.networks.end());
  }
  for (const ResolvedUplink& resolved : uplinks) {
    if (resolved.address) own.insert(Prefix::Host(*resolved.address));
  }
  sources.insert(own.begin(), own.end());
  intent.nat = Translations(spec, uplinks);
  intent.nat_sources = Outermost(sources);
  intent.own_sources.assign(own.begin(), own.end());
}

// What `use` stands for.
TrafficVerdict VerdictOf(const std::string& use,
                         const std::vector<ResolvedUplink>& uplinks,
                         FilterIntent& intent) {
  const auto uplink = std::ranges::find(
      uplinks, use,
      [](const ResolvedUplink& resolved) { return resolved.uplink.name; });
  if (uplink != uplinks.end()) {
    const UplinkId id = uplink->uplink.id;
    intent.only[id] = uplink->Ready();
    return UplinkVerdict{id};
  }
  if (intent.choices.contains(use)) return PolicyVerdict{use};
  return MainVerdict{};
}

// Leaves only the addresses of that family in `prefixes`. False: there were
// others only.
bool Narrow(Family family, std::vector<Prefix>& prefixes) {
  const bool any = prefixes.empty();
  std::erase_if(prefixes,
                [family](const Prefix& p) { return p.family() != family; });
  return any || !prefixes.empty();
}

// ICMP goes by another number in IPv6, and means the same. False: that number
// is asked for in IPv4.
bool Narrow(Family family, std::optional<std::uint8_t>& protocol) {
  if (family == Family::kIpv6 && protocol == kIcmp) {
    protocol = kIcmpv6;
  }
  return family == Family::kIpv6 || protocol != kIcmpv6;
}

// Leaves of the rule what is about that family. False: nothing is.
bool Narrow(Family family, TrafficRule& rule) {
  TrafficMatch& match = rule.match;
  if (!Narrow(family, match.protocol)) return false;
  Narrow(family, rule.except.protocol);
  const bool ipv6 = family == Family::kIpv6;
  const bool from = Narrow(family, match.source);
  const bool to = Narrow(family, match.destination);
  // Sets are of IPv4 addresses.
  const bool of_set =
      !match.source_set.empty() || !match.destination_set.empty();
  if (!from || !to || (ipv6 && of_set)) return false;
  Narrow(family, rule.except.source);
  Narrow(family, rule.except.destination);
  if (ipv6) {
    rule.except.source_set.clear();
    rule.except.destination_set.clear();
  }
  return true;
}

void CompileTraffic(const Spec& spec, const Facts& facts,
                    const std::vector<ResolvedUplink>& uplinks,
                    FilterIntent& intent) {
  LocalIntent local;
  for (TrafficRule rule : spec.traffic) {
    // The kernel takes no rule about a set that is not there. Neither half of
    // such a rule would be what was asked for.
    if (!std::ranges::includes(facts.ipsets, IpsetsOf(rule))) continue;
    // No packet of this family is from or to an address of the other one.
    if (!Narrow(intent.family, rule)) continue;
    std::vector<TrafficIntent>& rules =
        IsLocal(rule) ? local.traffic : intent.traffic;
    rules.push_back({rule.name, rule.match, rule.except,
                     VerdictOf(rule.use, uplinks, intent)});
  }
  local.otherwise = VerdictOf(spec.local_use, uplinks, intent);
  if (!BalancesLocal(spec)) return;
  for (const ResolvedUplink& uplink : uplinks) {
    const std::optional<Address>& usual = uplink.family == Family::kIpv4
                                              ? facts.default_source
                                              : facts.default_source6;
    if (!uplink.SetUp() || uplink.address == usual) continue;
    local.bound[*uplink.address] = MarkOf(spec, uplink.uplink.id);
  }
  intent.local = std::move(local);
}

// Whether it has probes that go by that family.
bool Asks(const Uplink& uplink, Family family) {
  return uplink.health &&
         std::ranges::any_of(uplink.health->probes, [family](const Probe& p) {
           return FamilyOf(p) == family;
         });
}

// An interface with one uplink has its fate. Of sharers the destination tells
// which one it is, and what is for neither, such as a network that is routed to
// here, is the first one's.
void CompileArrivals(const Spec& spec,
                     const std::vector<ResolvedUplink>& uplinks,
                     FilterIntent& intent) {
  const auto arrivals = [&](const ResolvedUplink& resolved) -> Arrivals& {
    const Mark fate = MarkOf(spec, resolved.uplink.id);
    Arrivals first{.to = {}, .otherwise = fate};
    return intent.arrivals
        .try_emplace(resolved.uplink.interface, std::move(first))
        .first->second;
  };
  for (const ResolvedUplink& resolved : uplinks) {
    if (!resolved.SetUp()) continue;
    Arrivals& all = arrivals(resolved);
    if (!resolved.shared) continue;
    all.to.push_back(
        {Prefix::Host(*resolved.address), MarkOf(spec, resolved.uplink.id)});
  }
  // Behind the addresses, one of which may lie in another's prefix.
  for (const ResolvedUplink& resolved : uplinks) {
    if (!resolved.SetUp() || !resolved.shared || !resolved.prefix) continue;
    arrivals(resolved).to.push_back(
        {*resolved.prefix, MarkOf(spec, resolved.uplink.id)});
  }
}

}  // namespace

bool BalancesLocal(const Spec& spec) {
  return spec.local_use != kUseMain ||
         std::ranges::any_of(spec.traffic, IsLocal);
}

FilterIntent CompileFilter(const Spec& spec, const Facts& facts, Family family,
                           const std::vector<ResolvedUplink>& uplinks,
                           const std::vector<ResolvedLan>& lans) {
  FilterIntent intent;
  intent.family = family;
  intent.mark_mask = spec.mark_mask;
  const bool multipath = spec.balance.algorithm == Algorithm::kMultipath;
  for (const ResolvedUplink& resolved : uplinks) {
    const Uplink& uplink = resolved.uplink;
    if (Asks(uplink, family)) intent.bypass = BypassMark(spec.mark_mask);
    // Of a shared interface the kernel's route chose a gateway that only it
    // knows.
    if (multipath && resolved.Carries() && !resolved.shared) {
      intent.departures[uplink.interface] = MarkOf(spec, uplink.id);
    }
  }
  CompileArrivals(spec, uplinks, intent);
  for (const ResolvedLan& lan : lans) {
    if (!lan.networks.empty()) {
      intent.lans.push_back({lan.interface, lan.networks});
    }
  }
  intent.internal = InternalDestinations(family, uplinks, lans);
  if (family == Family::kIpv6) {
    const std::set<Prefix> never = NeverRouted(family);
    intent.on_link.assign(never.begin(), never.end());
  }
  if (!multipath) {
    intent.choices[kBalance] =
        CompileChoice(spec, spec.balance, uplinks, facts);
  }
  for (const Policy& policy : spec.policies) {
    intent.choices[policy.name] = CompileChoice(spec, policy, uplinks, facts);
  }
  intent.estimators = CompileEstimators(spec, uplinks);
  CompileTraffic(spec, facts, uplinks, intent);
  CompileNat(spec, uplinks, lans, intent);
  return intent;
}

}  // namespace uplinkd
