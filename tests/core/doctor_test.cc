#include "reconciler/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "reconciler/ownership.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using uplinkd::testing::Net;
using uplinkd::testing::SpecWithUplinks;
using uplinkd::testing::TwoUplinkSpec;

PolicyRule Rule(std::uint32_t priority, std::uint32_t table) {
  PolicyRule rule;
  rule.priority = priority;
  rule.table = table;
  rule.protocol = 2;  // the kernel's own
  return rule;
}

PolicyRule OurRule(std::uint32_t priority, std::uint32_t table) {
  PolicyRule rule = Rule(priority, table);
  rule.protocol = kProtocol;
  return rule;
}

Route ForeignRoute(std::uint32_t table) {
  Route route;
  route.key = {table, Net("10.0.0.0/8"), 0, 0};
  route.protocol = 4;  // static
  route.next_hops = {{"eth9", std::nullopt, 1, false}};
  return route;
}

// A host on which TwoUplinkSpec() works.
HostFacts GoodHost() {
  HostFacts host;
  host.net_admin = true;
  host.net_raw = true;
  host.xt_tables = {{"mangle", Presence::kYes}, {"nat", Presence::kYes}};
  host.matches = {{"rateest", Presence::kYes}};
  host.targets = {{"CONNMARK", Presence::kYes}};
  host.links = {{"lan0", {}}, {"wan1", {}}, {"wan2", {}}};
  host.forwarding = true;
  host.conntrack = ConntrackFacts{100, 262144};
  host.rules = {Rule(0, 255), Rule(32766, 254), Rule(32767, 253)};
  return host;
}

std::vector<Finding> Findings(const HostFacts& host) {
  return Diagnose(host, ExpectSpec(TwoUplinkSpec()));
}

// The findings of a good host on which one thing is different.
std::vector<Finding> FindingsWith(const std::function<void(HostFacts&)>& edit) {
  HostFacts host = GoodHost();
  edit(host);
  return Findings(host);
}

std::vector<std::string> FindingIds(const std::vector<Finding>& findings) {
  std::vector<std::string> ids;
  ids.reserve(findings.size());
  for (const Finding& finding : findings) ids.push_back(finding.id);
  return ids;
}

// ---- what a spec needs ----

TEST(Expectation, NamesTheLinksAndTablesOfTheSpec) {
  const Expectation expectation = ExpectSpec(TwoUplinkSpec());
  EXPECT_THAT(expectation.uplinks, ElementsAre(std::pair("wan1", "wan1"),
                                               std::pair("wan2", "wan2")));
  EXPECT_THAT(expectation.lans, ElementsAre("lan0"));
  EXPECT_EQ(expectation.tables.at(11), "wan1");
  EXPECT_EQ(expectation.tables.at(12), "wan2");
  EXPECT_EQ(expectation.mark_mask, 0xffU);
  EXPECT_THAT(expectation.xt_tables, ElementsAre("mangle", "nat"));
}

TEST(Expectation, AsksOnlyForTheExtensionsOfTheAlgorithm) {
  const auto matches = [](Algorithm algorithm) {
    return ExpectSpec(SpecWithUplinks(3, algorithm)).matches;
  };
  EXPECT_THAT(
      matches(Algorithm::kLeastLoaded),
      UnorderedElementsAre("mark", "conntrack", "rateest", "statistic"));
  EXPECT_THAT(matches(Algorithm::kWeightedRandom),
              UnorderedElementsAre("mark", "conntrack", "statistic"));
  EXPECT_THAT(matches(Algorithm::kRoundRobin),
              UnorderedElementsAre("mark", "conntrack", "recent"));
  EXPECT_THAT(matches(Algorithm::kSourceHash),
              UnorderedElementsAre("mark", "conntrack", "cluster"));
  EXPECT_THAT(matches(Algorithm::kMultipath),
              UnorderedElementsAre("mark", "conntrack"));
}

TEST(Expectation, AsksOnlyForTheTargetsOfTheSpec) {
  Spec spec = SpecWithUplinks(2, Algorithm::kWeightedRandom);
  spec.uplinks[0].nat = Nat::kNone;
  spec.uplinks[1].nat = Nat::kMasquerade;
  EXPECT_THAT(ExpectSpec(spec).targets,
              UnorderedElementsAre("MARK", "CONNMARK", "MASQUERADE"));
}

