#include "reconciler/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::MembersOf;
using testing::Net;
using ::testing::Not;
using testing::RouteLines;
using testing::RuleLines;
using testing::SpecWithUplinks;
using testing::TableText;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

const UplinkState& UplinkNamed(const Desired& desired, std::string_view name) {
  const auto found = std::find_if(
      desired.uplinks.begin(), desired.uplinks.end(),
      [&](const UplinkState& uplink) { return uplink.name == name; });
  EXPECT_NE(found, desired.uplinks.end());
  return *found;
}

TEST(Compile, SaysWhatBecameOfEachUplink) {
  const Desired desired = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  ASSERT_EQ(desired.uplinks.size(), 2U);
  const UplinkState& wan2 = desired.uplinks[1];
  EXPECT_EQ(wan2.name, "wan2");
  EXPECT_EQ(wan2.phase, UplinkPhase::kReady);
  EXPECT_EQ(wan2.reason, "");
  EXPECT_EQ(wan2.mark, (Mark{2, 0xff}));
  EXPECT_EQ(wan2.table, 12U);
  EXPECT_EQ(wan2.address, Ip("203.0.113.2"));
  EXPECT_EQ(wan2.gateway, Ip("203.0.113.1"));
  EXPECT_DOUBLE_EQ(desired.uplinks[0].share, 0.8);
  EXPECT_DOUBLE_EQ(wan2.share, 0.2);
  EXPECT_THAT(desired.warnings, IsEmpty());
  EXPECT_THAT(desired.table_owner,
              ElementsAre(std::pair(11U, "wan1"), std::pair(12U, "wan2")));
}

TEST(Compile, TakesMarksAndTablesFromTheSpec) {
  Spec spec = TwoUplinkSpec();
  spec.mark_mask = 0xff0000;
  spec.table_base = 1000;
  const Desired desired = Compile(spec, TwoUplinkFacts());
  EXPECT_THAT(RuleLines(desired),
              Contains("priority 20102 fwmark 0x20000/0xff0000 lookup 1002"
                       " proto 117"));
  EXPECT_THAT(TableText(desired, XtTable::kMangle),
              HasSubstr("-A UPL-MARK-2 -j MARK --set-xmark 0x20000/0xff0000"));
  EXPECT_THAT(RouteLines(desired, 1001),
              Contains(HasSubstr("default via 198.51.100.1")));
}

// ---- uplinks that cannot be used ----

struct Missing {
  std::string reason;
  void (*change)(Spec&, Facts&);
};

class CompileWaiting : public ::testing::TestWithParam<Missing> {};

TEST_P(CompileWaiting, NamesWhatIsMissing) {
  Spec spec = TwoUplinkSpec();
  Facts facts = TwoUplinkFacts();
  GetParam().change(spec, facts);
  const Desired desired = Compile(spec, facts);
  const UplinkState& wan2 = UplinkNamed(desired, "wan2");
  EXPECT_EQ(wan2.phase, UplinkPhase::kWaiting);
  EXPECT_EQ(wan2.reason, GetParam().reason);
  EXPECT_EQ(wan2.share, 0);
  EXPECT_EQ(UplinkNamed(desired, "wan1").share, 1);
  EXPECT_THAT(MembersOf(desired), ElementsAre(1));
  EXPECT_FALSE(desired.filters.at(Family::kIpv4).arrivals.contains("wan2"));
  // Its connections must not fall through to another uplink.
  EXPECT_THAT(RouteLines(desired, 12),
              Contains("unreachable default metric 4294967295 table 12"
                       " proto 117"));
  EXPECT_THAT(RuleLines(desired),
              Contains("priority 20102 fwmark 0x2/0xff lookup 12 proto 117"));
}

INSTANTIATE_TEST_SUITE_P(
    All, CompileWaiting,
    ::testing::Values(
        Missing{"interface wan2 does not exist",
                [](Spec&, Facts& facts) { facts.links.erase("wan2"); }},
        Missing{"wan2 is down",
                [](Spec&, Facts& facts) { facts.links["wan2"].up = false; }},
        Missing{
            "wan2 has no carrier",
            [](Spec&, Facts& facts) { facts.links["wan2"].carrier = false; }},
        Missing{
            "wan2 has no address",
            [](Spec&, Facts& facts) { facts.links["wan2"].addresses.clear(); }},
        Missing{"address 203.0.113.9 is not on wan2",
                [](Spec& spec, Facts&) {
                  spec.uplinks[1].address = Ip("203.0.113.9");
                }},
        Missing{"no gateway is known for wan2: main has no default route"
                " through it",
                [](Spec&, Facts& facts) {
                  facts.links["wan2"].default_route.reset();
                }}));

