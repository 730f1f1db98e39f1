// Traffic rules as chains: the chains must decide as the rules say.

#include "reconciler/xt_traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/render.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"
#include "tests/core/xt_interpreter.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::LanPacket;
using testing::Net;
using testing::Oracles;
using testing::Packet;
using testing::RuleTo;
using testing::SpecWithUplinks;
using testing::Walk;
using testing::XtInterpreter;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

// What the chains of a spec do with a packet.
class TrafficRouter {
 public:
  explicit TrafficRouter(const Spec& spec,
                         const Facts& facts = FactsWithUplinks(4))
      : mangle_(*Compile(spec, facts).state.tables.at(XtTable::kMangle)) {
    oracles_.dice = [] { return 0U; };
  }

  Walk Send(Packet& packet, XtHook hook = XtHook::kPrerouting) {
    return XtInterpreter(mangle_, oracles_).Run(hook, packet);
  }
  std::uint32_t MarkFor(Packet packet) {
    Send(packet);
    return packet.mark;
  }
  const std::map<std::string, Chain>& chains() const { return mangle_.chains; }

  // The traffic rules, behind those for internal destinations.
  std::vector<std::string> Line() const {
    std::vector<std::string> words;
    for (const ChainRule& rule : mangle_.chains.at("UPL-TRAFFIC")) {
      if (std::holds_alternative<ReturnTarget>(rule.target)) continue;
      words.push_back(RenderChainRule(rule));
    }
    return words;
  }

 private:
  XtTableState mangle_;
  Oracles oracles_;
};

Packet LanPacketTo(std::uint8_t protocol = kTcp, std::uint16_t port = 443) {
  Packet packet = LanPacket();
  packet.protocol = protocol;
  packet.destination_port = port;
  return packet;
}

// Four uplinks, all new connections by default to wan1.
Spec FourUplinks() {
  Spec spec = SpecWithUplinks(4, Algorithm::kFailover);
  spec.balance.tiers = {{{"wan1", {}}}};
  return spec;
}

TEST(XtTraffic, ARuleOfSingleValuesIsOneChainRule) {
  Spec spec = FourUplinks();
  TrafficRule rule = RuleTo("sip", "wan2");
  rule.match.protocol = kUdp;
  rule.match.source = {Net("192.168.10.0/28")};
  rule.match.destination_ports = {{5060, 5060}, {10000, 20000}};
  rule.match.interface = "lan0";
  rule.match.dscp = {46};
  rule.except.destination = {Net("198.51.100.0/24")};
  spec.traffic = {rule};
  EXPECT_THAT(
      TrafficRouter(spec).Line(),
      ElementsAre("-i lan0 -s 192.168.10.0/28 ! -d 198.51.100.0/24 -p 17"
                  " -m multiport --dports 5060,10000:20000 -m dscp --dscp 0x2e"
                  " -g UPL-ONLY-2",
                  "-g UPL-FATE"));
}

TEST(XtTraffic, TheFirstRuleThatMatchesDecides) {
  Spec spec = FourUplinks();
  TrafficRule web = RuleTo("web", "wan2");
  web.match.protocol = kTcp;
  TrafficRule https = RuleTo("https", "wan3");
  https.match.protocol = kTcp;
  https.match.destination_ports = {{443, 443}};
  spec.traffic = {https, web};
  EXPECT_EQ(TrafficRouter(spec).MarkFor(LanPacketTo(kTcp, 443)), 3U);
  EXPECT_EQ(TrafficRouter(spec).MarkFor(LanPacketTo(kTcp, 80)), 2U);
  EXPECT_EQ(TrafficRouter(spec).MarkFor(LanPacketTo(kUdp, 443)), 1U);
  spec.traffic = {web, https};
  EXPECT_EQ(TrafficRouter(spec).MarkFor(LanPacketTo(kTcp, 443)), 2U);
}

TEST(XtTraffic, UseMainLeavesAConnectionAlone) {
  Spec spec = FourUplinks();
  spec.traffic = {RuleTo("all", kUseMain)};
  Packet packet = LanPacketTo();
  TrafficRouter(spec).Send(packet);
  EXPECT_EQ(packet.mark, 0U);
  EXPECT_EQ(packet.connmark, 0U);
}

TEST(XtTraffic, AnUplinkThatIsDownIsUnreachableAndNothingElse) {
  Spec spec = FourUplinks();
  spec.traffic = {RuleTo("all", "wan2")};
  Facts facts = FactsWithUplinks(4);
  facts.links["wan2"].carrier = false;
  Packet packet = LanPacketTo();
  TrafficRouter(spec, facts).Send(packet);
  EXPECT_EQ(packet.mark, 0xfeU);
  EXPECT_EQ(packet.connmark, 0U);
  EXPECT_THAT(testing::RuleLines(Compile(spec, facts)),
              Contains(HasSubstr("fwmark 0xfe/0xff unreachable")));
}

