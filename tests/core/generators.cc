#include "tests/core/generators.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd::testing {
namespace {

constexpr std::uint32_t kMaxId = 40;

Address Ipv4(std::uint32_t a, std::uint32_t b, std::uint32_t c,
             std::uint32_t d) {
  return Address::FromIpv4(a << 24 | b << 16 | c << 8 | d);
}

// Uplink `id` is 198.18.ID.2 behind 198.18.ID.1, or .3 after a new lease.
Address AddressOf(UplinkId id, bool moved) {
  return Ipv4(198, 18, id, moved ? 3 : 2);
}
Address GatewayOf(UplinkId id) {
  return Ipv4(198, 18, id, 1);
}

std::size_t UplinkCount(Random& random) {
  const std::uint64_t dice = random.Below(1000);
  if (dice < 800) return random.Between(1, 3);
  if (dice < 990) return random.Between(4, 6);
  return random.Between(7, kMaxUplinks);
}

Health RandomHealth(Random& random);

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
  return uplink;
}

Health RandomHealth(Random& random) {
  Health health;
  health.probes = {IcmpProbe{Ipv4(192, 0, 2, 1)}, ArpProbe{}};
  health.quorum = static_cast<std::uint32_t>(random.Between(1, 2));
  return health;
}

bool IsWeighted(const Spec& spec) {
  return !spec.uplinks.empty() && spec.uplinks.front().weight.has_value();
}

