#include "reconciler/compile_routes.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "reconciler/compile_policy.h"

namespace uplinkd {
namespace {

// What a next hop's weight may be (rtnh_hops is one byte, plus one).
constexpr std::uint64_t kMaxNextHopWeight = 256;

using Routes = std::map<RouteKey, Route>;

Route LinkRoute(std::uint32_t table, const Prefix& network,
                const std::string& link) {
  Route route;
  route.key = {.table = table,
               .destination = network,
               .metric = UsualMetric(network.family())};
  route.link_scope = network.family() == Family::kIpv4;
  route.next_hops.emplace_back().link = link;
  return route;
}

// The routes that main has for the link's own networks.
void AddConnectedRoutes(std::uint32_t table, const ResolvedUplink& uplink,
                        Routes& routes) {
  for (const LinkAddress& address : AddressesIn(*uplink.link, uplink.family)) {
    if (!HasConnectedNetwork(address)) continue;
    Route route = LinkRoute(table, address.network, uplink.link->name);
    const bool has_own =
        uplink.address && address.network.Contains(*uplink.address);
    route.preferred_source = has_own ? *uplink.address : address.local;
    routes.emplace(route.key, std::move(route));
  }
}

// Where no connected network has the gateway, the kernel takes the route only
// with the promise that the gateway is on the link.
bool NeedsOnlink(const Link& link, const Address& gateway) {
  if (gateway.IsLinkLocal()) return false;
  const std::vector<LinkAddress> addresses =
      AddressesIn(link, gateway.family());
  return std::none_of(addresses.begin(), addresses.end(), [&](const auto& a) {
    return HasConnectedNetwork(a) && a.network.Contains(gateway);
  });
}

NextHop NextHopOf(const ResolvedUplink& uplink) {
  NextHop hop;
  hop.link = uplink.link->name;
  hop.gateway = uplink.exit->gateway;
  hop.onlink = hop.gateway && NeedsOnlink(*uplink.link, *hop.gateway);
  return hop;
}

Route DefaultThrough(std::uint32_t table, Family family,
                     std::vector<NextHop> hops) {
  Route route;
  route.key = {.table = table,
               .destination = Prefix::Default(family),
               .metric = UsualMetric(family)};
  // IPv6 routes have no scope.
  route.link_scope =
      family == Family::kIpv4 && hops.size() == 1 && !hops.front().gateway;
  route.next_hops = std::move(hops);
  return route;
}

Route Floor(std::uint32_t table, Family family) {
  Route route;
  route.key = {.table = table,
               .destination = Prefix::Default(family),
               .metric = kFloorMetric};
  route.type = RouteType::kUnreachable;
  return route;
}

void AddUplinkRoutes(std::uint32_t table, const ResolvedUplink& uplink,
                     const std::vector<ResolvedLan>& lans, Routes& routes) {
  Route floor = Floor(table, uplink.family);
  routes.emplace(floor.key, std::move(floor));
  // The kernel takes no route through a link that is down.
  if (!uplink.link || !uplink.link->up) return;
  AddConnectedRoutes(table, uplink, routes);
  for (const ResolvedLan& lan : lans) {
    if (!lan.link || !lan.link->up) continue;
    for (const Prefix& network : lan.networks) {
      Route route = LinkRoute(table, network, lan.interface);
      routes.emplace(route.key, std::move(route));
    }
  }
  if (!uplink.address || !uplink.exit) return;
  Route route = DefaultThrough(table, uplink.family, {NextHopOf(uplink)});
  route.preferred_source = uplink.address;
  routes.emplace(route.key, std::move(route));
}

// Weights as next hops can have them: reduced, and scaled down if need be.
void ScaleWeights(std::vector<std::uint64_t>& weights) {
  std::uint64_t divisor = 0;
  for (const std::uint64_t weight : weights) {
    divisor = std::gcd(divisor, weight);
  }
  for (std::uint64_t& weight : weights) weight /= divisor;
  const std::uint64_t largest =
      *std::max_element(weights.begin(), weights.end());
  if (largest <= kMaxNextHopWeight) return;
  const double scale =
      static_cast<double>(kMaxNextHopWeight) / static_cast<double>(largest);
  for (std::uint64_t& weight : weights) {
    const double scaled = std::round(static_cast<double>(weight) * scale);
    weight = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(scaled));
  }
}

// No floor here: what finds no next hop is routed by main, like any
// connection without a fate.
void AddMultipathRoute(const Spec& spec, Family family,
                       const std::vector<ResolvedUplink>& uplinks,
                       Routes& routes) {
  std::vector<NextHop> hops;
  std::vector<std::uint64_t> weights;
  for (const Candidate& candidate :
       CandidatesOf(spec, spec.balance, uplinks, {})) {
    hops.push_back(NextHopOf(*candidate.uplink));
    weights.push_back(candidate.weight);
  }
  if (hops.empty()) return;
  ScaleWeights(weights);
  for (std::size_t i = 0; i < hops.size(); ++i) {
    hops[i].weight = static_cast<std::uint32_t>(weights[i]);
  }
  Route route = DefaultThrough(spec.table_base, family, std::move(hops));
  routes.emplace(route.key, std::move(route));
}

// Those that packets get a mark for, each once.
std::set<LastResort> LastResortsOf(const Spec& spec) {
  std::set<LastResort> all = {spec.balance.last_resort};
  for (const Policy& policy : spec.policies) all.insert(policy.last_resort);
  // What is for one uplink alone has no other way.
  std::set<std::string> uses = {spec.local_use};
  for (const TrafficRule& rule : spec.traffic) uses.insert(rule.use);
  for (const Uplink& uplink : spec.uplinks) {
    if (uses.contains(uplink.name)) all.insert(LastResort::kUnreachable);
  }
  all.erase(LastResort::kMain);
  return all;
}

// There whether or not a policy is without a member just now: when one is, its
// packets must not wait for the rule.
PolicyRule LastResortRule(const Spec& spec, LastResort last_resort) {
  PolicyRule rule;
  rule.priority = kLastResortPriority + static_cast<std::uint32_t>(last_resort);
  rule.mark = MarkOf(spec.mark_mask, last_resort);
  rule.action = last_resort == LastResort::kUnreachable
                    ? RuleAction::kUnreachable
                    : RuleAction::kBlackhole;
  rule.table = 0;
  return rule;
}

}  // namespace

