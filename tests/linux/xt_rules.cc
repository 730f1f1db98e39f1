#include "tests/linux/xt_rules.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

using Operation = CounterMatch::Operation;

constexpr const char* kReturn = " -j RETURN";

Prefix PrefixOf(const char* text) {
  return *Prefix::Parse(text);
}

ChainRule Matching(const Match& match) {
  ChainRule rule;
  rule.matches = {match};
  rule.target = ReturnTarget{};
  return rule;
}

ChainRule Doing(const Target& target) {
  ChainRule rule;
  rule.target = target;
  return rule;
}

std::string EstimatorName(const EstimateTarget& target) {
  return "u" + std::to_string(target.interval_log2 + 2) + "-" +
         std::to_string(target.ewma_log2);
}

std::vector<SampleRule> HeaderSamples() {
  ChainRule from;
  from.in_interface = "wan1";
  from.source = {PrefixOf("192.0.2.0/24"), false};
  from.target = ReturnTarget{};
  ChainRule to;
  to.out_interface = "a-15-char-name0";
  to.source = {PrefixOf("198.51.100.7/32"), true};
  to.destination = {PrefixOf("224.0.0.0/3"), true};
  ChainRule half;
  half.destination = {PrefixOf("128.0.0.0/1"), false};
  half.target = JumpTarget{"UPL-X", true};
  ChainRule esp = Doing(ReturnTarget{});
  esp.protocol = IPPROTO_ESP;
  return {
      {from, "-i wan1 -s 192.0.2.0/24 -j RETURN"},
      {to, "-o a-15-char-name0 ! -s 198.51.100.7 ! -d 224.0.0.0/3"},
      {half, "-d 128.0.0.0/1 -g UPL-X"},
      {Doing(JumpTarget{"UPL-X", false}), "-j UPL-X"},
      {esp, "-p esp -j RETURN"},
  };
}

ChainRule MatchingPorts(std::uint8_t protocol, PortsMatch match) {
  ChainRule rule = Matching(std::move(match));
  rule.protocol = protocol;
  return rule;
}

std::vector<SampleRule> PacketSamples() {
  using Side = PortsMatch::Side;
  PortsMatch full{Side::kDestination, {{1, 2}, {0, 65535}}, false};
  for (std::uint16_t port = 100; port < 111; ++port) {
    full.ports.push_back({port, port});
  }
  const std::string many =
      "1:2,0:65535,100,101,102,103,104,105,106,107,108,109,110";
  return {
      {MatchingPorts(IPPROTO_TCP, {Side::kDestination, {{443, 443}}, false}),
       std::string("-p tcp -m multiport --dports 443") + kReturn},
      {MatchingPorts(IPPROTO_UDP,
                     {Side::kSource, {{5060, 5060}, {10000, 20000}}, true}),
       std::string("-p udp -m multiport ! --sports 5060,10000:20000") +
           kReturn},
      {MatchingPorts(IPPROTO_TCP, full),
       "-p tcp -m multiport --dports " + many + kReturn},
      {Matching(DscpMatch{46, false}),
       std::string("-m dscp --dscp-class ef") + kReturn},
      {Matching(DscpMatch{0, true}),
       std::string("-m dscp ! --dscp 0") + kReturn},
  };
}