TEST(Compile, KeepsNoRouteThroughALinkThatIsDown) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"].up = false;
  const Desired desired = Compile(TwoUplinkSpec(), facts);
  EXPECT_THAT(RouteLines(desired, 12),
              ElementsAre("unreachable default metric 4294967295 table 12"
                          " proto 117"));
  // The address is still there, and so is its rule.
  EXPECT_THAT(RuleLines(desired),
              Contains("priority 20402 from 203.0.113.2/32 lookup 12"
                       " proto 117"));
}

TEST(Compile, KeepsTheRoutesOfALinkWithoutCarrier) {
  Facts facts = TwoUplinkFacts();
  const Desired before = Compile(TwoUplinkSpec(), facts);
  facts.links["wan2"].carrier = false;
  const Desired after = Compile(TwoUplinkSpec(), facts);
  EXPECT_EQ(after.state.routes, before.state.routes);
  EXPECT_EQ(after.state.rules, before.state.rules);
}

TEST(Compile, KeepsConnectedRoutesWithoutAGateway) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"].default_route.reset();
  EXPECT_THAT(RouteLines(Compile(TwoUplinkSpec(), facts), 12),
              ElementsAre("unreachable default metric 4294967295 table 12"
                          " proto 117",
                          "192.168.10.0/24 dev lan0 scope link table 12"
                          " proto 117",
                          "203.0.113.0/24 dev wan2 scope link"
                          " src 203.0.113.2 table 12 proto 117"));
}

TEST(Compile, DropsTheSourceRuleWithTheAddress) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"].addresses.clear();
  const Desired desired = Compile(TwoUplinkSpec(), facts);
  EXPECT_THAT(RuleLines(desired), Not(Contains(HasSubstr("203.0.113.2"))));
  EXPECT_THAT(TableText(desired, XtTable::kNat), Not(HasSubstr("203.0.113.2")));
}

TEST(Compile, RetriesABlockedUplinkButGivesItNothing) {
  Facts facts = TwoUplinkFacts();
  facts.blocked["wan2"] = "route refused: Nexthop has invalid gateway";
  const Desired desired = Compile(TwoUplinkSpec(), facts);
  const UplinkState& wan2 = UplinkNamed(desired, "wan2");
  EXPECT_EQ(wan2.phase, UplinkPhase::kBlocked);
  EXPECT_EQ(wan2.reason, "route refused: Nexthop has invalid gateway");
  EXPECT_THAT(MembersOf(desired), ElementsAre(1));
  EXPECT_FALSE(desired.filters.at(Family::kIpv4).arrivals.contains("wan2"));
  const Desired unblocked = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  EXPECT_EQ(desired.state.routes, unblocked.state.routes);
  EXPECT_EQ(desired.state.rules, unblocked.state.rules);
}

TEST(Compile, ReportsWhatIsMissingBeforeAnOldRefusal) {
  Facts facts = TwoUplinkFacts();
  facts.blocked["wan2"] = "route refused";
  facts.links.erase("wan2");
  EXPECT_EQ(UplinkNamed(Compile(TwoUplinkSpec(), facts), "wan2").reason,
            "interface wan2 does not exist");
}

TEST(Compile, LeavesEverythingToMainWhenNoUplinkIsReady) {
  Facts facts = TwoUplinkFacts();
  facts.links.erase("wan1");
  facts.links.erase("wan2");
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kWeightedRandom;
  // Live connections keep their marks; nobody gets a new one.
  EXPECT_EQ(TableText(Compile(spec, facts), XtTable::kMangle),
            "-I PREROUTING 1 -j UPL-PREROUTING\n"
            "-I OUTPUT 1 -j UPL-OUTPUT\n"
            "-N UPL-NEW\n"
            "-A UPL-OUTPUT -j CONNMARK --restore-mark --nfmask 0xff"
            " --ctmask 0xff\n"
            "-A UPL-PREROUTING -j CONNMARK --restore-mark --nfmask 0xff"
            " --ctmask 0xff\n"
            "-A UPL-PREROUTING -m mark ! --mark 0x0/0xff -j RETURN\n"
            "-A UPL-PREROUTING -m conntrack --ctstate NEW -g UPL-NEW\n");
}

// ---- addresses and gateways ----

