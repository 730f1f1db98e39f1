#include "tests/core/generators.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "reconciler/ownership.h"
#include "reconciler/sharers.h"
#include "tests/core/numbered_addresses.h"

namespace uplinkd::testing {
namespace {

constexpr std::uint32_t kMaxId = 40;

// Uplink `id` is 198.18.ID.2 behind 198.18.ID.1, or .3 after a new lease.
Address AddressOf(UplinkId id, bool moved) {
  return Ipv4(198, 18, id, moved ? 3 : 2);
}
Address GatewayOf(UplinkId id) {
  return Ipv4(198, 18, id, 1);
}

// Uplink `id` is 2001:db8:ID::2, or ::3 once it was renumbered.
Address Address6Of(UplinkId id, bool moved) {
  return Ipv6(id, 0, moved ? 3 : 2);
}
Address Gateway6Of(Random& random, UplinkId id) {
  if (random.Chance(50)) return Ipv6(id, 0, 1);
  return Address::FromBytes(Family::kIpv6,
                            {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                             static_cast<std::uint8_t>(id)});
}

bool HasFamily(const Spec& spec, Family family) {
  return std::ranges::any_of(spec.uplinks, [family](const Uplink& uplink) {
    return CarriesFamily(uplink, family);
  });
}

std::size_t UplinkCount(Random& random) {
  const std::uint64_t dice = random.Below(1000);
  if (dice < 800) return random.Between(1, 3);
  if (dice < 990) return random.Between(4, 6);
  return random.Between(7, kMaxUplinks);
}

Health RandomHealth(Random& random);

// Gives the uplink IPv6, with or without IPv4.
void AddIpv6(Random& random, Uplink& uplink) {
  uplink.families = UplinkFamilies::kBoth;
  if (random.Chance(25)) {
    uplink.families = UplinkFamilies::kIpv6;
    uplink.address.reset();
    uplink.gateway.reset();
    uplink.nat = Nat::kSnat;
    uplink.health.reset();
  }
  if (random.Chance(30)) uplink.address6 = Address6Of(uplink.id, false);
  if (random.Chance(40)) uplink.gateway6 = Gateway6Of(random, uplink.id);
  constexpr std::array kNats = {Nat::kSnat, Nat::kMasquerade, Nat::kNone,
                                Nat::kPrefix, Nat::kPrefix};
  uplink.nat6 = random.AnyOf(kNats);
  if (uplink.nat6 != Nat::kPrefix) return;
  if (random.Chance(40)) {
    uplink.prefix6 = Prefix(Ipv6(0x8000 + uplink.id, 0, 0), 48);
  } else if (random.Chance(50)) {
    uplink.prefix6_interface = random.Chance(50) ? "lan0" : "pd0";
  }
}

Uplink RandomUplink(Random& random, UplinkId id, bool weighted) {
  Uplink uplink;
  uplink.name = "up" + std::to_string(id);
  uplink.interface = "wan" + std::to_string(id);
  uplink.id = id;
  if (random.Chance(30)) uplink.address = AddressOf(id, false);
  if (random.Chance(40)) uplink.gateway = GatewayOf(id);
  uplink.capacity = {random.Between(1, 100) * 1000000,
                     random.Between(1, 50) * 1000000};
  if (weighted)
    uplink.weight = static_cast<std::uint32_t>(random.Between(1, 9));
  constexpr std::array kNats = {Nat::kSnat, Nat::kSnat, Nat::kMasquerade,
                                Nat::kNone};
  uplink.nat = random.AnyOf(kNats);
  constexpr std::array kModes = {UplinkMode::kDraining, UplinkMode::kDisabled};
  if (random.Chance(10)) uplink.mode = random.AnyOf(kModes);
  if (random.Chance(30)) uplink.health = RandomHealth(random);
  if (random.Chance(25)) AddIpv6(random, uplink);
  return uplink;
}

Health RandomHealth(Random& random) {
  Health health;
  health.probes = {IcmpProbe{Ipv4(192, 0, 2, 1)}, ArpProbe{}};
  health.quorum = static_cast<std::uint32_t>(random.Between(1, 2));
  return health;
}

// What uplinks need to be told apart: prefixes of their own, and more on one
// interface.
void SettleSharers(Random& random, Spec& spec) {
  std::set<std::string> taken;
  for (Uplink& uplink : spec.uplinks) {
    std::string& interface = uplink.prefix6_interface;
    if (!interface.empty() && !taken.insert(interface).second) interface = "";
  }
  for (Uplink& uplink : spec.uplinks) {
    if (SharesInterface(spec, uplink, Family::kIpv4)) {
      uplink.address = AddressOf(uplink.id, false);
      uplink.gateway = GatewayOf(uplink.id);
      if (uplink.nat == Nat::kMasquerade) uplink.nat = Nat::kSnat;
    }
    if (SharesInterface(spec, uplink, Family::kIpv6)) {
      uplink.address6 = Address6Of(uplink.id, false);
      if (!uplink.gateway6) uplink.gateway6 = Gateway6Of(random, uplink.id);
      if (uplink.nat6 == Nat::kMasquerade) uplink.nat6 = Nat::kSnat;
      if (uplink.nat6 == Nat::kPrefix && uplink.prefix6_interface.empty()) {
        uplink.prefix6 = Prefix(Ipv6(0x8000 + uplink.id, 0, 0), 48);
      }
    }
    if (SharesInterface(spec, uplink) &&
        spec.balance.algorithm == Algorithm::kMultipath) {
      spec.balance.algorithm = Algorithm::kWeightedRandom;
    }
  }
}

bool IsWeighted(const Spec& spec) {
  return !spec.uplinks.empty() && spec.uplinks.front().weight.has_value();
}

void AddUplink(Random& random, Spec& spec, bool weighted) {
  for (;;) {
    const auto id = static_cast<UplinkId>(random.Between(1, kMaxId));
    if (std::ranges::find(spec.uplinks, id, &Uplink::id) ==
        spec.uplinks.end()) {
      Uplink uplink = RandomUplink(random, id, weighted);
      if (!spec.uplinks.empty() && random.Chance(12)) {
        uplink.interface = random.AnyOf(spec.uplinks).interface;
      }
      spec.uplinks.push_back(std::move(uplink));
      return;
    }
  }
}

Policy RandomBalance(Random& random) {
  constexpr std::array kAlgorithms = {
      Algorithm::kLeastLoaded,      Algorithm::kWeightedRandom,
      Algorithm::kRoundRobin,       Algorithm::kSourceHash,
      Algorithm::kLeastConnections, Algorithm::kMultipath};
  constexpr std::array kMeasures = {Measure::kDownload, Measure::kUpload,
                                    Measure::kBoth};
  Policy balance = DefaultBalance();
  balance.algorithm = random.AnyOf(kAlgorithms);
  if (balance.algorithm != Algorithm::kMultipath && random.Chance(25)) {
    // By both there are sixteen times the lists.
    balance.affinity.by = random.Chance(20) ? AffinityKey::kSourceDestination
                                            : AffinityKey::kSource;
  }
  balance.measure = random.AnyOf(kMeasures);
  balance.estimator.interval =
      std::chrono::milliseconds(250 << random.Below(3));
  balance.estimator.window =
      balance.estimator.interval * (2 << random.Below(3));
  return balance;
}

// Zero to two policies over some of the uplinks.
std::vector<Policy> RandomPolicies(Random& random, const Spec& spec) {
  constexpr std::array kAlgorithms = {
      Algorithm::kLeastLoaded,      Algorithm::kWeightedRandom,
      Algorithm::kRoundRobin,       Algorithm::kSourceHash,
      Algorithm::kLeastConnections, Algorithm::kFailover,
      Algorithm::kOverflow,         Algorithm::kLowestLatency};
  constexpr std::array kLastResorts = {
      LastResort::kMain, LastResort::kUnreachable, LastResort::kBlackhole};
  std::vector<Policy> policies;
  for (std::uint64_t n = random.Below(3); n > 0; --n) {
    Policy policy = RandomBalance(random);
    policy.name = "policy" + std::to_string(n);
    policy.algorithm = random.AnyOf(kAlgorithms);
    policy.last_resort = random.AnyOf(kLastResorts);
    policy.tiers.emplace_back();
    for (const Uplink& uplink : spec.uplinks) {
      if (random.Chance(30)) continue;
      // Round trips can only be compared where they are measured.
      if (policy.algorithm == Algorithm::kLowestLatency && !uplink.health) {
        continue;
      }
      if (!policy.tiers.back().empty() && random.Chance(30)) {
        policy.tiers.emplace_back();
      }
      policy.tiers.back().push_back({uplink.name, std::nullopt});
    }
    if (policy.tiers.back().empty()) continue;
    policies.push_back(std::move(policy));
  }
  return policies;
}

// Zero to three rules, one in four of them for the router's own connections.
// Whether the uplink that the rule uses carries a family of its destinations.
bool Takes(const Spec& spec, const TrafficRule& rule) {
  const auto uplink = std::ranges::find(spec.uplinks, rule.use, &Uplink::name);
  return uplink == spec.uplinks.end() ||
         std::ranges::any_of(rule.match.destination, [&](const Prefix& to) {
           return CarriesFamily(*uplink, to.family());
         });
}

void AddTraffic(Random& random, Spec& spec) {
  std::vector<std::string> uses = {kUseMain, kBalance};
  for (const Uplink& uplink : spec.uplinks) uses.push_back(uplink.name);
  for (const Policy& policy : spec.policies) uses.push_back(policy.name);
  spec.local_use = random.Chance(30) ? random.AnyOf(uses) : kUseMain;
  spec.traffic.clear();
  for (std::uint64_t n = random.Below(4); n > 0; --n) {
    TrafficRule rule;
    rule.name = "rule" + std::to_string(n);
    rule.use = random.AnyOf(uses);
    // A destination of its own, so that none takes all of another one.
    const auto net = static_cast<std::uint32_t>(n);
    if (HasFamily(spec, Family::kIpv4)) {
      rule.match.destination = {Prefix(Ipv4(203, 0, 113, net * 16), 28)};
      if (random.Chance(50)) {
        rule.match.destination.emplace_back(Ipv4(100, 64, net, 0), 24);
      }
    }
    if (HasFamily(spec, Family::kIpv6) &&
        (rule.match.destination.empty() || random.Chance(50))) {
      rule.match.destination.emplace_back(Ipv6(0x9000 + net, 0, 0), 48);
    }
    if (!Takes(spec, rule)) rule.use = kBalance;
    if (random.Chance(25)) rule.match.uid = {{0, 999}};
    if (random.Chance(50)) rule.match.protocol = std::uint8_t{17};
    if (random.Chance(30)) rule.match.limit = RateLimit{10};
    if (random.Chance(20)) rule.match.source_set = "phones";
    if (random.Chance(10)) rule.except.destination_set = "carriers";
    spec.traffic.push_back(std::move(rule));
  }
}

// After the uplinks, on which it depends what networks there may be.
std::vector<Lan> RandomLans(Random& random, const Spec& spec) {
  const bool ipv4 = HasFamily(spec, Family::kIpv4);
  const bool ipv6 = HasFamily(spec, Family::kIpv6);
  std::vector<Lan> lans;
  const std::uint64_t count = random.Between(1, 2);
  for (std::uint32_t i = 0; i < count; ++i) {
    Lan lan{"lan" + std::to_string(i), {}};
    if (ipv6 && random.Chance(30)) {
      lan.networks.emplace_back(Ipv6(0xf000 + i, 0, 0), 64);
    }
    if (ipv4 && random.Chance(60)) {
      lan.networks = {Prefix(Ipv4(192, 168, 10 + i, 0), 24)};
      if (random.Chance(30)) {
        lan.networks.emplace_back(Ipv4(10, 10 + i, 0, 0), 16);
      }
    }
    lans.push_back(std::move(lan));
  }
  return lans;
}

// ---- hosts ----

void AddAddress6(Random& random, const Address& own, Link& link) {
  const bool preferred = random.Chance(80);
  link.addresses.push_back({own, Prefix(own, 64), std::nullopt, preferred});
}

Link LanLink(Random& random, const std::string& name, std::uint32_t i) {
  Link link;
  link.name = name;
  link.index = static_cast<int>(2 + i);
  link.up = link.carrier = random.Chance(95);
  const Address own = Ipv4(192, 168, 10 + i, 1);
  link.addresses.push_back({own, Prefix(own, 24), std::nullopt});
  if (random.Chance(50)) {
    AddAddress6(random, Ipv6(0xf000 + i, 0, 1), link);
    if (random.Chance(30)) AddAddress6(random, Ipv6(0xf100 + i, 0, 1), link);
  }
  return link;
}

Link UplinkLink(Random& random, const Uplink& uplink) {
  Link link;
  link.name = uplink.interface;
  link.index = static_cast<int>(10 + uplink.id);
  link.up = random.Chance(95);
  link.carrier = link.up && random.Chance(95);
  if (random.Chance(95)) {
    const Address own = AddressOf(uplink.id, random.Chance(10));
    if (random.Chance(10)) {  // a /32, so that the gateway is not on-link
      link.addresses.push_back({own, Prefix::Host(own), std::nullopt});
    } else {
      link.addresses.push_back({own, Prefix(own, 24), std::nullopt});
    }
  }
  link.point_to_point = random.Chance(10);
  if (random.Chance(90)) {
    link.default_route = DefaultRoute{GatewayOf(uplink.id)};
  }
  if (random.Chance(80)) {
    AddAddress6(random, Address6Of(uplink.id, random.Chance(10)), link);
  }
  if (random.Chance(80)) {
    link.default_route6 = DefaultRoute{Gateway6Of(random, uplink.id)};
  }
  return link;
}

}  // namespace

std::uint64_t CasesOfALaw() {
  const char* wanted = std::getenv("UPLINKD_CASES");
  return wanted == nullptr ? 2500 : std::strtoull(wanted, nullptr, 10);
}

Spec RandomSpec(Random& random) {
  Spec spec;
  spec.name = "random";
  const bool weighted = random.Chance(30);
  for (std::size_t n = UplinkCount(random); n > 0; --n) {
    AddUplink(random, spec, weighted);
  }
  spec.lans = RandomLans(random, spec);
  spec.balance = RandomBalance(random);
  SettleSharers(random, spec);
  spec.policies = RandomPolicies(random, spec);
  AddTraffic(random, spec);
  return spec;
}

Spec RandomEdit(Random& random, const Spec& spec) {
  Spec next = spec;
  const bool weighted = IsWeighted(spec);
  bool new_lans = false;
  for (std::uint64_t n = random.Between(1, 3); n > 0; --n) {
    Uplink& uplink = random.AnyOf(next.uplinks);
    switch (random.Below(6)) {
      case 0: next.balance = RandomBalance(random); break;
      case 1: new_lans = true; break;
      case 2: uplink = RandomUplink(random, uplink.id, weighted); break;
      case 3:
        if (next.uplinks.size() < kMaxUplinks) {
          AddUplink(random, next, weighted);
        }
        break;
      case 4:
        if (next.uplinks.size() > 1) next.uplinks.erase(next.uplinks.begin());
        break;
      default: uplink.capacity.download += 1000000; break;
    }
  }
  SettleSharers(random, next);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    new_lans |= HasFamily(next, family) != HasFamily(spec, family);
  }
  if (new_lans) next.lans = RandomLans(random, next);
  next.policies = RandomPolicies(random, next);
  AddTraffic(random, next);
  return next;
}