std::map<RouteKey, Route> CompileRoutes(
    const Spec& spec, Family family, const std::vector<ResolvedUplink>& uplinks,
    const std::vector<ResolvedLan>& lans) {
  Routes routes;
  for (const ResolvedUplink& uplink : uplinks) {
    if (!CarriesFamily(uplink.uplink, family)) continue;
    AddUplinkRoutes(TableOf(spec, uplink.uplink.id), uplink, lans, routes);
  }
  if (spec.balance.algorithm == Algorithm::kMultipath) {
    AddMultipathRoute(spec, family, uplinks, routes);
  }
  return routes;
}

std::vector<PolicyRule> CompileRules(const Spec& spec, Family family,
                                     const std::vector<ResolvedUplink>& uplinks,
                                     const std::vector<ResolvedLan>& lans) {
  std::vector<PolicyRule> rules;
  PolicyRule internal;
  internal.priority = kMainPriority;
  internal.suppress_prefix_length = 0;
  rules.push_back(internal);
  for (const LastResort last_resort : LastResortsOf(spec)) {
    rules.push_back(LastResortRule(spec, last_resort));
  }
  for (const ResolvedUplink& resolved : uplinks) {
    if (!CarriesFamily(resolved.uplink, family)) continue;
    const UplinkId id = resolved.uplink.id;
    PolicyRule by_mark;
    by_mark.priority = kMarkPriority + id;
    by_mark.mark = MarkOf(spec, id);
    by_mark.table = TableOf(spec, id);
    rules.push_back(by_mark);
    if (!resolved.address) continue;
    PolicyRule by_source;
    by_source.priority = kSourcePriority + id;
    by_source.source = Prefix::Host(*resolved.address);
    by_source.table = TableOf(spec, id);
    rules.push_back(by_source);
  }
  if (spec.balance.algorithm == Algorithm::kMultipath) {
    std::uint32_t priority = kMultipathPriority;
    for (const ResolvedLan& lan : lans) {
      PolicyRule rule;
      rule.priority = ++priority;
      rule.in_interface = lan.interface;
      rule.table = spec.table_base;
      rules.push_back(rule);
    }
  }
  for (PolicyRule& rule : rules) rule.family = family;
  std::sort(rules.begin(), rules.end());
  return rules;
}

}  // namespace uplinkd