TEST(Expectation, OfAnySpecCoversEveryAlgorithm) {
  const Expectation any = ExpectAnySpec();
  for (const Algorithm algorithm :
       {Algorithm::kLeastLoaded, Algorithm::kWeightedRandom,
        Algorithm::kRoundRobin, Algorithm::kSourceHash,
        Algorithm::kMultipath}) {
    const Expectation one = ExpectSpec(SpecWithUplinks(32, algorithm));
    EXPECT_THAT(any.matches, IsSupersetOf(one.matches));
    EXPECT_THAT(any.targets, IsSupersetOf(one.targets));
    EXPECT_THAT(any.xt_tables, IsSupersetOf(one.xt_tables));
    for (const auto& [table, name] : one.tables) {
      EXPECT_TRUE(any.tables.contains(table)) << table;
    }
  }
}

// ---- findings ----

TEST(Doctor, FindsNothingOnAGoodHost) {
  EXPECT_THAT(Findings(GoodHost()), IsEmpty());
  EXPECT_THAT(Diagnose(GoodHost(), ExpectAnySpec()), IsEmpty());
}

TEST(Doctor, EveryFindingSaysWhatWhyAndHowToMend) {
  HostFacts host;  // everything is wrong
  host.xt_tables = {{"nat", Presence::kNo}};
  host.matches = {{"rateest", Presence::kNo}};
  host.nft_tables = {{"ip", "nat"}};
  host.networkd.running = true;
  host.links = {{"wan1", {1, false}}};
  host.conntrack = ConntrackFacts{1, 2};
  host.mark_uses = {{"mangle FORWARD rule 1", "-j MARK", 1, true}};
  host.rules = {Rule(20500, 11), Rule(100, 77)};
  host.foreign_routes = {ForeignRoute(11)};
  host.table_names = {{12, "dsl", "/etc/iproute2/rt_tables"}};
  const std::vector<Finding> findings = Findings(host);
  EXPECT_GE(findings.size(), 14U);
  for (const Finding& finding : findings) {
    EXPECT_NE(finding.what, "") << finding.id;
    EXPECT_NE(finding.why, "") << finding.id;
    EXPECT_NE(finding.mend, "") << finding.id;
  }
}

TEST(Doctor, PutsTheGravestFindingFirst) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.agent_running = true;
    host.conntrack = ConntrackFacts{0, 1024};
    host.forwarding = false;
  });
  EXPECT_THAT(
      FindingIds(findings),
      ElementsAre("forwarding-off", "conntrack-small", "agent-running"));
}

TEST(Doctor, NamesTheMissingCapabilities) {
  const auto findings =
      FindingsWith([](HostFacts& host) { host.net_raw = false; });
  ASSERT_THAT(FindingIds(findings), ElementsAre("capability-missing"));
  EXPECT_THAT(findings[0].what, HasSubstr("CAP_NET_RAW"));
  EXPECT_THAT(findings[0].what, Not(HasSubstr("CAP_NET_ADMIN")));
}

TEST(Doctor, FindsAMissingLegacyTable) {
  const auto findings = FindingsWith(
      [](HostFacts& host) { host.xt_tables["nat"] = Presence::kNo; });
  ASSERT_THAT(FindingIds(findings), ElementsAre("legacy-tables-missing"));
  EXPECT_THAT(findings[0].mend, HasSubstr("modprobe iptable_nat"));
}

TEST(Doctor, NamesTheKernelsWordsWhereThereIsNoIptablesAtAll) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.xt_tables = {{"mangle", Presence::kNo}, {"nat", Presence::kNo}};
    host.xt_error = "Protocol not available";
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("legacy-tables-missing"));
  EXPECT_THAT(findings[0].what, HasSubstr("Protocol not available"));
}

TEST(Doctor, DoesNotCallMissingWhatItCouldNotSee) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.xt_tables["nat"] = Presence::kUnknown;
                host.matches["rateest"] = Presence::kUnknown;
              }),
              IsEmpty());
}

