#include "reconciler/compile_filter.h"

#include <algorithm>
#include <set>
#include <utility>

#include "reconciler/compile_policy.h"

namespace uplinkd {
namespace {

// Multicast, the reserved block and broadcast: 224.0.0.0/3.
Prefix MulticastAndReserved() {
  return {Address::FromIpv4(0xe0000000), 3};
}

void AddOwnNetworks(const std::optional<Link>& link, std::set<Prefix>& all) {
  if (!link) return;
  for (const LinkAddress& address : Ipv4Addresses(*link)) {
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
    const std::vector<ResolvedUplink>& uplinks,
    const std::vector<ResolvedLan>& lans) {
  std::set<Prefix> all = {MulticastAndReserved()};
  for (const ResolvedUplink& uplink : uplinks) AddOwnNetworks(uplink.link, all);
  for (const ResolvedLan& lan : lans) {
    AddOwnNetworks(lan.link, all);
    all.insert(lan.networks.begin(), lan.networks.end());
  }
  return Outermost(all);
}

void CompileNat(const std::vector<ResolvedUplink>& uplinks,
                const std::vector<ResolvedLan>& lans, FilterIntent& intent) {
  std::set<Prefix> sources;
  for (const ResolvedLan& lan : lans) {
    sources.insert(lan.networks.begin(), lan.networks.end());
  }
  for (const ResolvedUplink& resolved : uplinks) {
    if (resolved.address) sources.insert(Prefix::Host(*resolved.address));
    const Nat nat = resolved.uplink.nat;
    const bool disabled = resolved.phase == UplinkPhase::kDisabled;
    if (nat == Nat::kNone || disabled) continue;
    if (nat == Nat::kSnat && !resolved.address) continue;
    intent.nat.push_back({resolved.uplink.interface, nat, resolved.address});
  }
  intent.nat_sources = Outermost(sources);
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

void CompileTraffic(const Spec& spec, const Facts& facts,
                    const std::vector<ResolvedUplink>& uplinks,
                    FilterIntent& intent) {
  LocalIntent local;
  for (const TrafficRule& rule : spec.traffic) {
    // The kernel takes no rule about a set that is not there. Neither half of
    // such a rule would be what was asked for.
    if (!std::ranges::includes(facts.ipsets, IpsetsOf(rule))) continue;
    std::vector<TrafficIntent>& rules =
        IsLocal(rule) ? local.traffic : intent.traffic;
    rules.push_back({rule.name, rule.match, rule.except,
                     VerdictOf(rule.use, uplinks, intent)});
  }
  local.otherwise = VerdictOf(spec.local_use, uplinks, intent);
  if (!BalancesLocal(spec)) return;
  for (const ResolvedUplink& uplink : uplinks) {
    if (!uplink.SetUp() || uplink.address == facts.default_source) continue;
    local.bound[*uplink.address] = MarkOf(spec, uplink.uplink.id);
  }
  intent.local = std::move(local);
}

}  // namespace

bool BalancesLocal(const Spec& spec) {
  return spec.local_use != kUseMain ||
         std::ranges::any_of(spec.traffic, IsLocal);
}

FilterIntent CompileFilter(const Spec& spec, const Facts& facts,
                           const std::vector<ResolvedUplink>& uplinks,
                           const std::vector<ResolvedLan>& lans) {
  FilterIntent intent;
  intent.mark_mask = spec.mark_mask;
  const bool multipath = spec.balance.algorithm == Algorithm::kMultipath;
  for (const ResolvedUplink& resolved : uplinks) {
    const Uplink& uplink = resolved.uplink;
    if (uplink.health) intent.bypass = BypassMark(spec.mark_mask);
    const Mark fate = MarkOf(spec, uplink.id);
    if (resolved.SetUp()) intent.arrivals[uplink.interface] = fate;
    if (multipath && resolved.Carries()) {
      intent.departures[uplink.interface] = fate;
    }
  }
  for (const ResolvedLan& lan : lans) {
    if (!lan.networks.empty()) {
      intent.lans.push_back({lan.interface, lan.networks});
    }
  }
  intent.internal = InternalDestinations(uplinks, lans);
  if (!multipath) {
    intent.choices[kBalance] =
        CompileChoice(spec, spec.balance, uplinks, facts);
  }
  for (const Policy& policy : spec.policies) {
    intent.choices[policy.name] = CompileChoice(spec, policy, uplinks, facts);
  }
  intent.estimators = CompileEstimators(spec, uplinks);
  CompileTraffic(spec, facts, uplinks, intent);
  CompileNat(uplinks, lans, intent);
  return intent;
}

}  // namespace uplinkd