Facts RandomFacts(Random& random, const Spec& spec) {
  Facts facts;
  for (std::uint32_t i = 0; i < spec.lans.size(); ++i) {
    const std::string& name = spec.lans[i].interface;
    if (random.Chance(95)) facts.links[name] = LanLink(random, name, i);
  }
  for (const Uplink& uplink : spec.uplinks) {
    if (random.Chance(5)) continue;
    const Link link = UplinkLink(random, uplink);
    const auto [there, is_new] =
        facts.links.try_emplace(uplink.interface, link);
    if (!is_new) AddMissingAddresses(link, there->second);
  }
  if (random.Chance(50)) {
    facts.links["pd0"] = LanLink(random, "pd0", 9);
  }
  if (random.Chance(90)) {
    facts.default_source6 = Address6Of(random.AnyOf(spec.uplinks).id, false);
  }
  if (random.Chance(90)) {
    facts.default_source = AddressOf(random.AnyOf(spec.uplinks).id, false);
  }
  for (const std::string& name : IpsetsOf(spec)) {
    if (random.Chance(70)) facts.ipsets.insert(name);
  }
  return facts;
}

void AddMissingAddresses(const Link& from, Link& to) {
  for (const LinkAddress& address : from.addresses) {
    if (std::ranges::find(to.addresses, address.local, &LinkAddress::local) ==
        to.addresses.end()) {
      to.addresses.push_back(address);
    }
  }
}

