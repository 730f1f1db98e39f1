// What probes say, and what it does to new connections and to nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/xt_lowering.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::MembersOf;
using ::testing::Not;
using testing::SpecWithUplinks;
using testing::TableText;

Spec ProbedSpec(Algorithm algorithm = Algorithm::kWeightedRandom) {
  Spec spec = SpecWithUplinks(3, algorithm);
  for (Uplink& uplink : spec.uplinks) {
    uplink.health = Health{};
    uplink.health->probes = {IcmpProbe{Ip("192.0.2.53")}};
  }
  return spec;
}

Facts With(const std::map<std::string, HealthState>& states) {
  Facts facts = FactsWithUplinks(3);
  for (const auto& [uplink, state] : states) {
    facts.health[uplink] = {state, "for a reason"};
  }
  return facts;
}

TEST(CompileHealth, AnUplinkWithoutAVerdictCarriesConnections) {
  EXPECT_THAT(MembersOf(Compile(ProbedSpec(), With({}))), ElementsAre(1, 2, 3));
  EXPECT_THAT(
      MembersOf(Compile(ProbedSpec(), With({{"wan2", HealthState::kUnknown}}))),
      ElementsAre(1, 2, 3));
}

TEST(CompileHealth, AnUplinkThatIsDownGetsNoNewConnections) {
  const Desired desired =
      Compile(ProbedSpec(), With({{"wan2", HealthState::kDown}}));
  EXPECT_THAT(
      MembersOf(Compile(ProbedSpec(), With({{"wan2", HealthState::kDown}}))),
      ElementsAre(1, 3));
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kDown);
  EXPECT_EQ(desired.uplinks[1].reason, "for a reason");
  EXPECT_EQ(desired.uplinks[1].share, 0);
  EXPECT_EQ(UplinkPhaseName(desired.uplinks[1].phase), "Down");
}

TEST(CompileHealth, AnUplinkThatIsDownKeepsAllThatItsConnectionsNeed) {
  const Desired up = Compile(ProbedSpec(), With({}));
  const Desired down =
      Compile(ProbedSpec(), With({{"wan2", HealthState::kDown}}));
  EXPECT_EQ(down.state.routes, up.state.routes);
  EXPECT_EQ(down.state.rules, up.state.rules);
  EXPECT_EQ(down.filters.at(Family::kIpv4).nat,
            up.filters.at(Family::kIpv4).nat);
  EXPECT_EQ(down.filters.at(Family::kIpv4).nat_sources,
            up.filters.at(Family::kIpv4).nat_sources);
  EXPECT_EQ(down.filters.at(Family::kIpv4).arrivals,
            up.filters.at(Family::kIpv4).arrivals);
  EXPECT_EQ(down.filters.at(Family::kIpv4).internal,
            up.filters.at(Family::kIpv4).internal);
}

TEST(CompileHealth, TheMultipathRouteLeavesOutWhatIsDown) {
  const Spec spec = ProbedSpec(Algorithm::kMultipath);
  const Desired desired = Compile(spec, With({{"wan2", HealthState::kDown}}));
  const RouteKey key{.table = spec.table_base,
                     .destination = Prefix::Default(Family::kIpv4)};
  std::vector<std::string> links;
  for (const NextHop& hop : desired.state.routes.at(key).next_hops) {
    links.push_back(hop.link);
  }
  EXPECT_THAT(links, ElementsAre("wan1", "wan3"));
  EXPECT_FALSE(desired.filters.at(Family::kIpv4).departures.contains("wan2"));
}

TEST(CompileHealth, ARuleForThisUplinkAloneIsToldThatItIsDown) {
  Spec spec = ProbedSpec();
  spec.traffic = {{"guests", {}, {}, "wan2"}};
  EXPECT_FALSE(Compile(spec, With({{"wan2", HealthState::kDown}}))
                   .filters.at(Family::kIpv4)
                   .only.at(2));
  EXPECT_TRUE(Compile(spec, With({{"wan2", HealthState::kDegraded}}))
                  .filters.at(Family::kIpv4)
                  .only.at(2));
}

TEST(CompileHealth, ADegradedUplinkIsSecondChoiceWithinItsTier) {
  Spec spec = ProbedSpec();
  spec.balance.tiers = {{{"wan1", {}}, {"wan2", {}}}, {{"wan3", {}}}};
  EXPECT_THAT(
      MembersOf(Compile(spec, With({{"wan1", HealthState::kDegraded}}))),
      ElementsAre(2));
  // Both of them: they are still better than the next tier.
  EXPECT_THAT(
      MembersOf(Compile(spec, With({{"wan1", HealthState::kDegraded},
                                    {"wan2", HealthState::kDegraded}}))),
      ElementsAre(1, 2));
  EXPECT_THAT(MembersOf(Compile(spec, With({{"wan1", HealthState::kDegraded},
                                            {"wan2", HealthState::kDown}}))),
              ElementsAre(1));
  EXPECT_EQ(
      Compile(spec, With({{"wan1", HealthState::kDegraded}})).uplinks[0].phase,
      UplinkPhase::kReady);
}

TEST(CompileHealth, FailoverPassesOverADegradedUplink) {
  Spec spec = ProbedSpec(Algorithm::kFailover);
  spec.balance.tiers = {{{"wan1", {}}, {"wan2", {}}}, {{"wan3", {}}}};
  EXPECT_THAT(
      MembersOf(Compile(spec, With({{"wan1", HealthState::kDegraded}}))),
      ElementsAre(2));
}

TEST(CompileHealth, WithAllDownThePolicyIsAtItsLastResort) {
  EXPECT_THAT(
      MembersOf(Compile(ProbedSpec(), With({{"wan1", HealthState::kDown},
                                            {"wan2", HealthState::kDown},
                                            {"wan3", HealthState::kDown}}))),
      IsEmpty());
}

TEST(CompileHealth, ALostCarrierIsToldBeforeAnOldVerdict) {
  Facts facts = With({{"wan2", HealthState::kDown}});
  facts.links["wan2"].carrier = false;
  const UplinkState wan2 = Compile(ProbedSpec(), facts).uplinks[1];
  EXPECT_EQ(wan2.phase, UplinkPhase::kWaiting);
  EXPECT_EQ(wan2.reason, "wan2 has no carrier");
}

TEST(CompileHealth, AVerdictCountsOnlyWhileTheSpecAsksForProbes) {
  EXPECT_THAT(MembersOf(Compile(SpecWithUplinks(3, Algorithm::kWeightedRandom),
                                With({{"wan2", HealthState::kDown}}))),
              ElementsAre(1, 2, 3));
}

TEST(CompileHealth, ProbesKeepTheirMark) {
  EXPECT_THAT(TableText(Compile(ProbedSpec(), With({})), XtTable::kMangle),
              HasSubstr("-A UPL-OUTPUT -m mark --mark 0xff/0xff -j RETURN\n"
                        "-A UPL-OUTPUT -j CONNMARK --restore-mark"));
  EXPECT_THAT(
      TableText(Compile(SpecWithUplinks(3, Algorithm::kRoundRobin), With({})),
                XtTable::kMangle),
      Not(HasSubstr("0xff/0xff -j RETURN")));
  Spec spec = ProbedSpec();
  spec.mark_mask = 0xff00;
  EXPECT_THAT(TableText(Compile(spec, With({})), XtTable::kMangle),
              HasSubstr("--mark 0xff00/0xff00 -j RETURN"));
}

}  // namespace
}  // namespace uplinkd
