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

Prefix PrefixOf(const std::string& text) {
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

// Words for both families, told apart by their addresses.
struct HeaderWords {
  const char* network;
  const char* host;
  int host_length;
  const char* high;
  const char* half;
  std::uint8_t protocol;
  const char* group;
};
constexpr HeaderWords kHeaderWords = {
    "192.0.2.0/24", "198.51.100.7",     32, "224.0.0.0/3", "128.0.0.0/1",
    IPPROTO_ESP,    "0.0.0.11/0.0.0.15"};
constexpr HeaderWords kHeaderWords6 = {
    "2001:db8::/61", "2001:db8::7",  128,      "ff00::/8",
    "8000::/1",      IPPROTO_ICMPV6, "::b/::f"};

std::vector<SampleRule> HeaderSamples(const HeaderWords& words) {
  const std::string network = words.network;
  const std::string host = words.host;
  ChainRule from;
  from.in_interface = "wan1";
  from.source = {PrefixOf(network), false};
  from.target = ReturnTarget{};
  ChainRule to;
  to.out_interface = "a-15-char-name0";
  to.source = {PrefixOf(host + "/" + std::to_string(words.host_length)), true};
  to.destination = {PrefixOf(words.high), true};
  ChainRule half;
  half.destination = {PrefixOf(words.half), false};
  half.target = JumpTarget{"UPL-X", true};
  ChainRule group = Doing(JumpTarget{"UPL-X", true});
  group.destination_group = 11;
  ChainRule protocol = Doing(ReturnTarget{});
  protocol.protocol = words.protocol;
  return {
      {from, "-i wan1 -s " + network + " -j RETURN"},
      {to, "-o a-15-char-name0 ! -s " + host + " ! -d " + words.high},
      {half, "-d " + std::string(words.half) + " -g UPL-X"},
      {Doing(JumpTarget{"UPL-X", false}), "-j UPL-X"},
      {group, "-d " + std::string(words.group) + " -g UPL-X"},
      {protocol, "-p " + std::to_string(words.protocol) + " -j RETURN"},
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

std::vector<SampleRule> CommonSamples(Family family) {
  const bool ipv6 = family == Family::kIpv6;
  const std::string any = ipv6 ? "::" : "0.0.0.0";
  const std::string each =
      ipv6 ? "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "255.255.255.255";
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
                   "--mask " +
                   any + " --rsource") +
           kReturn},
      {Matching(CounterMatch{"turn", Operation::kIncrement, 0}),
       std::string("-m recent --set --name turn --mask " + any + " --rsource") +
           kReturn},
      {Matching(CounterMatch{"turn", Operation::kReset, 0}),
       std::string("-m recent --remove --name turn --mask " + any +
                   " --rsource") +
           kReturn},
      {Matching(ClientListMatch{"UPL-SAME.1",
                                ClientListMatch::Operation::kHolds, 600}),
       std::string("-m recent --rcheck --seconds 600 --name UPL-SAME.1 "
                   "--mask " +
                   each + " --rsource") +
           kReturn},
      {Matching(
           ClientListMatch{"UPL-SAME.1", ClientListMatch::Operation::kAdd, 0}),
       std::string("-m recent --set --name UPL-SAME.1 --mask " + each +
                   " --rsource") +
           kReturn},
      {Matching(ClientListMatch{"UPL-SAME.1",
                                ClientListMatch::Operation::kRemove, 0}),
       std::string("-m recent --remove --name UPL-SAME.1 --mask " + each +
                   " --rsource") +
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

std::vector<SampleRule> NatSamples6() {
  return {
      {Doing(SnatTarget{*Address::Parse("2001:db8::2")}),
       "-j SNAT --to-source 2001:db8::2"},
      {Doing(MasqueradeTarget{}), "-j MASQUERADE"},
      {Doing(NetmapTarget{PrefixOf("2001:db8:7::/48")}),
       "-j NETMAP --to 2001:db8:7::/48"},
      {Doing(NetmapTarget{PrefixOf("2001:db8:0:fff8::/61")}),
       "-j NETMAP --to 2001:db8:0:fff8::/61"},
      {Doing(NetmapTarget{PrefixOf("2001:db8::8/128")}),
       "-j NETMAP --to 2001:db8::8/128"},
  };
}

std::vector<SampleRule> NatSamples() {
  return {
      {Doing(SnatTarget{*Address::Parse("198.51.100.2")}),
       "-j SNAT --to-source 198.51.100.2"},
      {Doing(MasqueradeTarget{}), "-j MASQUERADE"},
  };
}

}  // namespace

std::vector<SampleRule> SampleRules(XtTable table) {
  const Family family = FamilyOf(table);
  const bool ipv6 = family == Family::kIpv6;
  std::vector<SampleRule> samples =
      HeaderSamples(ipv6 ? kHeaderWords6 : kHeaderWords);
  const std::vector<SampleRule> nat = ipv6 ? NatSamples6() : NatSamples();
  for (const auto& more :
       {CommonSamples(family), PacketSamples(), MacSamples(), OwnerSamples(),
        BudgetSamples(), table == NatOf(family) ? nat : MangleSamples()}) {
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