void AddForeign(Random& random, const Spec& spec, FakeKernel& kernel) {
  for (std::uint32_t n = 0; n < 3; ++n) {
    Route route;
    route.key.table =
        random.Chance(50) ? kMainTable : TableOf(spec, spec.uplinks[0].id);
    route.key.destination = n == 2 ? Prefix(Ipv6(0xb000, 0, 0), 48)
                                   : Prefix(Ipv4(100, 64 + n, 0, 0), 16);
    route.type = RouteType::kBlackhole;
    route.protocol = 4;  // RTPROT_STATIC
    kernel.routes.insert_or_assign(route.key, route);

    PolicyRule rule;
    // Also within our band: without our protocol it is not ours.
    rule.priority = static_cast<std::uint32_t>(random.Between(19990, 20500));
    rule.table = 100 + n;
    rule.family = n == 2 ? Family::kIpv6 : Family::kIpv4;
    rule.protocol = 4;
    kernel.InsertRule(rule);
  }
  for (auto& [table, content] : kernel.tables) {
    for (const XtHook hook :
         {XtHook::kPrerouting, XtHook::kOutput, XtHook::kPostrouting}) {
      for (std::uint64_t n = random.Below(4); n > 0; --n) {
        ChainRule rule;
        rule.in_interface = "foreign" + std::to_string(n);
        if (n == 2) rule.target = JumpTarget{"DOCKER", false};
        content.hooks[hook].push_back(content.NewRule(rule));
      }
    }
    content.chains["DOCKER"].push_back(content.NewRule(ChainRule{}));
  }
}

}  // namespace uplinkd::testing
