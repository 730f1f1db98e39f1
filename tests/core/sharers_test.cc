// Uplinks on one interface: what a spec must say of them, and what keeps them
// apart in the kernel.
#include "reconciler/sharers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconciler/assume.h"
#include "reconciler/doctor.h"
#include "reconciler/plan.h"
#include "reconciler/trace.h"
#include "reconciler/xt_lowering.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"
#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using testing::AddressOnLink;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::Faults;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;
using ::testing::Not;
using ::testing::SizeIs;
using testing::TableText;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;
using testing::UpLink;

// The two of TwoUplinkSpec(), wan1 and wan2, as modems on one switch, and a
// third uplink on a link of its own.
Spec SharingSpec() {
  Spec spec = TwoUplinkSpec();
  spec.uplinks.push_back(testing::MakeUplink("wan3", 3, 20, 5));
  for (const std::size_t i : {0U, 1U}) {
    Uplink& uplink = spec.uplinks[i];
    const std::string network = i == 0 ? "198.51.100." : "203.0.113.";
    uplink.interface = "wan0";
    uplink.address = Ip(network + "2");
    uplink.gateway = Ip(network + "1");
  }
  return spec;
}

Facts SharingFacts() {
  Facts facts;
  testing::AddLink(facts, UpLink("lan0", 2, "192.168.10.1/24"));
  Link shared = UpLink("wan0", 3, "198.51.100.2/24", "198.51.100.1");
  shared.addresses.push_back(AddressOnLink("203.0.113.2/24"));
  testing::AddLink(facts, shared);
  testing::AddLink(facts, UpLink("wan3", 4, "192.0.2.2/24", "192.0.2.1"));
  return facts;
}

Spec Ipv6Sharing() {
  Spec spec = SharingSpec();
  for (const std::size_t i : {0U, 1U}) {
    Uplink& uplink = spec.uplinks[i];
    const std::string network = i == 0 ? "2001:db8:1::" : "2001:db8:2::";
    uplink.families = UplinkFamilies::kBoth;
    uplink.address6 = Ip(network + "2");
    uplink.gateway6 = Ip(i == 0 ? "fe80::1" : "fe80::2");
  }
  return spec;
}

// ---- what a spec must say ----

TEST(Sharers, AreValidWithAnAddressAndAGatewayEach) {
  EXPECT_THAT(Faults(SharingSpec()), IsEmpty());
  EXPECT_THAT(Faults(Ipv6Sharing()), IsEmpty());
}

struct SharingCase {
  const char* name;
  std::function<void(Spec&)> spoil;
  const char* fault;
};

class ValidateSharers : public ::testing::TestWithParam<SharingCase> {};

TEST_P(ValidateSharers, SaysWhatIsWrong) {
  Spec spec = Ipv6Sharing();
  GetParam().spoil(spec);
  EXPECT_THAT(Faults(spec), ElementsAre(GetParam().fault));
}