TEST(Compile, PrefersWhatTheSpecSaysOverWhatItLearns) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].address = Ip("198.51.100.7");
  spec.uplinks[0].gateway = Ip("198.51.100.254");
  Facts facts = TwoUplinkFacts();
  facts.links["wan1"].addresses.push_back(
      testing::AddressOnLink("198.51.100.7/24"));
  const Desired desired = Compile(spec, facts);
  EXPECT_THAT(RouteLines(desired, 11),
              Contains("default via 198.51.100.254 dev wan1 src 198.51.100.7"
                       " table 11 proto 117"));
  EXPECT_THAT(RouteLines(desired, 11),
              Contains("198.51.100.0/24 dev wan1 scope link src 198.51.100.7"
                       " table 11 proto 117"));
}

TEST(Compile, LearnsTheAddressNextToTheGateway) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan1"].addresses.insert(facts.links["wan1"].addresses.begin(),
                                       testing::AddressOnLink("10.9.9.9/30"));
  const Desired desired = Compile(TwoUplinkSpec(), facts);
  EXPECT_EQ(UplinkNamed(desired, "wan1").address, Ip("198.51.100.2"));
  EXPECT_THAT(RouteLines(desired, 11),
              Contains("10.9.9.8/30 dev wan1 scope link src 10.9.9.9 table 11"
                       " proto 117"));
}

TEST(Compile, PutsAGatewayOutsideTheNetworksOnlink) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"] =
      testing::UpLink("wan2", 4, "203.0.113.2/32", "172.31.1.1");
  EXPECT_THAT(RouteLines(Compile(TwoUplinkSpec(), facts), 12),
              ElementsAre("default via 172.31.1.1 dev wan2 onlink"
                          " src 203.0.113.2 table 12 proto 117",
                          "unreachable default metric 4294967295 table 12"
                          " proto 117",
                          "192.168.10.0/24 dev lan0 scope link table 12"
                          " proto 117"));
}

TEST(Compile, NeedsNoGatewayOnAPointToPointLink) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"] =
      testing::PointToPointLink("wan2", 4, "203.0.113.2", "10.64.0.1");
  const std::vector<std::string> expected = {
      "default dev wan2 scope link src 203.0.113.2 table 12 proto 117",
      "unreachable default metric 4294967295 table 12 proto 117",
      "10.64.0.1/32 dev wan2 scope link src 203.0.113.2 table 12 proto 117",
      "192.168.10.0/24 dev lan0 scope link table 12 proto 117"};
  Desired desired = Compile(TwoUplinkSpec(), facts);
  EXPECT_EQ(RouteLines(desired, 12), expected);
  EXPECT_EQ(UplinkNamed(desired, "wan2").gateway, std::nullopt);
  // Its own address is not in the connected network, but is internal.
  EXPECT_THAT(desired.filters.at(Family::kIpv4).internal,
              Contains(Net("203.0.113.2/32")));
  // Even where main has no default route through it.
  facts.links["wan2"].default_route.reset();
  EXPECT_EQ(RouteLines(Compile(TwoUplinkSpec(), facts), 12), expected);
}

// ---- LANs ----

TEST(Compile, LearnsTheNetworksOfALanFromItsLink) {
  Spec spec = TwoUplinkSpec();
  spec.lans[0].networks.clear();
  const Desired learned = Compile(spec, TwoUplinkFacts());
  const Desired declared = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  EXPECT_EQ(learned.state.routes, declared.state.routes);
  EXPECT_EQ(learned.state.tables, declared.state.tables);
}

TEST(Compile, NamesNoNetworkWithinAnotherOne) {
  Spec spec = TwoUplinkSpec();
  spec.lans[0].networks = {Net("192.168.10.128/25"), Net("192.168.11.0/24"),
                           Net("192.168.10.0/23"), Net("192.168.12.0/24")};
  const Desired desired = Compile(spec, TwoUplinkFacts());
  EXPECT_THAT(desired.filters.at(Family::kIpv4).internal,
              ElementsAre(Net("192.168.10.0/23"), Net("192.168.12.0/24"),
                          Net("198.51.100.0/24"), Net("203.0.113.0/24"),
                          Net("224.0.0.0/3")));
  EXPECT_THAT(desired.filters.at(Family::kIpv4).nat_sources,
              ElementsAre(Net("192.168.10.0/23"), Net("192.168.12.0/24"),
                          Net("198.51.100.2/32"), Net("203.0.113.2/32")));
}