std::vector<SampleRule> BudgetSamples() {
  return {
      {Matching(BudgetMatch{"upl-a-1", 100'000, 5, LimitKey::kAll}),
       std::string("-m hashlimit --hashlimit-upto 10/sec --hashlimit-burst 5 "
                   "--hashlimit-name upl-a-1") +
           kReturn},
      {Matching(BudgetMatch{"upl-b-2", 1'000'000, 20, LimitKey::kSource}),
       std::string("-m hashlimit --hashlimit-upto 1/sec --hashlimit-burst 20 "
                   "--hashlimit-mode srcip --hashlimit-name upl-b-2") +
           kReturn},
      {Matching(
           BudgetMatch{"upl-c-3", 8'571'428, 1, LimitKey::kDestination, true}),
       std::string("-m hashlimit --hashlimit-above 7/min --hashlimit-burst 1 "
                   "--hashlimit-mode dstip --hashlimit-name upl-c-3") +
           kReturn},
      {Matching(BudgetMatch{"upl-d-4", 28'800'000'000, 3,
                            LimitKey::kSourceDestination}),
       std::string("-m hashlimit --hashlimit-upto 3/day --hashlimit-burst 3 "
                   "--hashlimit-mode srcip,dstip --hashlimit-name upl-d-4") +
           kReturn},
  };
}

// Where there is a socket that sends.
std::vector<SampleRule> OwnerSamples() {
  return {
      {Matching(OwnerMatch{{1000, 1000}}),
       std::string("-m owner --uid-owner 1000") + kReturn},
      {Matching(OwnerMatch{{0, 4294967294}, true}),
       std::string("-m owner ! --uid-owner 0-4294967294") + kReturn},
  };
}

// Where there is a sender's hardware address.
std::vector<SampleRule> MacSamples() {
  const MacAddress mac = {0x02, 0x00, 0x5e, 0xff, 0x0a, 0x01};
  return {
      {Matching(MacMatch{mac, false}),
       std::string("-m mac --mac-source 02:00:5e:ff:0a:01") + kReturn},
      {Matching(MacMatch{mac, true}),
       std::string("-m mac ! --mac-source 02:00:5E:FF:0A:01") + kReturn},
  };
}

std::vector<SampleRule> CommonSamples() {
  return {
      {Matching(MarkMatch{{0x5, 0xff}, false}),
       std::string("-m mark --mark 0x5/0xff") + kReturn},
      {Matching(MarkMatch{{0, 0xffffffff}, true}),
       std::string("-m mark ! --mark 0x0") + kReturn},
      {Matching(ConnmarkMatch{{0x700, 0xf00}, true}),
       std::string("-m connmark ! --mark 0x700/0xf00") + kReturn},
      {Matching(NewConnectionMatch{}),
       std::string("-m conntrack --ctstate NEW") + kReturn},
      {Matching(RandomMatch{0x40000000}),
       std::string("-m statistic --mode random --probability 0.5") + kReturn},
      {Matching(SourceCoinMatch{0xdeadbeef, false}),
       std::string("-m cluster --cluster-total-nodes 2 "
                   "--cluster-local-nodemask 1 "
                   "--cluster-hash-seed 0xdeadbeef") +
           kReturn},
      {Matching(SourceCoinMatch{7, true}),
       std::string("-m cluster --cluster-total-nodes 2 "
                   "! --cluster-local-nodemask 1 --cluster-hash-seed 7") +
           kReturn},
      {Matching(CounterMatch{"turn", Operation::kAtLeast, 255}),
       std::string("-m recent --rcheck --hitcount 255 --name turn "
                   "--mask 0.0.0.0 --rsource") +
           kReturn},
      {Matching(CounterMatch{"turn", Operation::kIncrement, 0}),
       std::string("-m recent --set --name turn --mask 0.0.0.0 --rsource") +
           kReturn},
      {Matching(CounterMatch{"turn", Operation::kReset, 0}),
       std::string("-m recent --remove --name turn --mask 0.0.0.0 --rsource") +
           kReturn},
      {Matching(ClientListMatch{"UPL-SAME.1",
                                ClientListMatch::Operation::kHolds, 600}),
       std::string("-m recent --rcheck --seconds 600 --name UPL-SAME.1 "
                   "--mask 255.255.255.255 --rsource") +
           kReturn},
      {Matching(
           ClientListMatch{"UPL-SAME.1", ClientListMatch::Operation::kAdd, 0}),
       std::string("-m recent --set --name UPL-SAME.1 --mask 255.255.255.255 "
                   "--rsource") +
           kReturn},
      {Matching(ClientListMatch{"UPL-SAME.1",
                                ClientListMatch::Operation::kRemove, 0}),
       std::string("-m recent --remove --name UPL-SAME.1 --mask "
                   "255.255.255.255 --rsource") +
           kReturn},
      {Matching(FreeCapacityMatch{{"u0-1", 5000000}, {{"u1-2", 1250000}}}),
       std::string("-m rateest --rateest-delta --rateest1 u0-1 "
                   "--rateest-bps1 40mbit --rateest-gt --rateest2 u1-2 "
                   "--rateest-bps2 10mbit") +
           kReturn},
      {Matching(FreeCapacityMatch{{"u0-1", 125000}, std::nullopt}),
       std::string("-m rateest --rateest-delta --rateest u0-1 "
                   "--rateest-bps1 1mbit --rateest-eq --rateest-bps2 0") +
           kReturn},
  };
}

std::vector<SampleRule> MangleSamples() {
  return {
      {Doing(SetMarkTarget{{3, 0xff}}), "-j MARK --set-xmark 3/0xff"},
      {Doing(SaveMarkTarget{0xff}),
       "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff"},
      {Doing(RestoreMarkTarget{0xffffffff}), "-j CONNMARK --restore-mark"},
      {Doing(RestoreMarkTarget{0xf0}),
       "-j CONNMARK --restore-mark --nfmask 0xf0 --ctmask 0xf0"},
      {Doing(EstimateTarget{"fresh", -2, 1}),
       "-j RATEEST --rateest-name fresh --rateest-interval 250ms "
       "--rateest-ewmalog 500ms"},
      {Doing(EstimateTarget{"fifteen-letters", 3, 2}),
       "-j RATEEST --rateest-name fifteen-letters --rateest-interval 8s "
       "--rateest-ewmalog 32s"},
  };
}

std::vector<SampleRule> NatSamples() {
  return {
      {Doing(SnatTarget{*Address::Parse("198.51.100.2")}),
       "-j SNAT --to-source 198.51.100.2"},
      {Doing(MasqueradeTarget{}), "-j MASQUERADE"},
  };
}

// ---- random rules ----

class RuleMaker {
 public:
  explicit RuleMaker(std::mt19937& random) : random_(random) {}

  std::uint32_t Below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  bool Coin() { return Below(2) == 0; }

  // `later`: chains that the rule may jump to.
  ChainRule Make(XtTable table, const std::vector<std::string>& later) {
    ChainRule rule;
    if (Below(4) == 0) rule.in_interface = "lan" + std::to_string(Below(9));
    if (Below(4) == 0) rule.out_interface = "wan" + std::to_string(Below(9));
    if (Coin()) rule.source = PrefixMatch{MakePrefix(), Coin()};
    if (Coin()) rule.destination = PrefixMatch{MakePrefix(), Coin()};
    // No kind twice: the program cannot read back what it prints of that.
    std::array<std::uint32_t, 11> kinds{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    std::ranges::shuffle(kinds, random_);
    for (std::uint32_t i = Below(4); i > 0; --i) {
      rule.matches.push_back(MakeMatch(kinds.at(i)));
      // Ports are those of a protocol.
      if (kinds.at(i) == 8) rule.protocol = Coin() ? IPPROTO_TCP : IPPROTO_UDP;
    }
    rule.target = MakeTarget(table, later);
    return rule;
  }

 private:
  std::uint32_t Any() { return static_cast<std::uint32_t>(random_()); }

  Prefix MakePrefix() {
    return {Address::FromIpv4(Any()), static_cast<int>(1 + Below(32))};
  }

  Mark MakeMark() {
    const std::uint32_t mask = Any();
    return {Any() & mask, mask};
  }

  // The program prints rates in bit/s, Kbit/s or Mbit/s, each without a
  // fraction: only such capacities come back from a saved table.
  FreeCapacityMatch::Side MakeSide() {
    const Chain estimators = SampleEstimators();
    const auto& target = std::get<EstimateTarget>(
        estimators.at(Below(static_cast<std::uint32_t>(estimators.size())))
            .target);
    const std::uint32_t capacity =
        Coin() ? Below(125000) : 125 * (1000 + Below(999000));
    return {target.estimator, capacity};
  }

  Match MakePorts() {
    PortsMatch match;
    match.invert = Coin();
    if (Coin()) match.side = PortsMatch::Side::kSource;
    for (std::uint32_t i = 1 + Below(7); i > 0; --i) {
      const auto first = static_cast<std::uint16_t>(Below(65000));
      const auto more = static_cast<std::uint16_t>(Coin() ? Below(500) : 0);
      match.ports.push_back({first, static_cast<std::uint16_t>(first + more)});
    }
    return match;
  }

  // As a rule's whole number of connections in a unit of time.
  Match MakeBudget() {
    constexpr std::array<std::uint64_t, 4> kUnits{1, 60, 3600, 86400};
    BudgetMatch match;
    match.interval = kUnits.at(Below(4)) * 1'000'000 / (1 + Below(1000));
    // At most what comes back in a day: more, the kernel does not count.
    const std::uint64_t most = 86400'000'000 / match.interval;
    match.burst =
        1 +
        Below(static_cast<std::uint32_t>(std::min<std::uint64_t>(most, 10000)));
    match.key = static_cast<LimitKey>(Below(4));
    match.invert = Coin();
    // The kernel keeps the parameters of a name that is in use.
    match.name = "upl-" + std::to_string(match.interval) + "-" +
                 std::to_string(match.burst) + "-" +
                 std::to_string(static_cast<int>(match.key));
    return match;
  }

  Match MakeCounter() {
    const std::string name = "list" + std::to_string(Below(3));
    switch (Below(3)) {
      case 0: return CounterMatch{name, Operation::kAtLeast, 1 + Below(255)};
      case 1: return CounterMatch{name, Operation::kIncrement, 0};
      default: return CounterMatch{name, Operation::kReset, 0};
    }
  }

  Match MakeClientList() {
    using Use = ClientListMatch::Operation;
    const std::string name = "clients" + std::to_string(Below(3));
    switch (Below(3)) {
      case 0: return ClientListMatch{name, Use::kHolds, 1 + Below(700'000)};
      case 1: return ClientListMatch{name, Use::kAdd, 0};
      default: return ClientListMatch{name, Use::kRemove, 0};
    }
  }

  Match MakeMatch(std::uint32_t kind) {
    switch (kind) {
      case 0: return MarkMatch{MakeMark(), Coin()};
      case 1: return ConnmarkMatch{MakeMark(), Coin()};
      case 2: return NewConnectionMatch{};
      case 3: return RandomMatch{Below(0x80000001)};
      case 4: return SourceCoinMatch{Any(), Coin()};
      case 5: return Coin() ? MakeCounter() : MakeClientList();
      case 7: return DscpMatch{static_cast<std::uint8_t>(Below(64)), Coin()};
      case 8: return MakePorts();
      case 9: {
        const std::uint32_t first = Below(70000);
        return OwnerMatch{{first, first + Below(3)}, Coin()};
      }
      case 10: return MakeBudget();
      default: {
        FreeCapacityMatch match{MakeSide(), std::nullopt};
        if (Coin()) match.right = MakeSide();
        return match;
      }
    }
  }

  Target MakeTarget(XtTable table, const std::vector<std::string>& later) {
    if (!later.empty() && Below(20) == 0) {
      return JumpTarget{
          later.at(Below(static_cast<std::uint32_t>(later.size()))), Coin()};
    }
    if (Below(5) == 0) return ReturnTarget{};
    if (Below(5) == 0) return ContinueTarget{};
    if (table == XtTable::kNat) {
      if (Coin()) return MasqueradeTarget{};
      return SnatTarget{Address::FromIpv4(1 + Below(0xfffffffe))};
    }
    const std::uint32_t mask = Any();
    switch (Below(3)) {
      case 0: return SetMarkTarget{MakeMark()};
      case 1: return SaveMarkTarget{mask};
      default: return RestoreMarkTarget{mask};
    }
  }

  std::mt19937& random_;
};

}  // namespace

std::vector<SampleRule> SampleRules(XtTable table) {
  std::vector<SampleRule> samples = HeaderSamples();
  for (const auto& more :
       {CommonSamples(), PacketSamples(), MacSamples(), OwnerSamples(),
        BudgetSamples(),
        table == XtTable::kNat ? NatSamples() : MangleSamples()}) {
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

Chain SampleEstimators() {
  Chain chain;
  for (std::int8_t interval = -2; interval <= 3; ++interval) {
    for (std::uint8_t ewma = 1; ewma <= 3; ++ewma) {
      EstimateTarget target{"", interval, ewma};
      target.estimator = EstimatorName(target);
      chain.push_back(Doing(target));
    }
  }
  return chain;
}

XtTableState RandomState(XtTable table, std::size_t count,
                         std::mt19937& random) {
  constexpr std::size_t kRulesPerChain = 50;
  std::vector<std::string> names;
  for (std::size_t i = 0; i * kRulesPerChain < count; ++i) {
    names.push_back("UPL-" + std::to_string(100 + i));
  }
  RuleMaker maker(random);
  XtTableState state;
  state.chains["UPL-00"] = SampleEstimators();
  while (!names.empty()) {
    const std::string name = names.front();
    names.erase(names.begin());
    Chain& chain = state.chains[name];
    for (std::size_t i = 0; i < kRulesPerChain && count > 0; ++i, --count) {
      chain.push_back(maker.Make(table, names));
    }
  }
  state.jumps[XtHook::kPostrouting] = {{0, JumpTo("UPL-100")}};
  return state;
}

ChainRule JumpTo(const std::string& chain) {
  return Doing(JumpTarget{chain, false});
}

EditXtTable Rebuild(XtTable table, const XtTableState& now,
                    const XtTableState& wanted) {
  using Kind = ChainEdit::Kind;
  EditXtTable edit{table, now, {}};
  const auto add = [&edit](Kind kind, const std::string& chain, XtHook hook,
                           std::size_t position, const ChainRule& rule) {
    edit.edits.push_back({kind, chain, hook, position, rule, {}, "test"});
  };
  for (const auto& [hook, jumps] : now.jumps) {
    for (auto jump = jumps.rbegin(); jump != jumps.rend(); ++jump) {
      add(Kind::kDeleteJump, "", hook, jump->position, jump->rule);
    }
  }
  for (const auto& [name, rules] : now.chains) {
    add(Kind::kFlushChain, name, {}, 0, {});
  }
  for (const auto& [name, rules] : now.chains) {
    add(Kind::kDeleteChain, name, {}, 0, {});
  }
  for (const auto& [name, rules] : wanted.chains) {
    add(Kind::kCreateChain, name, {}, 0, {});
  }
  for (const auto& [name, rules] : wanted.chains) {
    for (std::size_t i = 0; i < rules.size(); ++i) {
      add(Kind::kInsertRule, name, {}, i, rules[i]);
    }
  }
  for (const auto& [hook, jumps] : wanted.jumps) {
    for (const HookJump& jump : jumps) {
      add(Kind::kInsertJump, "", hook, jump.position, jump.rule);
    }
  }
  return edit;
}

ChainEdit InsertRule(const std::string& chain, std::size_t position,
                     const ChainRule& rule) {
  return {ChainEdit::Kind::kInsertRule, chain, {}, position, rule, {}, "test"};
}

ChainEdit DeleteRule(const std::string& chain, std::size_t position) {
  return {ChainEdit::Kind::kDeleteRule, chain, {}, position, {}, {}, "test"};
}

ChainEdit CreateChain(const std::string& chain) {
  return {ChainEdit::Kind::kCreateChain, chain, {}, 0, {}, {}, "test"};
}

ChainEdit DeleteChain(const std::string& chain) {
  return {ChainEdit::Kind::kDeleteChain, chain, {}, 0, {}, {}, "test"};
}

void SendOnLoopback(int count) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in discard{};
  discard.sin_family = AF_INET;
  discard.sin_port = htons(9);
  discard.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < count; ++i) {
    EXPECT_GT(
        sendto(socket.get(), "x", 1, 0,
               reinterpret_cast<const sockaddr*>(&discard), sizeof discard),
        0);
  }
}

}  // namespace uplinkd
