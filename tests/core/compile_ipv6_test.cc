// Compile() with uplinks that carry IPv6.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reconciler/plan.h"
#include "reconciler/xt_lowering.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using testing::AddressOnLink;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::MembersOf;
using testing::Net;
using ::testing::Not;
using testing::RouteLines;
using testing::RuleLines;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

// wan1 carries both and translates prefixes, wan2 carries IPv6 alone.
Spec DualSpec() {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kWeightedRandom;
  spec.uplinks[0].families = UplinkFamilies::kBoth;
  spec.uplinks[0].nat6 = Nat::kPrefix;
  spec.uplinks[0].prefix6_interface = "pd1";
  spec.uplinks[1].families = UplinkFamilies::kIpv6;
  return spec;
}

Facts DualFacts() {
  Facts facts = TwoUplinkFacts();
  const auto add = [&facts](const std::string& link, const char* address) {
    facts.links[link].addresses.push_back(AddressOnLink(address));
  };
  add("lan0", "fd00:10::1/64");
  add("lan0", "fe80::1/64");
  add("wan1", "2001:db8:1::2/64");
  add("wan2", "2001:db8:2::2/64");
  testing::AddLink(facts, testing::UpLink("pd1", 9, "2001:db8:a1::1/56"));
  facts.links["wan1"].default_route6 = DefaultRoute{Ip("fe80::1")};
  facts.links["wan2"].default_route6 = DefaultRoute{Ip("2001:db8:2::1")};
  facts.default_source6 = Ip("2001:db8:1::2");
  return facts;
}

// In the words of ip6tables.
std::string Text6(const Desired& desired, XtTable table) {
  std::string text;
  const auto found = desired.state.tables.find(table);
  if (found == desired.state.tables.end()) return text;
  for (const auto& [name, chain] : found->second->chains) {
    for (const ChainRule& rule : chain) {
      text += "-A " + name + " " + RenderChainRule(rule, Family::kIpv6) + "\n";
    }
  }
  return text;
}

TEST(CompileIpv6, ASpecWithoutItHasNothingOfIt) {
  const Desired desired = Compile(TwoUplinkSpec(), DualFacts());
  const Desired without = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  EXPECT_EQ(desired.state.routes, without.state.routes);
  EXPECT_EQ(desired.state.rules, without.state.rules);
  EXPECT_EQ(desired.state.tables, without.state.tables);
  EXPECT_EQ(desired.filters, without.filters);
  EXPECT_EQ(desired.filters.size(), 1u);
}

TEST(CompileIpv6, AsksOfEachFamilyWhatItsUplinksNeed) {
  EXPECT_FALSE(FactsScopeOf(TwoUplinkSpec()).ipv6);
  EXPECT_THAT(FactsScopeOf(TwoUplinkSpec()).default_routes6, IsEmpty());
  Spec spec = DualSpec();
  spec.uplinks[0].gateway6 = Ip("fe80::1");
  const FactsScope scope = FactsScopeOf(spec);
  EXPECT_TRUE(scope.ipv6);
  EXPECT_THAT(scope.links, ElementsAre("lan0", "pd1", "wan1", "wan2"));
  EXPECT_THAT(scope.default_routes, ElementsAre("wan1"));
  EXPECT_THAT(scope.default_routes6, ElementsAre("wan2"));
}

TEST(CompileIpv6, GivesEachFamilyItsRoutes) {
  const Desired desired = Compile(DualSpec(), DualFacts());
  EXPECT_THAT(
      RouteLines(desired, 11),
      ElementsAre(
          "default via 198.51.100.1 dev wan1 src 198.51.100.2 table 11 proto "
          "117",
          "unreachable default metric 4294967295 table 11 proto 117",
          "192.168.10.0/24 dev lan0 scope link table 11 proto 117",
          "198.51.100.0/24 dev wan1 scope link src 198.51.100.2 table 11 proto "
          "117",
          "default via fe80::1 dev wan1 src 2001:db8:1::2 metric 1024 table 11 "
          "proto 117",
          "unreachable default metric 4294967295 table 11 proto 117",
          "2001:db8:1::/64 dev wan1 src 2001:db8:1::2 metric 1024 table 11 "
          "proto 117",
          "fd00:10::/64 dev lan0 metric 1024 table 11 proto 117"));
  for (const auto& [key, route] : desired.state.routes) {
    if (key.table != 12) continue;
    EXPECT_EQ(key.destination.family(), Family::kIpv6) << RenderRoute(route);
  }
}

