#include "reconciler/compile_filter.h"

#include <algorithm>
#include <set>
#include <utility>

namespace uplinkd {
namespace {

constexpr std::uint64_t kBitsPerByte = 8;

std::uint64_t MeasuredCapacity(const Spec& spec, const Uplink& uplink) {
  return CapacityIn(uplink.capacity, spec.balance.measure) / kBitsPerByte;
}

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

Choice CompileChoice(const Spec& spec,
                     const std::vector<ResolvedUplink>& uplinks) {
  Choice choice;
  choice.algorithm = spec.balance.algorithm;
  for (const ResolvedUplink& resolved : uplinks) {
    if (!resolved.Ready()) continue;
    Member member;
    member.id = resolved.uplink.id;
    member.fate = MarkOf(spec, member.id);
    member.weight = ShareWeight(spec, resolved.uplink);
    if (choice.algorithm == Algorithm::kLeastLoaded) {
      member.capacity = MeasuredCapacity(spec, resolved.uplink);
    }
    choice.members.push_back(member);
  }
  return choice;
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
    if (nat == Nat::kNone) continue;
    if (nat == Nat::kSnat && !resolved.address) continue;
    intent.nat.push_back({resolved.uplink.interface, nat, resolved.address});
  }
  intent.nat_sources = Outermost(sources);
}

}  // namespace

std::uint64_t ShareWeight(const Spec& spec, const Uplink& uplink) {
  const Balance& balance = spec.balance;
  if (balance.algorithm == Algorithm::kLeastLoaded) {
    return std::max<std::uint64_t>(1, MeasuredCapacity(spec, uplink));
  }
  return WeightOf(uplink, balance.measure);
}

FilterIntent CompileFilter(const Spec& spec,
                           const std::vector<ResolvedUplink>& uplinks,
                           const std::vector<ResolvedLan>& lans) {
  FilterIntent intent;
  intent.mark_mask = spec.mark_mask;
  const Balance& balance = spec.balance;
  const bool multipath = balance.algorithm == Algorithm::kMultipath;
  for (const ResolvedUplink& resolved : uplinks) {
    const Uplink& uplink = resolved.uplink;
    if (resolved.Ready()) {
      const Mark fate = MarkOf(spec, uplink.id);
      intent.arrivals[uplink.interface] = fate;
      if (multipath) intent.departures[uplink.interface] = fate;
    }
    if (balance.algorithm == Algorithm::kLeastLoaded) {
      intent.estimators.push_back(
          {uplink.id, uplink.interface, balance.measure, balance.estimator});
    }
  }
  for (const ResolvedLan& lan : lans) {
    if (!lan.networks.empty()) {
      intent.lans.push_back({lan.interface, lan.networks});
    }
  }
  intent.internal = InternalDestinations(uplinks, lans);
  if (!multipath) intent.choice = CompileChoice(spec, uplinks);
  CompileNat(uplinks, lans, intent);
  return intent;
}

}  // namespace uplinkd
