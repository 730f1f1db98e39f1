// RandomDamage(): what others may do to the kernel's state.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tests/core/generators.h"
#include "tests/core/numbered_addresses.h"

namespace uplinkd::testing {
namespace {

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
    const Family family = AnyFamily();
    const Prefix network = family == Family::kIpv4
                               ? Prefix(Ipv4(172, 16, any, 0), 24)
                               : Prefix(Ipv6(0xa000 + any, 0, 0), 48);
    route.key.destination =
        random_.Chance(40) ? Prefix::Default(family) : network;
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

  Family AnyFamily() {
    return random_.Chance(75) ? Family::kIpv4 : Family::kIpv6;
  }

  void AddRule() {
    PolicyRule rule;
    rule.family = AnyFamily();
    rule.priority = static_cast<std::uint32_t>(random_.Between(20000, 20999));
    rule.table = static_cast<std::uint32_t>(random_.Between(10, 60));
    if (random_.Chance(50)) {
      rule.mark =
          Mark{static_cast<std::uint32_t>(random_.Between(1, 60)), 0xff};
    }
    state_.rules.push_back(rule);
  }

  XtTableState& AnyTable() {
    const Family family = AnyFamily();
    return state_.tables[random_.Chance(70) ? MangleOf(family) : NatOf(family)]
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

State RandomDamage(Random& random, const State& desired) {
  return Damage(random, desired).Do();
}

}  // namespace uplinkd::testing