TEST(XtTraffic, WhatTheHealthOfAnUplinkChangesIsOneSmallChain) {
  Spec spec = FourUplinks();
  for (int i = 0; i < 1000; ++i) {
    TrafficRule rule = RuleTo("rule" + std::to_string(i), "wan2");
    rule.match.protocol = kTcp;
    rule.match.destination_ports = {{static_cast<std::uint16_t>(i), 0}};
    rule.match.destination_ports[0].last = static_cast<std::uint16_t>(i);
    spec.traffic.push_back(rule);
  }
  Facts down = FactsWithUplinks(4);
  down.links["wan2"].carrier = false;
  const TrafficRouter before(spec);
  const TrafficRouter after(spec, down);
  std::vector<std::string> changed;
  for (const auto& [name, chain] : before.chains()) {
    if (!after.chains().contains(name) || after.chains().at(name) != chain) {
      changed.push_back(name);
    }
  }
  // The fate itself, and the connections that arrive by the uplink.
  EXPECT_THAT(changed, ElementsAre("UPL-MARK-2", "UPL-NEW", "UPL-ONLY-2"));
}

// ---- the law ----

bool Holds(const std::vector<Prefix>& prefixes, const Address& address) {
  return std::ranges::any_of(
      prefixes, [&](const Prefix& prefix) { return prefix.Contains(address); });
}

bool Holds(const std::vector<PortRange>& ranges, std::uint16_t port) {
  return std::ranges::any_of(ranges, [port](const PortRange& range) {
    return range.first <= port && port <= range.last;
  });
}

// For each field that is given, whether it holds.
std::vector<bool> Fields(const TrafficMatch& match, const Packet& packet) {
  std::vector<bool> held;
  if (match.protocol) held.push_back(*match.protocol == packet.protocol);
  if (!match.source.empty()) {
    held.push_back(Holds(match.source, packet.source));
  }
  if (!match.destination.empty()) {
    held.push_back(Holds(match.destination, packet.destination));
  }
  if (!match.source_ports.empty()) {
    held.push_back(Holds(match.source_ports, packet.source_port));
  }
  if (!match.destination_ports.empty()) {
    held.push_back(Holds(match.destination_ports, packet.destination_port));
  }
  if (!match.interface.empty()) {
    held.push_back(match.interface == packet.in_interface);
  }
  if (!match.dscp.empty()) {
    held.push_back(std::ranges::count(match.dscp, packet.dscp) > 0);
  }
  if (match.mark) {
    held.push_back((packet.mark & match.mark->mask) == match.mark->value);
  }
  if (match.connmark) {
    held.push_back((packet.connmark & match.connmark->mask) ==
                   match.connmark->value);
  }
  if (!match.source_mac.empty()) {
    held.push_back(std::ranges::count(match.source_mac, packet.source_mac) > 0);
  }
  return held;
}

bool Matches(const TrafficRule& rule, const Packet& packet) {
  const std::vector<bool> must = Fields(rule.match, packet);
  const std::vector<bool> must_not = Fields(rule.except, packet);
  return std::ranges::count(must, false) == 0 &&
         std::ranges::count(must_not, true) == 0;
}

TEST(XtTraffic, ABudgetIsAskedLast) {
  Spec spec = FourUplinks();
  TrafficRule rule = RuleTo("bulk", "wan2");
  rule.match.protocol = kTcp;
  rule.match.limit = RateLimit{10, std::chrono::minutes(1), 2};
  rule.except.source = {Net("192.168.10.7/32")};
  spec.traffic = {rule};
  EXPECT_THAT(
      TrafficRouter(spec).Line(),
      ElementsAre("! -s 192.168.10.7/32 -p 6 -m hashlimit --hashlimit-upto "
                  "10/min --hashlimit-burst 2 --hashlimit-name "
                  "upl-bulk-f50b8ccf -g UPL-ONLY-2",
                  "-g UPL-FATE"));
  // With lists in it, the rule leaves the line; its budget is the last stage.
  spec.traffic[0].match.source = {Net("192.168.10.0/28"),
                                  Net("192.168.10.32/28")};
  TrafficRouter router(spec);
  for (int i = 0; i < 5; ++i) {
    Packet other = LanPacketTo();
    other.source = Ip("192.168.10.99");
    EXPECT_EQ(router.MarkFor(other), 1U);
    Packet excepted = LanPacketTo();
    excepted.source = Ip("192.168.10.7");
    EXPECT_EQ(router.MarkFor(excepted), 1U);
  }
  // None of those has used any of it up.
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 2U);
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 2U);
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 1U);
}