TEST(Compile, WarnsOfALanThatCannotBeBalanced) {
  Spec spec = TwoUplinkSpec();
  spec.lans = {{"lan0", {}}, {"lan1", {}}, {"lan2", {Net("10.2.0.0/16")}}};
  Facts facts = TwoUplinkFacts();
  facts.links["lan0"].addresses.clear();
  testing::AddLink(facts, testing::UpLink("lan2", 9, "10.2.0.1/16"));
  facts.links["lan2"].up = false;
  EXPECT_THAT(
      Compile(spec, facts).warnings,
      ElementsAre(
          "lan0 has no address: no connection from this LAN is balanced",
          "interface lan1 does not exist: no connection from this LAN is"
          " balanced",
          "lan2 is down: no connection from this LAN is balanced"));
}

TEST(Compile, RoutesNoLanWhoseLinkIsDown) {
  Facts facts = TwoUplinkFacts();
  facts.links["lan0"].up = false;
  EXPECT_THAT(RouteLines(Compile(TwoUplinkSpec(), facts), 11),
              Not(Contains(HasSubstr("lan0"))));
}

// ---- translation ----

TEST(Compile, TranslatesAsEachUplinkAsks) {
  Spec spec = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  spec.uplinks[1].nat = Nat::kMasquerade;
  spec.uplinks[2].nat = Nat::kNone;
  EXPECT_EQ(TableText(Compile(spec, FactsWithUplinks(3)), XtTable::kNat),
            "-I POSTROUTING 1 -j UPL-POSTROUTING\n"
            "-A UPL-POSTROUTING -s 10.1.0.2/32 -g UPL-SNAT\n"
            "-A UPL-POSTROUTING -s 10.2.0.2/32 -g UPL-SNAT\n"
            "-A UPL-POSTROUTING -s 10.3.0.2/32 -g UPL-SNAT\n"
            "-A UPL-POSTROUTING -s 192.168.10.0/24 -g UPL-SNAT\n"
            "-A UPL-SNAT -o wan1 ! -s 10.1.0.2/32 -j SNAT"
            " --to-source 10.1.0.2\n"
            "-A UPL-SNAT -o wan2 ! -s 10.2.0.2/32 -j MASQUERADE\n");
}

TEST(Compile, HasNoNatTableWhereNothingIsTranslated) {
  Spec spec = TwoUplinkSpec();
  for (Uplink& uplink : spec.uplinks) uplink.nat = Nat::kNone;
  EXPECT_FALSE(
      Compile(spec, TwoUplinkFacts()).state.tables.contains(XtTable::kNat));
}

// ---- algorithms ----

TEST(Compile, GivesSharesByWeight) {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kRoundRobin;
  spec.uplinks[0].weight = 1;
  spec.uplinks[1].weight = 3;
  EXPECT_DOUBLE_EQ(UplinkNamed(Compile(spec, TwoUplinkFacts()), "wan2").share,
                   0.75);
  // least-loaded goes by capacity, whatever the weights.
  spec.balance.algorithm = Algorithm::kLeastLoaded;
  EXPECT_DOUBLE_EQ(UplinkNamed(Compile(spec, TwoUplinkFacts()), "wan2").share,
                   0.2);
}

TEST(Compile, MeasuresInBytesInTheChosenDirection) {
  Spec spec = TwoUplinkSpec();
  const auto capacity = [&spec](Measure measure) {
    spec.balance.measure = measure;
    return Compile(spec, TwoUplinkFacts())
        .filters.at(Family::kIpv4)
        .choices.at(kBalance)
        .members[0]
        .capacity;
  };
  EXPECT_EQ(capacity(Measure::kDownload), 5'000'000U);
  EXPECT_EQ(capacity(Measure::kUpload), 1'250'000U);
  EXPECT_EQ(capacity(Measure::kBoth), 6'250'000U);
}

TEST(Compile, RoutesByNextHopsForMultipath) {
  Spec spec = TwoUplinkSpec();
  spec.lans.push_back({"lan1", {Net("192.168.11.0/24")}});
  spec.balance.algorithm = Algorithm::kMultipath;
  const Desired desired = Compile(spec, TwoUplinkFacts());
  EXPECT_THAT(RouteLines(desired, 10),
              ElementsAre("default table 10 proto 117"
                          " nexthop via 198.51.100.1 dev wan1 weight 4"
                          " nexthop via 203.0.113.1 dev wan2 weight 1"));
  EXPECT_THAT(RuleLines(desired),
              Contains("priority 20701 iif lan0 lookup 10 proto 117"));
  EXPECT_THAT(RuleLines(desired),
              Contains("priority 20702 iif lan1 lookup 10 proto 117"));
  EXPECT_EQ(desired.table_owner.at(10), "");
  EXPECT_TRUE(desired.filters.at(Family::kIpv4).choices.empty());
  EXPECT_THAT(desired.filters.at(Family::kIpv4).departures,
              ElementsAre(std::pair("wan1", Mark{1, 0xff}),
                          std::pair("wan2", Mark{2, 0xff})));
  EXPECT_DOUBLE_EQ(UplinkNamed(desired, "wan1").share, 0.8);
}