INSTANTIATE_TEST_SUITE_P(
    All, ValidateSharers,
    ::testing::Values(
        SharingCase{"Address", [](Spec& s) { s.uplinks[0].address.reset(); },
                    "spec.uplinks[0].address: is needed, since uplink \"wan2\" "
                    "is on \"wan0\" as well: which of the interface's "
                    "addresses is whose cannot be learned"},
        SharingCase{"Gateway", [](Spec& s) { s.uplinks[1].gateway.reset(); },
                    "spec.uplinks[1].gateway: is needed, since uplink \"wan1\" "
                    "is on \"wan0\" as well: which gateway is whose cannot be "
                    "learned"},
        SharingCase{"Address6", [](Spec& s) { s.uplinks[1].address6.reset(); },
                    "spec.uplinks[1].address6: is needed, since uplink "
                    "\"wan1\" is on \"wan0\" as well: which of the interface's "
                    "addresses is whose cannot be learned"},
        SharingCase{"SameGateway",
                    [](Spec& s) { s.uplinks[1].gateway = Ip("198.51.100.1"); },
                    "spec.uplinks[1].gateway: 198.51.100.1 is the gateway of "
                    "uplink \"wan1\" on \"wan0\" already; two uplinks on one "
                    "interface need two gateways"},
        SharingCase{"SameGateway6",
                    [](Spec& s) { s.uplinks[1].gateway6 = Ip("fe80::1"); },
                    "spec.uplinks[1].gateway6: fe80::1 is the gateway of "
                    "uplink \"wan1\" on \"wan0\" already; two uplinks on one "
                    "interface need two gateways"},
        SharingCase{"Masquerade",
                    [](Spec& s) { s.uplinks[1].nat = Nat::kMasquerade; },
                    "spec.uplinks[1].nat: masquerade takes the address by the "
                    "interface, but uplink \"wan1\" is on \"wan0\" as well; "
                    "use snat"},
        SharingCase{"Prefix", [](Spec& s) { s.uplinks[0].nat6 = Nat::kPrefix; },
                    "spec.uplinks[0].prefix6: is needed, since uplink \"wan2\" "
                    "is on \"wan0\" as well: which of the interface's networks "
                    "is whose cannot be learned; write prefix6 or another "
                    "prefix6Interface"},
        SharingCase{
            "Multipath",
            [](Spec& s) { s.balance.algorithm = Algorithm::kMultipath; },
            "spec.balance.algorithm: multipath cannot have \"wan1\" as "
            "a member: the kernel tells only that a connection leaves "
            "by \"wan0\", which another uplink is on as well, not "
            "which gateway it chose; use weighted-random"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Sharers, MayStayOutOfMultipath) {
  Spec spec = SharingSpec();
  spec.balance.algorithm = Algorithm::kMultipath;
  spec.balance.tiers = {{{"wan3", std::nullopt}}};
  EXPECT_THAT(Faults(spec), IsEmpty());
  // Nor does what main sends by their interface become the fate of one.
  EXPECT_FALSE(Compile(spec, SharingFacts())
                   .filters.at(Family::kIpv4)
                   .departures.contains("wan0"));
}

TEST(Sharers, OfDifferentFamiliesHaveNothingToTellApart) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[1].interface = "wan1";
  spec.uplinks[1].families = UplinkFamilies::kIpv6;
  EXPECT_THAT(Faults(spec), IsEmpty());
  EXPECT_FALSE(SharesInterface(spec, spec.uplinks[0], Family::kIpv4));
  EXPECT_TRUE(SharesInterface(spec, spec.uplinks[0]));
}

TEST(Sharers, OfOneGatewayOnTwoInterfacesAreNone) {
  Spec spec = TwoUplinkSpec();
  for (Uplink& uplink : spec.uplinks) uplink.gateway = Ip("192.168.1.1");
  EXPECT_THAT(Faults(spec), IsEmpty());
}

// ---- what they compile to ----

TEST(Sharers, HaveARouteByTheirOwnGatewayEach) {
  const Desired desired = Compile(SharingSpec(), SharingFacts());
  EXPECT_THAT(testing::RouteLines(desired, 11),
              Contains("default via 198.51.100.1 dev wan0 src 198.51.100.2 "
                       "table 11 proto 117"));
  EXPECT_THAT(testing::RouteLines(desired, 12),
              Contains("default via 203.0.113.1 dev wan0 src 203.0.113.2 "
                       "table 12 proto 117"));
  for (const UplinkState& uplink : desired.uplinks) {
    EXPECT_EQ(uplink.phase, UplinkPhase::kReady) << uplink.reason;
  }
}

TEST(Sharers, AreToldApartByDestinationWhereConnectionsComeIn) {
  const std::string mangle =
      TableText(Compile(SharingSpec(), SharingFacts()), XtTable::kMangle);
  EXPECT_THAT(mangle, HasSubstr("-A UPL-NEW -i wan0 -d 198.51.100.2/32 -g "
                                "UPL-MARK-1\n"
                                "-A UPL-NEW -i wan0 -d 203.0.113.2/32 -g "
                                "UPL-MARK-2\n"
                                "-A UPL-NEW -i wan0 -g UPL-MARK-1\n"
                                "-A UPL-NEW -i wan3 -g UPL-MARK-3\n"));
}

TEST(Sharers, LeaveTheRestToTheFirstThatIsSetUp) {
  Facts facts = SharingFacts();
  facts.links["wan0"].addresses.erase(facts.links["wan0"].addresses.begin());
  const std::string mangle =
      TableText(Compile(SharingSpec(), facts), XtTable::kMangle);
  EXPECT_THAT(mangle, HasSubstr("-A UPL-NEW -i wan0 -g UPL-MARK-2\n"));
  EXPECT_THAT(mangle, Not(HasSubstr("-i wan0 -d 198.51.100.2/32")));
}

TEST(Sharers, GoDownTogetherWithTheCarrier) {
  Facts facts = SharingFacts();
  facts.links["wan0"].carrier = false;
  const Desired desired = Compile(SharingSpec(), facts);
  for (const std::size_t i : {0U, 1U}) {
    EXPECT_EQ(desired.uplinks[i].reason, "wan0 has no carrier");
  }
  EXPECT_EQ(desired.uplinks[2].phase, UplinkPhase::kReady);
}

TEST(Sharers, AreTranslatedByTheirFate) {
  EXPECT_THAT(
      TableText(Compile(SharingSpec(), SharingFacts()), XtTable::kNat),
      HasSubstr("-A UPL-SNAT -o wan0 ! -s 198.51.100.2/32 -m connmark --mark "
                "0x1/0xff -j SNAT --to-source 198.51.100.2\n"));
}

// The last chain rule that the connection meets in nat.
std::string Verdict(const Desired& desired, const char* source, UplinkId fate,
                    Family family = Family::kIpv4) {
  Flow flow;
  flow.source = Ip(source);
  flow.destination =
      Ip(family == Family::kIpv4 ? "192.0.2.80" : "2001:db8:ffff::1");
  flow.out_interface = "wan0";
  flow.connmark = fate;
  const Trace trace = TracePacket(*desired.state.tables.at(NatOf(family)),
                                  XtHook::kPostrouting, flow);
  const std::string& rule = trace.steps.back().rule;
  return rule.substr(rule.find("-j ") == std::string::npos ? 0
                                                           : rule.find("-j "));
}

constexpr char kToFirst[] = "-j SNAT --to-source 198.51.100.2";
constexpr char kToSecond[] = "-j SNAT --to-source 203.0.113.2";

TEST(Sharers, KeepTheSourceThatSuitsTheGateway) {
  const Desired desired = Compile(SharingSpec(), SharingFacts());
  EXPECT_EQ(Verdict(desired, "192.168.10.2", 1), kToFirst);
  EXPECT_EQ(Verdict(desired, "192.168.10.2", 2), kToSecond);
  // The router's own, with the address that it had before it had a fate.
  EXPECT_EQ(Verdict(desired, "198.51.100.2", 2), kToSecond);
  EXPECT_EQ(Verdict(desired, "203.0.113.2", 1), kToFirst);
  EXPECT_EQ(Verdict(desired, "203.0.113.2", 2), "-j RETURN");
  // Sockets that are bound to an address, and probes, have no fate.
  EXPECT_EQ(Verdict(desired, "198.51.100.2", 0), "-j RETURN");
  EXPECT_EQ(Verdict(desired, "203.0.113.2", 0), "-j RETURN");
  // What main routes by one of the gateways, the kernel knows by which.
  EXPECT_EQ(Verdict(desired, "192.168.10.2", 0), "-j MASQUERADE");
  EXPECT_EQ(Verdict(desired, "192.0.2.2", 0), "-j MASQUERADE");
}

TEST(Sharers, OneOfWhichIsRoutedKeepsItsSources) {
  Spec spec = SharingSpec();
  spec.uplinks[0].nat = Nat::kNone;
  const Desired one = Compile(spec, SharingFacts());
  EXPECT_EQ(Verdict(one, "192.168.10.2", 1), "-j RETURN");
  EXPECT_EQ(Verdict(one, "192.168.10.2", 2), kToSecond);
  spec.uplinks[1].nat = Nat::kNone;
  EXPECT_THAT(TableText(Compile(spec, SharingFacts()), XtTable::kNat),
              Not(HasSubstr("wan0")));
}

TEST(Sharers, HaveAPrefixEach) {
  Spec spec = Ipv6Sharing();
  spec.uplinks[1].nat6 = Nat::kPrefix;
  spec.uplinks[1].prefix6 = Net("2001:db8:b200::/56");
  spec.lans[0].networks.push_back(Net("fd00::/64"));
  Facts facts = SharingFacts();
  for (const char* own : {"2001:db8:1::2/64", "2001:db8:2::2/64"}) {
    facts.links["wan0"].addresses.push_back(AddressOnLink(own));
  }
  const Desired desired = Compile(spec, facts);
  const auto verdict = [&](const char* source, UplinkId fate) {
    return Verdict(desired, source, fate, Family::kIpv6);
  };
  EXPECT_EQ(verdict("fd00::7", 1), "-j SNAT --to-source 2001:db8:1::2");
  EXPECT_EQ(verdict("fd00::7", 2), "-j NETMAP --to 2001:db8:b200::/56");
  EXPECT_EQ(verdict("fd00::7", 0), "-j MASQUERADE");
  EXPECT_EQ(verdict("2001:db8:1::2", 2), "-j SNAT --to-source 2001:db8:2::2");
  EXPECT_EQ(verdict("2001:db8:2::2", 2), "-j RETURN");
  EXPECT_EQ(verdict("2001:db8:2::2", 0), "-j RETURN");
  EXPECT_THAT(TableText(desired, XtTable::kMangle6),
              HasSubstr("-A UPL-NEW -i wan0 -d 2001:db8:b200::/56 -g "
                        "UPL-MARK-2\n-A UPL-NEW -i wan0 -g UPL-MARK-1\n"));
}

TEST(Sharers, HaveAnEstimatorOfTheirOwnFateEach) {
  Spec spec = SharingSpec();
  spec.balance.algorithm = Algorithm::kLeastLoaded;
  spec.balance.measure = Measure::kBoth;
  const Desired desired = Compile(spec, SharingFacts());
  const std::string mangle = TableText(desired, XtTable::kMangle);
  for (const char* rule :
       {"-A UPL-ESTIMATE-IN -i wan0 -m connmark --mark 0x1/0xff -j RATEEST",
        "-A UPL-ESTIMATE-IN -i wan0 -m connmark --mark 0x2/0xff -j RATEEST",
        "-A UPL-ESTIMATE-OUT -o wan0 -m connmark --mark 0x2/0xff -j RATEEST",
        "-A UPL-ESTIMATE-IN -i wan3 -j RATEEST"}) {
    EXPECT_THAT(mangle, HasSubstr(rule));
  }
  // The kernel goes on with the numbers of a name that it knows.
  RateEstimator alone = desired.filters.at(Family::kIpv4).estimators[0];
  const std::string shared = EstimatorName(alone);
  alone.fate.reset();
  EXPECT_NE(EstimatorName(alone), shared);
}

// ---- from one to the other ----

// The nat commits, each as its edits of UPL-SNAT, and where mangle's is.
std::vector<std::string> NatEdits(const Spec& from, const Spec& to) {
  const Plan plan = MakePlan(Compile(to, SharingFacts()),
                             Compile(from, SharingFacts()).state);
  std::vector<std::string> edits;
  for (const Step& step : plan.steps) {
    const auto* table = std::get_if<EditXtTable>(&step.change);
    if (table == nullptr) continue;
    if (table->table == XtTable::kMangle) edits.emplace_back("mangle");
    for (const ChainEdit& edit : table->edits) {
      if (edit.chain != "UPL-SNAT") continue;
      const bool adds = edit.kind == ChainEdit::Kind::kInsertRule;
      edits.push_back((adds ? "+" : "-") + RenderChainRule(edit.rule));
    }
  }
  return edits;
}

TEST(Sharers, KeepTheTranslationOfOneThatGoesUntilItGetsNoFates) {
  Spec without = SharingSpec();
  without.uplinks.erase(without.uplinks.begin() + 1);
  const std::vector<std::string> edits = NatEdits(SharingSpec(), without);
  const auto mangle = std::ranges::find(edits, "mangle");
  const auto gone = std::ranges::find_if(edits, [](const std::string& edit) {
    return edit.starts_with("-") && edit.find(kToSecond) != std::string::npos;
  });
  ASSERT_NE(gone, edits.end());
  EXPECT_LT(mangle, gone) << ::testing::PrintToString(edits);
}

TEST(Sharers, AreTranslatedBeforeTheFirstFateOfTheNewOne) {
  Spec without = SharingSpec();
  without.uplinks.erase(without.uplinks.begin() + 1);
  const std::vector<std::string> edits = NatEdits(without, SharingSpec());
  const auto mangle = std::ranges::find(edits, "mangle");
  const auto made = std::ranges::find_if(edits, [](const std::string& edit) {
    return edit.starts_with("+") && edit.find(kToSecond) != std::string::npos;
  });
  ASSERT_NE(made, edits.end());
  EXPECT_LT(made, mangle) << ::testing::PrintToString(edits);
}

// That one is out of use moves nothing of the other.
TEST(Sharers, OfWhichOneIsDisabledKeepTheRulesOfTheOther) {
  Spec disabled = SharingSpec();
  disabled.uplinks[1].mode = UplinkMode::kDisabled;
  for (const std::string& edit : NatEdits(SharingSpec(), disabled)) {
    EXPECT_THAT(edit, Not(HasSubstr("198.51.100.2"))) << edit;
  }
}

// ---- who else looks at interfaces ----

TEST(Sharers, AreWarnedOfOnce) {
  Facts facts = SharingFacts();
  facts.links["wan0"].rp_filter = 1;
  EXPECT_THAT(Compile(SharingSpec(), facts).warnings, SizeIs(1));
}

TEST(Sharers, AreBothNamedByTheDoctor) {
  EXPECT_EQ(ExpectSpec(SharingSpec()).uplinks.at("wan0"), "wan1, wan2");
}

TEST(Sharers, AreExplained) {
  const Spec spec = SharingSpec();
  const Assumed assumed = AssumeFacts(spec);
  for (const UplinkState& uplink : Compile(spec, assumed.facts).uplinks) {
    EXPECT_EQ(uplink.phase, UplinkPhase::kReady) << uplink.reason;
  }
  EXPECT_THAT(assumed.variables,
              Contains(std::pair("198.51.100.0/30", "$WAN1_NETWORK")));
  EXPECT_THAT(assumed.variables,
              Contains(std::pair("203.0.113.0/30", "$WAN2_NETWORK")));
}

// The script learns the network; that of one is that of both.
TEST(Sharers, InOneNetworkAreExplainedWithOne) {
  Spec spec = SharingSpec();
  spec.uplinks[1].address = Ip("198.51.100.20");
  spec.uplinks[1].gateway = Ip("198.51.100.9");
  const Assumed assumed = AssumeFacts(spec);
  const Link& link = assumed.facts.links.at("wan0");
  EXPECT_EQ(link.addresses[0].network, link.addresses[1].network);
  EXPECT_THAT(assumed.variables,
              Contains(std::pair("198.51.100.0/27", "$WAN1_NETWORK")));
}

}  // namespace
}  // namespace uplinkd