TEST(CompileIpv6, WritesEachRuleTwiceWhereBothAreCarried) {
  std::vector<std::string> ipv4;
  std::vector<std::string> ipv6;
  for (const PolicyRule& rule : Compile(DualSpec(), DualFacts()).state.rules) {
    (rule.family == Family::kIpv4 ? ipv4 : ipv6).push_back(RenderRule(rule));
  }
  EXPECT_THAT(ipv4,
              ElementsAre("priority 20000 from all lookup main "
                          "suppress_prefixlength 0 proto 117",
                          "priority 20101 fwmark 0x1/0xff lookup 11 proto 117",
                          "priority 20401 from 198.51.100.2/32 lookup 11 proto "
                          "117"));
  EXPECT_THAT(
      ipv6,
      ElementsAre("priority 20000 from all lookup main suppress_prefixlength 0 "
                  "proto 117",
                  "priority 20101 fwmark 0x1/0xff lookup 11 proto 117",
                  "priority 20102 fwmark 0x2/0xff lookup 12 proto 117",
                  "priority 20401 from 2001:db8:1::2/128 lookup 11 proto 117",
                  "priority 20402 from 2001:db8:2::2/128 lookup 12 proto 117"));
}

TEST(CompileIpv6, SpreadsOverTheUplinksThatCarryTheFamily) {
  const Desired desired = Compile(DualSpec(), DualFacts());
  EXPECT_THAT(MembersOf(desired), ElementsAre(1));
  EXPECT_THAT(MembersOf(desired, kBalance, Family::kIpv6), ElementsAre(1, 2));
}

TEST(CompileIpv6, LeavesAloneWhatMeansSomethingOnALinkOnly) {
  const std::string mangle =
      Text6(Compile(DualSpec(), DualFacts()), XtTable::kMangle6);
  EXPECT_THAT(mangle, HasSubstr("-A UPL-NEW -s fe80::/10 -j RETURN\n"
                                "-A UPL-NEW -s ff00::/8 -j RETURN\n"
                                "-A UPL-NEW -d fe80::/10 -j RETURN\n"
                                "-A UPL-NEW -d ff00::/8 -j RETURN\n"
                                "-A UPL-NEW -i wan1 -g UPL-MARK-1\n"));
  EXPECT_THAT(mangle, HasSubstr("-A UPL-NEW -i lan0 -s fd00:10::/64 "
                                "-g UPL-TRAFFIC\n"));
  EXPECT_THAT(mangle, Not(HasSubstr("-s fe80::/64")));
}

TEST(CompileIpv6, TranslatesPrefixes) {
  EXPECT_EQ(
      Text6(Compile(DualSpec(), DualFacts()), XtTable::kNat6),
      "-A UPL-POSTROUTING -s 2001:db8:1::2/128 -g UPL-SNAT-OWN\n"
      "-A UPL-POSTROUTING -s 2001:db8:2::2/128 -g UPL-SNAT-OWN\n"
      "-A UPL-POSTROUTING -s 2001:db8:1::2/128 -g UPL-SNAT\n"
      "-A UPL-POSTROUTING -s 2001:db8:2::2/128 -g UPL-SNAT\n"
      "-A UPL-POSTROUTING -s fd00:10::/64 -g UPL-SNAT\n"
      "-A UPL-SNAT -o wan1 ! -s 2001:db8:a1::/56 -j NETMAP --to "
      "2001:db8:a1::/56\n"
      "-A UPL-SNAT -o wan2 ! -s 2001:db8:2::2/128 -j SNAT --to-source "
      "2001:db8:2::2\n"
      "-A UPL-SNAT-OWN -o wan1 ! -s 2001:db8:1::2/128 -j SNAT --to-source "
      "2001:db8:1::2\n"
      "-A UPL-SNAT-OWN -o wan2 ! -s 2001:db8:2::2/128 -j SNAT --to-source "
      "2001:db8:2::2\n");
}