void AddUplink(Random& random, Spec& spec, bool weighted) {
  for (;;) {
    const auto id = static_cast<UplinkId>(random.Between(1, kMaxId));
    if (std::ranges::find(spec.uplinks, id, &Uplink::id) ==
        spec.uplinks.end()) {
      spec.uplinks.push_back(RandomUplink(random, id, weighted));
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
    balance.affinity.by = AffinityKey::kSource;
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
    rule.match.destination = {Prefix(Ipv4(203, 0, 113, net * 16), 28)};
    if (random.Chance(50)) {
      rule.match.destination.emplace_back(Ipv4(100, 64, net, 0), 24);
    }
    if (random.Chance(25)) rule.match.uid = {{0, 999}};
    if (random.Chance(50)) rule.match.protocol = std::uint8_t{17};
    if (random.Chance(30)) rule.match.limit = RateLimit{10};
    if (random.Chance(20)) rule.match.source_set = "phones";
    if (random.Chance(10)) rule.except.destination_set = "carriers";
    spec.traffic.push_back(std::move(rule));
  }
}

std::vector<Lan> RandomLans(Random& random) {
  std::vector<Lan> lans;
  const std::uint64_t count = random.Between(1, 2);
  for (std::uint32_t i = 0; i < count; ++i) {
    Lan lan{"lan" + std::to_string(i), {}};
    if (random.Chance(60)) {
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

Link LanLink(Random& random, const std::string& name, std::uint32_t i) {
  Link link;
  link.name = name;
  link.index = static_cast<int>(2 + i);
  link.up = link.carrier = random.Chance(95);
  const Address own = Ipv4(192, 168, 10 + i, 1);
  link.addresses.push_back({own, Prefix(own, 24), std::nullopt});
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
  return link;
}

// ---- damage ----

class Damage {
 public:
  Damage(Random& random, State state)
      : random_(random), state_(std::move(state)) {}

  State Do() {
    if (random_.Chance(5)) return State{};
    if (random_.Chance(10)) state_.tables.clear();
    for (std::uint64_t n = random_.Below(8); n > 0; --n) {
      switch (random_.Below(4)) {
        case 0: HurtRoutes(); break;
        case 1: HurtRules(); break;
        case 2: HurtJumps(); break;
        default: HurtChains(); break;
      }
    }
    std::ranges::sort(state_.rules);
    return std::move(state_);
  }

 private:
  void HurtRoutes() {
    if (state_.routes.empty() || random_.Chance(25)) return AddRoute();
    auto& [key, route] = random_.AnyOf(state_.routes);
    if (random_.Chance(50)) {
      state_.routes.erase(key);
    } else if (route.next_hops.empty()) {
      route.type = RouteType::kBlackhole;
    } else if (random_.Chance(50)) {
      route.extra = "mtu 1400";
    } else {
      route.link_scope = !route.link_scope;
    }
  }

  void AddRoute() {
    Route route;
    const auto any = static_cast<std::uint32_t>(random_.Below(60));
    route.key.table = 10 + any;
    route.key.destination = random_.Chance(40)
                                ? Prefix::Default(Family::kIpv4)
                                : Prefix(Ipv4(172, 16, any, 0), 24);
    route.key.metric = static_cast<std::uint32_t>(random_.Between(1, 3));
    route.type = RouteType::kUnreachable;
    state_.routes.insert_or_assign(route.key, route);
  }

  void HurtRules() {
    std::vector<PolicyRule>& rules = state_.rules;
    if (rules.empty() || random_.Chance(20)) return AddRule();
    const auto place = rules.begin() +
                       static_cast<std::ptrdiff_t>(random_.Below(rules.size()));
    const auto priority =
        static_cast<std::uint32_t>(random_.Between(20000, 20999));
    switch (random_.Below(4)) {
      case 0: rules.erase(place); break;
      case 1: rules.push_back(PolicyRule(*place)); break;
      case 2: place->priority = priority; break;
      default: place->extra = "tos 0x10"; break;
    }
  }

  void AddRule() {
    PolicyRule rule;
    rule.priority = static_cast<std::uint32_t>(random_.Between(20000, 20999));
    rule.table = static_cast<std::uint32_t>(random_.Between(10, 60));
    if (random_.Chance(50)) {
      rule.mark =
          Mark{static_cast<std::uint32_t>(random_.Between(1, 60)), 0xff};
    }
    state_.rules.push_back(rule);
  }

  XtTableState& AnyTable() {
    return state_.tables[random_.Chance(70) ? XtTable::kMangle : XtTable::kNat]
        .Edit();
  }

  void HurtJumps() {
    constexpr std::array kHooks = {XtHook::kPrerouting, XtHook::kOutput,
                                   XtHook::kPostrouting};
    XtTableState& table = AnyTable();
    const XtHook hook = random_.AnyOf(kHooks);
    std::vector<HookJump>& jumps = table.jumps[hook];
    if (jumps.empty() || random_.Chance(30)) {
      if (!table.chains.empty()) {
        ChainRule rule;
        rule.target =
            JumpTarget{random_.AnyOf(table.chains).first, random_.Chance(20)};
        jumps.push_back({random_.Below(4), rule});
      }
    } else if (random_.Chance(50)) {
      jumps.erase(jumps.begin());
    } else {
      jumps.front().position += random_.Below(3);
    }
    if (jumps.empty()) table.jumps.erase(hook);
  }

  void HurtChains() {
    XtTableState& table = AnyTable();
    if (table.chains.empty() || random_.Chance(15)) return AddChain(table);
    if (random_.Chance(15)) {
      const std::string name = random_.AnyOf(table.chains).first;
      return RemoveChain(table, name);
    }
    Chain& chain = random_.AnyOf(table.chains).second;
    const std::uint64_t where = random_.Below(chain.size() + 1);
    const auto place = chain.begin() + static_cast<std::ptrdiff_t>(where);
    if (place == chain.end()) {
      chain.push_back(StrayRule());
    } else if (random_.Chance(40)) {
      chain.erase(place);
    } else if (random_.Chance(40)) {
      std::swap(*place, chain.front());
    } else if (random_.Chance(50)) {
      chain.insert(place, ChainRule(*place));
    } else {
      chain.insert(place, StrayRule());
    }
  }

  ChainRule StrayRule() {
    ChainRule rule;
    rule.out_interface = random_.Chance(50) ? "wan1" : "wan2";
    if (random_.Chance(50)) {
      rule.source = PrefixMatch{Prefix(Ipv4(192, 168, 99, 0), 24), false};
    }
    if (random_.Chance(50)) {
      rule.target = OpaqueTarget{"TOS r0 0123abcd"};
    } else {
      rule.target = ReturnTarget{};
    }
    return rule;
  }

  void AddChain(XtTableState& table) {
    Chain& chain =
        table.chains["UPL-STRAY-" + std::to_string(random_.Below(3))];
    if (chain.empty()) {
      chain.push_back(StrayRule());
      ChainRule mark;
      mark.target = SetMarkTarget{Mark{77, 0xff}};
      chain.push_back(mark);
    }
    // A chain that jumps to it, such that no loop can arise.
    const std::string name = table.chains.begin()->first;
    const std::string stray = "UPL-STRAY-9";
    if (name >= "UPL-STRAY" || random_.Chance(50)) return;
    table.chains[stray];
    ChainRule jump;
    jump.target = JumpTarget{stray, false};
    table.chains[name].push_back(jump);
  }

  // As somebody would by hand: first what refers to it.
  static void RemoveChain(XtTableState& table, const std::string& name) {
    const auto refers = [&name](const ChainRule& rule) {
      const auto* jump = std::get_if<JumpTarget>(&rule.target);
      return jump != nullptr && jump->chain == name;
    };
    for (auto& [other, rules] : table.chains) std::erase_if(rules, refers);
    for (auto& [hook, jumps] : table.jumps) {
      std::erase_if(jumps,
                    [&](const HookJump& jump) { return refers(jump.rule); });
    }
    std::erase_if(table.jumps,
                  [](const auto& hook) { return hook.second.empty(); });
    table.chains.erase(name);
  }

  Random& random_;
  State state_;
};

}  // namespace

Spec RandomSpec(Random& random) {
  Spec spec;
  spec.name = "random";
  spec.lans = RandomLans(random);
  const bool weighted = random.Chance(30);
  for (std::size_t n = UplinkCount(random); n > 0; --n) {
    AddUplink(random, spec, weighted);
  }
  spec.balance = RandomBalance(random);
  spec.policies = RandomPolicies(random, spec);
  AddTraffic(random, spec);
  return spec;
}

Spec RandomEdit(Random& random, const Spec& spec) {
  Spec next = spec;
  const bool weighted = IsWeighted(spec);
  for (std::uint64_t n = random.Between(1, 3); n > 0; --n) {
    Uplink& uplink = random.AnyOf(next.uplinks);
    switch (random.Below(6)) {
      case 0: next.balance = RandomBalance(random); break;
      case 1: next.lans = RandomLans(random); break;
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
    facts.links[uplink.interface] = UplinkLink(random, uplink);
  }
  if (random.Chance(90)) {
    facts.default_source = AddressOf(random.AnyOf(spec.uplinks).id, false);
  }
  for (const std::string& name : IpsetsOf(spec)) {
    if (random.Chance(70)) facts.ipsets.insert(name);
  }
  return facts;
}

State RandomDamage(Random& random, const State& desired) {
  return Damage(random, desired).Do();
}

void AddForeign(Random& random, const Spec& spec, FakeKernel& kernel) {
  for (std::uint32_t n = 0; n < 3; ++n) {
    Route route;
    route.key.table =
        random.Chance(50) ? kMainTable : TableOf(spec, spec.uplinks[0].id);
    route.key.destination = Prefix(Ipv4(100, 64 + n, 0, 0), 16);
    route.type = RouteType::kBlackhole;
    route.protocol = 4;  // RTPROT_STATIC
    kernel.routes.insert_or_assign(route.key, route);

    PolicyRule rule;
    // Also within our band: without our protocol it is not ours.
    rule.priority = static_cast<std::uint32_t>(random.Between(19990, 20500));
    rule.table = 100 + n;
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