TEST(Doctor, NamesTheModuleOfAMissingExtension) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.matches["rateest"] = Presence::kNo;
    host.targets["CONNMARK"] = Presence::kNo;
  });
  ASSERT_THAT(FindingIds(findings),
              ElementsAre("extension-missing", "extension-missing"));
  EXPECT_THAT(findings[0].mend, HasSubstr("modprobe xt_rateest"));
  EXPECT_THAT(findings[1].mend, HasSubstr("modprobe xt_connmark"));
}

TEST(Doctor, NamesTheTablesOfIptablesNft) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.nft_tables = {{"ip", "filter"}, {"ip", "mangle"}, {"ip6", "nat"}};
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("other-backend"));
  EXPECT_THAT(findings[0].what, HasSubstr("ip filter, ip mangle"));
  EXPECT_THAT(findings[0].what, Not(HasSubstr("ip6")));
}

TEST(Doctor, LeavesNftablesOfTheirOwnAlone) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.nft_tables = {{"inet", "firewalld"}, {"ip", "mine"}};
              }),
              IsEmpty());
}

TEST(Doctor, WarnsOfNetworkdThatDeletesForeignRules) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.networkd = {true, false, false, true};
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("networkd-deletes"));
  EXPECT_THAT(findings[0].what, HasSubstr("removes the rules of"));
  EXPECT_THAT(findings[0].mend,
              HasSubstr("ManageForeignRoutingPolicyRules=no"));
}

TEST(Doctor, WarnsOfNetworkdThatWillStartAtBoot) {
  EXPECT_THAT(FindingIds(FindingsWith([](HostFacts& host) {
                host.networkd = {false, true, true, false};
              })),
              ElementsAre("networkd-deletes"));
}

TEST(Doctor, IsContentWithNetworkdThatIsOffOrKeepsForeignObjects) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.networkd = {false, false, false, false};
              }),
              IsEmpty());
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.networkd = {true, true, true, true};
              }),
              IsEmpty());
}

TEST(Doctor, FindsStrictReversePathFilteringOnUplinks) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.links["wan2"] = {1, false};
    host.links["wan0.7"] = {1, false};  // not in the spec
    host.links["lan0"] = {1, false};    // its sources are in main
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("rp-filter-strict"));
  EXPECT_EQ(findings[0].severity, Severity::kError);
  EXPECT_THAT(findings[0].mend,
              HasSubstr("sysctl -w net.ipv4.conf.wan2.rp_filter=2"));
  EXPECT_THAT(findings[0].mend, Not(HasSubstr("lan0")));
}

TEST(Doctor, AcceptsStrictFilteringThatFollowsMarksAndLooseFiltering) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.links["wan1"] = {1, true};
                host.links["wan2"] = {2, false};
              }),
              IsEmpty());
}

TEST(Doctor, SpellsLinksWithDotsAsSysctlWantsThem) {
  HostFacts host = GoodHost();
  host.links["eth0.10"] = {1, false};
  const auto findings = Diagnose(host, ExpectAnySpec());
  ASSERT_THAT(FindingIds(findings), ElementsAre("rp-filter-strict"));
  EXPECT_EQ(findings[0].severity, Severity::kWarning);
  EXPECT_THAT(findings[0].mend, HasSubstr("net.ipv4.conf.eth0/10.rp_filter"));
}

TEST(Doctor, FindsForwardingOff) {
  const auto findings =
      FindingsWith([](HostFacts& host) { host.forwarding = false; });
  ASSERT_THAT(FindingIds(findings), ElementsAre("forwarding-off"));
  EXPECT_THAT(findings[0].mend, HasSubstr("net.ipv4.ip_forward=1"));
}

TEST(Doctor, FindsAConnectionTableThatIsFullOrSmall) {
  const auto ids = [](ConntrackFacts facts) {
    return FindingIds(
        FindingsWith([&](HostFacts& host) { host.conntrack = facts; }));
  };
  EXPECT_THAT(ids({80001, 100000}), ElementsAre("conntrack-full"));
  EXPECT_THAT(ids({80000, 100000}), IsEmpty());
  EXPECT_THAT(ids({0, 65535}), ElementsAre("conntrack-small"));
  EXPECT_THAT(ids({0, 65536}), IsEmpty());
}