TEST(XtTraffic, WhatIsAboveABudgetCanBeTheMatch) {
  Spec spec = FourUplinks();
  TrafficRule rule = RuleTo("flood", "wan2");
  rule.except.limit = RateLimit{10, std::chrono::seconds(1), 1};
  spec.traffic = {rule};
  TrafficRouter router(spec);
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 1U);
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 2U);
}

TEST(XtTraffic, ABudgetWithOtherNumbersHasAnotherName) {
  std::set<std::string> names;
  for (const RateLimit& limit :
       {RateLimit{10}, RateLimit{11}, RateLimit{10, std::chrono::minutes(1)},
        RateLimit{10, std::chrono::seconds(1), 6},
        RateLimit{10, std::chrono::seconds(1), 5, LimitKey::kSource}}) {
    Spec spec = FourUplinks();
    TrafficRule rule = RuleTo("bulk", "wan2");
    rule.match.limit = limit;
    spec.traffic = {rule};
    const std::string words = TrafficRouter(spec).Line().front();
    names.insert(words.substr(words.find("--hashlimit-name")));
  }
  EXPECT_EQ(names.size(), 5U);
}

// ---- the router's own connections ----

Packet FromRouter(std::uint32_t uid = 0) {
  Packet packet;
  packet.out_interface = "wan1";
  packet.source = Ip("198.51.100.2");
  packet.destination = Ip("192.0.2.80");
  packet.uid = uid;
  return packet;
}

TEST(XtLocal, WithoutAWordMainRoutesThem) {
  TrafficRouter router(FourUplinks());
  Packet packet = FromRouter();
  EXPECT_EQ(router.Send(packet, XtHook::kOutput).Total(), 1);
  EXPECT_EQ(packet.mark, 0U);
}

TEST(XtLocal, HaveTheFateOfThePolicyOnce) {
  Spec spec = FourUplinks();
  spec.local_use = kBalance;
  spec.balance.tiers = {{{"wan3", {}}}};
  Facts facts = FactsWithUplinks(4);
  facts.default_source = facts.links.at("wan1").addresses.at(0).local;
  TrafficRouter router(spec, facts);
  Packet packet = FromRouter();
  packet.source = *facts.default_source;
  router.Send(packet, XtHook::kOutput);
  EXPECT_EQ(packet.mark, 3U);
  EXPECT_EQ(packet.connmark, 3U);
  packet.is_new = false;
  packet.mark = 0;
  EXPECT_EQ(router.Send(packet, XtHook::kOutput).Total(), 2);
  EXPECT_EQ(packet.mark, 3U);
}

TEST(XtLocal, BoundToAnUplinkTheyKeepToIt) {
  Spec spec = FourUplinks();
  spec.local_use = "wan3";
  Facts facts = FactsWithUplinks(4);
  facts.default_source = facts.links.at("wan1").addresses.at(0).local;
  TrafficRouter router(spec, facts);
  for (const auto& [link, mark] :
       std::map<std::string, std::uint32_t>{{"wan1", 3}, {"wan2", 2}}) {
    Packet packet = FromRouter();
    packet.source = facts.links.at(link).addresses.at(0).local;
    router.Send(packet, XtHook::kOutput);
    EXPECT_EQ(packet.mark, mark) << link;
  }
}

TEST(XtLocal, InternalDestinationsStayWithMain) {
  Spec spec = FourUplinks();
  spec.local_use = "wan3";
  TrafficRouter router(spec);
  for (const char* destination : {"192.168.10.5", "224.0.0.5"}) {
    Packet packet = FromRouter();
    packet.destination = Ip(destination);
    router.Send(packet, XtHook::kOutput);
    EXPECT_EQ(packet.mark, 0U) << destination;
  }
  Packet loopback = FromRouter();
  loopback.out_interface = "lo";
  router.Send(loopback, XtHook::kOutput);
  EXPECT_EQ(loopback.mark, 0U);
}

TEST(XtLocal, RulesWithAUidAreForThemAlone) {
  Spec spec = FourUplinks();
  TrafficRule rule = RuleTo("backup", "wan2");
  rule.match.uid = {{34, 34}, {1000, 1999}};
  rule.except.uid = {{1500, 1500}};
  spec.traffic = {rule};
  TrafficRouter router(spec);
  const auto mark_of = [&router](std::uint32_t uid) {
    Packet packet = FromRouter(uid);
    router.Send(packet, XtHook::kOutput);
    return packet.mark;
  };
  EXPECT_EQ(mark_of(34), 2U);
  EXPECT_EQ(mark_of(1999), 2U);
  EXPECT_EQ(mark_of(1500), 0U);
  EXPECT_EQ(mark_of(0), 0U);
  EXPECT_EQ(router.MarkFor(LanPacketTo()), 1U);
}