TEST(CompileIpv6, FollowsARenumberedPrefix) {
  Facts facts = DualFacts();
  Link& delegated = facts.links["pd1"];
  delegated.addresses.front().preferred = false;
  delegated.addresses.push_back(AddressOnLink("2001:db8:b1::1/56"));
  const Desired desired = Compile(DualSpec(), facts);
  EXPECT_THAT(Text6(desired, XtTable::kNat6),
              HasSubstr("NETMAP --to 2001:db8:b1::/56"));
  EXPECT_EQ(desired.uplinks[0].prefix6, Net("2001:db8:b1::/56"));
}

TEST(CompileIpv6, WaitsForThePrefix) {
  Facts facts = DualFacts();
  facts.links.erase("pd1");
  const Desired desired = Compile(DualSpec(), facts);
  EXPECT_EQ(desired.uplinks[0].phase, UplinkPhase::kReady);
  EXPECT_THAT(desired.warnings,
              ElementsAre("wan1 carries no IPv6: no prefix is known for wan1: "
                          "pd1 has no IPv6 network"));
  EXPECT_FALSE(desired.filters.at(Family::kIpv6).arrivals.contains("wan1"));
  EXPECT_TRUE(desired.filters.at(Family::kIpv4).arrivals.contains("wan1"));
}

TEST(CompileIpv6, APrefixIsOfOneUplinkAlone) {
  Spec spec = DualSpec();
  spec.uplinks[1].nat6 = Nat::kPrefix;
  spec.uplinks[1].prefix6_interface = "pd2";
  Facts facts = DualFacts();
  testing::AddLink(facts, testing::UpLink("pd2", 10, "2001:db8:a2::1/56"));
  EXPECT_EQ(Compile(spec, facts).uplinks[1].phase, UplinkPhase::kReady);
  // Half-way through a renumbering, say.
  facts.links["pd2"].addresses = {AddressOnLink("2001:db8:a1:80::1/64")};
  const Desired desired = Compile(spec, facts);
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kWaiting);
  EXPECT_EQ(desired.uplinks[1].reason,
            "its prefix 2001:db8:a1:80::/64 overlaps that of wan1, "
            "2001:db8:a1::/56");
  EXPECT_THAT(desired.warnings, IsEmpty());
}

TEST(CompileIpv6, ALineMayHaveADelegatedPrefixAndNoAddress) {
  Facts facts = DualFacts();
  std::erase_if(facts.links["wan1"].addresses, [](const LinkAddress& a) {
    return a.local.family() == Family::kIpv6;
  });
  const Desired desired = Compile(DualSpec(), facts);
  EXPECT_EQ(desired.uplinks[0].phases.at(Family::kIpv6), UplinkPhase::kReady);
  EXPECT_EQ(desired.uplinks[0].address6, Ip("2001:db8:a1::1"));
  EXPECT_THAT(RuleLines(desired),
              Contains(HasSubstr("from 2001:db8:a1::1/128 lookup 11")));
  Spec spec = DualSpec();
  spec.uplinks[0].nat6 = Nat::kSnat;
  spec.uplinks[0].prefix6_interface = "";
  EXPECT_EQ(Compile(spec, facts).uplinks[0].phases.at(Family::kIpv6),
            UplinkPhase::kWaiting);
}

TEST(CompileIpv6, IcmpHasAnotherNumber) {
  Spec spec = DualSpec();
  TrafficRule pings;
  pings.name = "pings";
  pings.match.protocol = kIcmp;
  pings.use = "wan2";
  spec.traffic = {pings};
  const auto protocol = [&spec](Family family) {
    const Desired desired = Compile(spec, DualFacts());
    const auto& rules = desired.filters.at(family).traffic;
    return rules.empty() ? std::nullopt : rules.front().match.protocol;
  };
  EXPECT_EQ(protocol(Family::kIpv4), kIcmp);
  EXPECT_EQ(protocol(Family::kIpv6), kIcmpv6);
  spec.traffic.front().match.protocol = kIcmpv6;
  EXPECT_EQ(protocol(Family::kIpv4), std::nullopt);
  EXPECT_EQ(protocol(Family::kIpv6), kIcmpv6);
}

TEST(CompileIpv6, ARefusalIsAboutOneFamily) {
  Facts facts = DualFacts();
  facts.blocked[{"wan1", Family::kIpv6}] = "refused";
  const Desired desired = Compile(DualSpec(), facts);
  EXPECT_EQ(desired.uplinks[0].phase, UplinkPhase::kReady);
  EXPECT_THAT(desired.warnings, ElementsAre("wan1 carries no IPv6: refused"));
  EXPECT_TRUE(desired.filters.at(Family::kIpv4).arrivals.contains("wan1"));
}