TEST(Doctor, SaysNothingOfAConnectionTableThatIsNotLoaded) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) { host.conntrack.reset(); }),
              IsEmpty());
}

TEST(Doctor, FindsForeignChainRulesThatTouchOurMarkBits) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.mark_uses = {
        {"mangle FORWARD rule 2", "-m mark --mark 0x10/0x10", 0x10, false},
        {"nat OUTPUT rule 1", "-j MARK --set-xmark 0x1/0xffffffff", 0xffffffff,
         true}};
  });
  ASSERT_THAT(FindingIds(findings),
              ElementsAre("mark-collision", "mark-collision"));
  EXPECT_EQ(findings[0].severity, Severity::kError);
  EXPECT_THAT(findings[0].what, HasSubstr("writes mark bits 0xff of"));
  EXPECT_THAT(findings[0].what, HasSubstr("nat OUTPUT rule 1"));
  EXPECT_EQ(findings[1].severity, Severity::kWarning);
  EXPECT_THAT(findings[1].what, HasSubstr("looks at mark bits 0x10"));
}

TEST(Doctor, LeavesForeignMarksInOtherBitsAlone) {
  EXPECT_THAT(
      FindingsWith([](HostFacts& host) {
        host.mark_uses = {{"mangle FORWARD rule 1",
                           "-j MARK --set-xmark 0x4000/0x4000", 0x4000, true}};
        PolicyRule rule = Rule(30000, 99);
        rule.mark = Mark{0x4000, 0xff00};
        host.rules.push_back(rule);
      }),
      IsEmpty());
}

TEST(Doctor, FindsForeignRulesThatLookAtOurMarkBits) {
  const auto findings = FindingsWith([](HostFacts& host) {
    PolicyRule rule = Rule(30000, 99);
    rule.mark = Mark{0x1, 0xffffffff};
    host.rules.push_back(rule);
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("mark-collision"));
  EXPECT_THAT(findings[0].what, HasSubstr("priority 30000"));
}

TEST(Doctor, CountsForeignRoutesInOurTablesOnce) {
  const auto findings = FindingsWith([](HostFacts& host) {
    for (std::uint32_t metric = 1; metric <= 1000; ++metric) {
      Route route = ForeignRoute(12);
      route.key.metric = metric;
      host.foreign_routes.push_back(route);
    }
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("table-collision"));
  EXPECT_THAT(findings[0].what, HasSubstr("table 12"));
  EXPECT_THAT(findings[0].what, HasSubstr("1000 foreign routes"));
}

TEST(Doctor, LeavesRoutesOfOtherTablesAlone) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.foreign_routes = {ForeignRoute(99)};
              }),
              IsEmpty());
}

Route MainRoute(const std::string& destination, const std::string& gateway) {
  Route route;
  route.key = {kMainTable, Net(destination), 0, 0};
  route.protocol = 4;  // static
  route.next_hops = {{"wan1", testing::Ip(gateway), 1, false}};
  return route;
}

TEST(Doctor, FindsDestinationsThatMainPinsToAnUplink) {
  HostFacts host = GoodHost();
  host.main_routes = {MainRoute("0.0.0.0/0", "198.51.100.1"),
                      MainRoute("192.0.2.7/32", "198.51.100.1"),
                      MainRoute("192.0.2.8/32", "198.51.100.1")};
  const auto findings = Findings(host);
  ASSERT_THAT(FindingIds(findings), ElementsAre("bypass-route"));
  EXPECT_EQ(findings[0].what,
            "main pins 2 destinations to uplink wan1, first: 192.0.2.7/32 via "
            "198.51.100.1 dev wan1 table main proto 4");
  EXPECT_THAT(findings[0].mend, HasSubstr("ip route del 192.0.2.7/32 via"));
}