class RandomTraffic {
 public:
  std::uint32_t Below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }

  std::vector<TrafficRule> Rules() {
    std::vector<TrafficRule> rules;
    for (std::uint32_t i = Below(5); i > 0; --i) {
      constexpr const char* kUses[] = {"wan2", "voice", "main", "balance"};
      TrafficRule rule = RuleTo("rule" + std::to_string(i), kUses[Below(4)]);
      rule.match = Match();
      rule.match.protocol = Below(2) == 0 ? kTcp : kUdp;
      if (Below(2) == 0) rule.except = Match();
      rules.push_back(rule);
    }
    return rules;
  }

  Packet SomePacket() {
    Packet packet = LanPacketTo(Below(2) == 0 ? kTcp : kUdp);
    packet.in_interface = "lan" + std::to_string(Below(2));
    packet.source = Address::FromIpv4(0xc0a80a00 + Below(16));
    packet.destination = Address::FromIpv4(0xc0000200 + Below(16));
    packet.source_port = static_cast<std::uint16_t>(Below(40));
    packet.destination_port = static_cast<std::uint16_t>(Below(40));
    packet.dscp = static_cast<std::uint8_t>(Below(4));
    packet.source_mac[5] = static_cast<std::uint8_t>(Below(4));
    packet.connmark = Below(2) << 8;
    packet.mark = packet.connmark | Below(2) << 9;
    return packet;
  }

 private:
  // One field in three is given, with one to three values; ports up to thirty,
  // which one chain rule does not hold.
  TrafficMatch Match() {
    TrafficMatch match;
    const auto given = [this] { return Below(3) == 0 ? 1 + Below(3) : 0; };
    if (Below(4) == 0) match.protocol = kUdp;
    for (std::uint32_t i = given(); i > 0; --i) {
      match.source.emplace_back(Address::FromIpv4(0xc0a80a00 + Below(16)), 30);
    }
    for (std::uint32_t i = given(); i > 0; --i) {
      match.destination.emplace_back(Address::FromIpv4(0xc0000200 + Below(16)),
                                     31);
    }
    for (std::uint32_t i = given() * Below(10); i > 0; --i) {
      const auto first = static_cast<std::uint16_t>(Below(40));
      match.source_ports.push_back({first, first});
    }
    for (std::uint32_t i = given() * Below(6); i > 0; --i) {
      const auto first = static_cast<std::uint16_t>(Below(40));
      const auto last = static_cast<std::uint16_t>(first + Below(3));
      match.destination_ports.push_back({first, last});
    }
    if (Below(4) == 0) match.interface = "lan" + std::to_string(Below(2));
    for (std::uint32_t i = given(); i > 0; --i) {
      match.dscp.push_back(static_cast<std::uint8_t>(Below(4)));
    }
    for (std::uint32_t i = given(); i > 0; --i) {
      match.source_mac.push_back(
          {0, 0, 0, 0, 0, static_cast<std::uint8_t>(Below(4))});
    }
    if (Below(9) == 0) match.mark = Mark{Below(2) << 9, 1 << 9};
    if (Below(9) == 0) match.connmark = Mark{Below(2) << 8, 1 << 8};
    return match;
  }

  std::mt19937 random_{20261124};
};

std::uint32_t MarkOfUse(const std::string& use) {
  if (use == "main") return 0;
  if (use == "balance") return 1;
  return use == "wan2" ? 2 : 3;
}

TEST(XtTrafficLaw, TheChainsDecideAsTheRulesSay) {
  RandomTraffic random;
  int by_a_rule = 0;
  for (int i = 0; i < 10'000; ++i) {
    Spec spec = FourUplinks();
    spec.lans.push_back({"lan1", {Net("192.168.10.0/24")}});
    Policy voice;
    voice.name = "voice";
    voice.tiers = {{{"wan3", {}}}};
    spec.policies = {voice};
    spec.traffic = random.Rules();
    TrafficRouter router(spec);
    for (int j = 0; j < 5; ++j) {
      const Packet packet = random.SomePacket();
      const auto rule =
          std::ranges::find_if(spec.traffic, [&](const TrafficRule& candidate) {
            return Matches(candidate, packet);
          });
      const bool found = rule != spec.traffic.end();
      by_a_rule += found ? 1 : 0;
      ASSERT_EQ(router.MarkFor(packet) & 0xff,
                found ? MarkOfUse(rule->use) : 1U)
          << "case " << i;
    }
  }
  EXPECT_GT(by_a_rule, 5'000);
}

}  // namespace
}  // namespace uplinkd