TEST(Compile, RoutesMultipathOverTheUplinksThatAreReady) {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kMultipath;
  Facts facts = TwoUplinkFacts();
  facts.links["wan1"].carrier = false;
  facts.links["wan2"] =
      testing::PointToPointLink("wan2", 4, "203.0.113.2", "10.64.0.1");
  EXPECT_THAT(RouteLines(Compile(spec, facts), 10),
              ElementsAre("default dev wan2 scope link table 10 proto 117"));
  facts.links.erase("wan2");
  // What finds no next hop is routed by main.
  EXPECT_THAT(RouteLines(Compile(spec, facts), 10), IsEmpty());
}

TEST(Compile, ScalesWeightsToWhatNextHopsCanHave) {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kMultipath;
  spec.uplinks[0].weight = 100'000;
  spec.uplinks[1].weight = 7;
  EXPECT_THAT(RouteLines(Compile(spec, TwoUplinkFacts()), 10),
              ElementsAre(::testing::AllOf(HasSubstr("wan1 weight 256"),
                                           HasSubstr("wan2 weight 1"))));
}

// ---- warnings ----

TEST(Compile, WarnsOfStrictSourceChecksOnAnUplink) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan2"].rp_filter = 1;
  const Desired desired = Compile(TwoUplinkSpec(), facts);
  ASSERT_EQ(desired.warnings.size(), 1U);
  EXPECT_THAT(desired.warnings[0],
              HasSubstr("sysctl -w net.ipv4.conf.wan2.rp_filter=2"));
  EXPECT_THAT(desired.warnings[0],
              HasSubstr("sysctl -w net.ipv4.conf.wan2.src_valid_mark=1"));
}

TEST(Compile, WarnsOfNoSourceCheckThatPasses) {
  Facts facts = TwoUplinkFacts();
  facts.links["wan1"].rp_filter = 2;
  facts.links["wan2"].rp_filter = 1;
  facts.links["wan2"].src_valid_mark = true;
  // main has a route back to each LAN, so a strict check passes there.
  facts.links["lan0"].rp_filter = 1;
  EXPECT_THAT(Compile(TwoUplinkSpec(), facts).warnings, IsEmpty());
}

TEST(Compile, WritesSysctlsOfInterfacesWithDots) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[1].interface = "eth0.7";
  Facts facts = TwoUplinkFacts();
  testing::AddLink(
      facts, testing::UpLink("eth0.7", 4, "203.0.113.2/24", "203.0.113.1"));
  facts.links["eth0.7"].rp_filter = 1;
  EXPECT_THAT(Compile(spec, facts).warnings,
              ElementsAre(HasSubstr("net/ipv4/conf/eth0.7/rp_filter=2")));
}

TEST(Compile, AsksForTheLinksOfTheSpec) {
  EXPECT_THAT(FactsScopeOf(TwoUplinkSpec()).links,
              ElementsAre("lan0", "wan1", "wan2"));
}

TEST(Compile, AsksForNoGatewayThatTheSpecGives) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].gateway = testing::Ip("198.51.100.9");
  EXPECT_THAT(FactsScopeOf(spec).default_routes, ElementsAre("wan2"));
}

TEST(Compile, AsksForTheRoutersSourceOnlyWhereItBalancesIt) {
  Spec spec = TwoUplinkSpec();
  EXPECT_FALSE(FactsScopeOf(spec).default_source);
  spec.local_use = "balance";
  EXPECT_TRUE(FactsScopeOf(spec).default_source);
  spec.local_use = kUseMain;
  spec.traffic.push_back({.name = "backup", .use = "wan1"});
  EXPECT_FALSE(FactsScopeOf(spec).default_source);
  spec.traffic.back().match.uid = {{1000, 1000}};
  EXPECT_TRUE(FactsScopeOf(spec).default_source);
}

}  // namespace
}  // namespace uplinkd