TEST(CompileIpv6, AnUplinkOfIpv6AloneIsWhatItIsThere) {
  Facts facts = DualFacts();
  facts.links["wan2"].default_route6.reset();
  const Desired desired = Compile(DualSpec(), facts);
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kWaiting);
  EXPECT_EQ(desired.uplinks[1].reason,
            "no IPv6 gateway is known for wan2: main has no default route "
            "through it");
  EXPECT_EQ(desired.uplinks[1].address, std::nullopt);
  EXPECT_EQ(desired.uplinks[1].address6, Ip("2001:db8:2::2"));
  EXPECT_THAT(desired.warnings, IsEmpty());
}

TEST(CompileIpv6, ChoosesNoDeprecatedSource) {
  Facts facts = DualFacts();
  Link& wan2 = facts.links["wan2"];
  wan2.default_route6 = DefaultRoute{Ip("fe80::1")};
  wan2.addresses.back().preferred = false;
  wan2.addresses.push_back(AddressOnLink("2001:db8:2::9/64"));
  EXPECT_EQ(Compile(DualSpec(), facts).uplinks[1].address6,
            Ip("2001:db8:2::9"));
  // Better than none.
  wan2.addresses.pop_back();
  EXPECT_EQ(Compile(DualSpec(), facts).uplinks[1].address6,
            Ip("2001:db8:2::2"));
}

TEST(CompileIpv6, NarrowsTrafficRulesToTheFamily) {
  Spec spec = DualSpec();
  const auto add = [&spec](const char* name, std::vector<Prefix> to,
                           const char* use) {
    TrafficRule rule;
    rule.name = name;
    rule.match.destination = std::move(to);
    rule.use = use;
    spec.traffic.push_back(std::move(rule));
  };
  add("four", {Net("203.0.113.0/25")}, "main");
  add("six", {Net("2001:db8:7::/48")}, "main");
  add("both", {Net("203.0.113.128/25"), Net("2001:db8:8::/48")}, "wan2");
  const Desired desired = Compile(spec, DualFacts());
  const auto names = [&](Family family) {
    std::vector<std::string> all;
    for (const TrafficIntent& rule : desired.filters.at(family).traffic) {
      all.push_back(rule.name);
      EXPECT_EQ(rule.match.destination.size(), 1u);
    }
    return all;
  };
  EXPECT_THAT(names(Family::kIpv4), ElementsAre("four", "both"));
  EXPECT_THAT(names(Family::kIpv6), ElementsAre("six", "both"));
  // wan2 carries no IPv4: what a rule sends there goes nowhere else.
  EXPECT_FALSE(desired.filters.at(Family::kIpv4).only.at(2));
  EXPECT_TRUE(desired.filters.at(Family::kIpv6).only.at(2));
}

TEST(CompileIpv6, MultipathHasARouteInEachFamily) {
  Spec spec = DualSpec();
  spec.balance.algorithm = Algorithm::kMultipath;
  spec.uplinks[1].families = UplinkFamilies::kBoth;
  EXPECT_THAT(RouteLines(Compile(spec, DualFacts()), 10),
              ElementsAre(HasSubstr("nexthop via 198.51.100.1 dev wan1"),
                          "default metric 1024 table 10 proto 117 nexthop via "
                          "fe80::1 dev wan1 weight 4 nexthop via 2001:db8:2::1 "
                          "dev wan2 weight 1"));
}

TEST(CompileIpv6, RendersTheWordsOfIp6tables) {
  const Plan plan = MakePlan(Compile(DualSpec(), DualFacts()), State());
  std::vector<std::string> commands;
  for (const PlanLine& line : RenderPlan(plan))
    commands.push_back(line.command);
  EXPECT_THAT(commands, Contains("ip -6 rule add priority 20101 fwmark "
                                 "0x1/0xff lookup 11 proto 117"));
  EXPECT_THAT(commands, Contains("ip6tables-legacy -t nat -N UPL-SNAT-OWN"));
  EXPECT_THAT(commands, Contains("iptables-legacy -t nat -N UPL-SNAT"));
}

}  // namespace
}  // namespace uplinkd