TEST(Doctor, KnowsTheRoutesThatBelongToALink) {
  HostFacts host = GoodHost();
  Route peer = MainRoute("198.51.100.9/32", "198.51.100.1");
  peer.protocol = 2;  // the kernel's own, to the far end
  peer.next_hops[0].gateway.reset();
  Route gateway = MainRoute("203.0.113.1/32", "198.51.100.1");
  gateway.next_hops[0].gateway.reset();
  host.main_routes = {peer, gateway, MainRoute("0.0.0.0/0", "203.0.113.1")};
  EXPECT_THAT(Findings(host), IsEmpty());
}

TEST(Doctor, FindsForeignRulesThatLookUpOurTables) {
  const auto findings = FindingsWith([](HostFacts& host) {
    PolicyRule rule = Rule(30000, 11);
    rule.source = Net("10.1.0.0/16");
    host.rules.push_back(rule);
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("table-collision"));
  EXPECT_THAT(findings[0].mend,
              HasSubstr("ip rule del priority 30000 from 10.1.0.0/16"));
}

TEST(Doctor, FindsOurTableNumberUnderAnotherName) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.table_names = {{11, "wan1", "/etc/iproute2/rt_tables"},
                        {12, "dsl", "/etc/iproute2/rt_tables"},
                        {99, "vpn", "/etc/iproute2/rt_tables"}};
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("table-collision"));
  EXPECT_THAT(findings[0].what, HasSubstr("12 is already called dsl"));
}

TEST(Doctor, FindsForeignRulesAmongOurs) {
  EXPECT_THAT(FindingIds(FindingsWith([](HostFacts& host) {
                host.rules.push_back(Rule(kFirstPriority, 99));
                host.rules.push_back(Rule(kLastPriority, 99));
              })),
              ElementsAre("priority-collision", "priority-collision"));
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                host.rules.push_back(Rule(kLastPriority + 1, 99));
              }),
              IsEmpty());
}

TEST(Doctor, FindsRulesThatSeeEveryPacketBeforeOurs) {
  EXPECT_THAT(FindingIds(FindingsWith([](HostFacts& host) {
                host.rules.push_back(Rule(1000, 254));
              })),
              ElementsAre("rule-shadows"));
}

TEST(Doctor, AcceptsEarlierRulesForSomePackets) {
  EXPECT_THAT(FindingsWith([](HostFacts& host) {
                PolicyRule source = Rule(1000, 99);
                source.source = Net("10.8.0.0/24");
                PolicyRule suppressed = Rule(1001, 254);
                suppressed.suppress_prefix_length = 0;
                PolicyRule vrf = Rule(1002, 0);
                vrf.extra = "l3mdev 1";
                host.rules.insert(host.rules.end(), {source, suppressed, vrf});
              }),
              IsEmpty());
}

TEST(Doctor, FindsInterfacesThatAreNotThere) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.links.erase("wan2");
    host.links.erase("lan0");
  });
  ASSERT_THAT(FindingIds(findings),
              ElementsAre("interface-missing", "interface-missing"));
  EXPECT_THAT(findings[0].what, HasSubstr("wan2 (uplink wan2)"));
  EXPECT_THAT(findings[1].what, HasSubstr("lan0 (LAN)"));
}

TEST(Doctor, NotesARunningAgentAndFindsItsObjectsInOrder) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.agent_running = true;
    PolicyRule rule = OurRule(kMarkPriority + 1, 11);
    rule.mark = Mark{1, 0xff};
    host.rules.push_back(rule);
    host.rules.push_back(OurRule(kMainPriority, 254));
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("agent-running"));
  EXPECT_EQ(findings[0].severity, Severity::kNote);
}

TEST(Doctor, NotesWhatAnAgentLeftBehind) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.rules.push_back(OurRule(kMainPriority, 254));
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("left-behind"));
  EXPECT_EQ(findings[0].severity, Severity::kNote);
  EXPECT_THAT(findings[0].mend, HasSubstr("uplinkctl cleanup --offline"));
}

TEST(Doctor, SaysWhereItCouldNotLook) {
  const auto findings = FindingsWith([](HostFacts& host) {
    host.unread = {"nftables: Operation not permitted (EPERM)"};
  });
  ASSERT_THAT(FindingIds(findings), ElementsAre("not-looked-at"));
  EXPECT_THAT(findings[0].what, HasSubstr("nftables"));
}

}  // namespace
}  // namespace uplinkd
