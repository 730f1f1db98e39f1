// Loads: the shares that they make, and when others matter.

#include "reconciler/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::IsEmpty;
using ::testing::Key;
using testing::SpecWithUplinks;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;
using ::testing::UnorderedElementsAre;

const CountedChoice kFourToOne = {{"wan1", 4, 4}, {"wan2", 1, 1}};

Loads Held(std::uint64_t wan1, std::uint64_t wan2, double arrivals = 0) {
  return {{"wan1", {wan1, arrivals}}, {"wan2", {wan2, 0}}};
}

std::vector<std::uint64_t> SharesOf(const CountedChoice& choice) {
  std::vector<std::uint64_t> shares;
  for (const CountedMember& member : choice) shares.push_back(member.share);
  return shares;
}

TEST(Load, TheWeightsDecideBeforeAnythingWasCounted) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, {})), ElementsAre(4, 1));
}

TEST(Load, EqualLoadsPerWeightGiveTheWeights) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, Held(40, 10, 5))),
              ElementsAre(800, 200));
}

TEST(Load, WhatOneHasTooMuchOfGoesToTheOthers) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, Held(16, 0, 5))),
              ElementsAre(160, 840));
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, Held(400, 10, 5))),
              ElementsAre(0, 1000));
}

TEST(Load, TheNextConnectionGoesToTheLeastLoadedHoweverFewCome) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, Held(8, 1))),
              ElementsAre(0, 1000));
}

TEST(Load, AnUplinkThatWasNotCountedHasNone) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, {{"wan1", {40, 0}}})),
              ElementsAre(0, 1000));
}

TEST(Load, ManyArrivalsGiveTheWeights) {
  EXPECT_THAT(SharesOf(WithShares(kFourToOne, Held(400, 0, 1e9))),
              ElementsAre(800, 200));
}

// ---- when it matters ----

CountedChoice InForce(const Loads& loads) {
  return WithShares(kFourToOne, loads);
}

TEST(Load, TheSameLoadsNeverMatter) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const Loads loads = Held(random() % 100, random() % 100,
                             static_cast<double>(random() % 50));
    ASSERT_FALSE(Matters(InForce(loads), loads));
  }
}

TEST(Load, ATenthOfTheConnectionsMatters) {
  const CountedChoice weights = InForce({});
  EXPECT_FALSE(Matters(weights, Held(42, 10, 10)));
  EXPECT_TRUE(Matters(weights, Held(48, 10, 10)));
}

TEST(Load, LessThanHalfAConnectionDoesNot) {
  const CountedChoice weights = InForce({});
  // Of one arrival 0.8 is for wan1; it should be 0.4, or 0.2.
  EXPECT_FALSE(Matters(weights, Held(2, 0)));
  EXPECT_TRUE(Matters(weights, Held(3, 0)));
}

TEST(Load, ASmallUplinkThatIsFullMatters) {
  const CountedChoice weights = {{"wan1", 97, 97}, {"wan2", 3, 3}};
  EXPECT_FALSE(Matters(weights, Held(97, 4, 10)));
  EXPECT_FALSE(Matters(weights, Held(97, 7, 10)));  // half would be no more
  EXPECT_TRUE(Matters(weights, Held(97, 9, 10)));
}

TEST(Load, AnUplinkThatShouldGetSomeAgainMatters) {
  const CountedChoice full = {{"wan1", 97, 1000}, {"wan2", 3, 0}};
  EXPECT_FALSE(Matters(full, Held(97, 4, 10)));
  EXPECT_TRUE(Matters(full, Held(97, 3, 10)));
}

TEST(Load, NothingMattersAtALastResort) {
  EXPECT_FALSE(Matters({}, Held(1, 2)));
}

// ---- what Compile() makes of them ----

Spec LeastConnections() {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kLeastConnections;
  return spec;
}

TEST(CompileLoads, SharesAreWeightsWithoutLoads) {
  const Desired desired = Compile(LeastConnections(), TwoUplinkFacts());
  EXPECT_DOUBLE_EQ(desired.uplinks[0].share, 0.8);
  EXPECT_DOUBLE_EQ(desired.uplinks[1].share, 0.2);
  // The very rules of weighted-random.
  Spec random = LeastConnections();
  random.balance.algorithm = Algorithm::kWeightedRandom;
  EXPECT_EQ(desired.state.tables,
            Compile(random, TwoUplinkFacts()).state.tables);
}

TEST(CompileLoads, SharesInForceAreTold) {
  Facts facts = TwoUplinkFacts();
  facts.loads = Held(16, 0, 5);
  const Desired desired = Compile(LeastConnections(), facts);
  EXPECT_DOUBLE_EQ(desired.uplinks[0].share, 0.16);
  EXPECT_DOUBLE_EQ(desired.uplinks[1].share, 0.84);
  EXPECT_THAT(SharesOf(desired.counted.at({kBalance})), ElementsAre(160, 840));
}

TEST(CompileLoads, OtherAlgorithmsDoNotCare) {
  for (const Algorithm algorithm :
       {Algorithm::kLeastLoaded, Algorithm::kWeightedRandom,
        Algorithm::kRoundRobin, Algorithm::kSourceHash,
        Algorithm::kMultipath}) {
    const Spec spec = SpecWithUplinks(3, algorithm);
    Facts facts = FactsWithUplinks(3);
    const Desired before = Compile(spec, facts);
    facts.loads = Held(16, 0, 5);
    const Desired after = Compile(spec, facts);
    EXPECT_EQ(after.state.tables, before.state.tables);
    EXPECT_EQ(after.uplinks, before.uplinks);
    EXPECT_THAT(after.counted, IsEmpty());
  }
}

TEST(CompileLoads, AMemberWithoutAShareKeepsItsMark) {
  Facts facts = TwoUplinkFacts();
  facts.loads = Held(400, 0, 5);
  const Desired desired = Compile(LeastConnections(), facts);
  const auto& chains = desired.state.tables.at(XtTable::kMangle)->chains;
  EXPECT_THAT(chains, Contains(Key("UPL-MARK-1")));
  const Chain& root = chains.at("UPL-FATE");
  ASSERT_EQ(root.size(), 1U);
  EXPECT_EQ(std::get<JumpTarget>(root[0].target).chain, "UPL-MARK-2");
}

TEST(CompileLoads, OnlyUplinksThatWorkShare) {
  Facts facts = TwoUplinkFacts();
  facts.loads = Held(400, 0, 5);
  facts.links["wan2"].carrier = false;
  const Desired desired = Compile(LeastConnections(), facts);
  EXPECT_DOUBLE_EQ(desired.uplinks[0].share, 1);  // however full
}

TEST(CompileLoads, EachPolicyLevelsOutItsOwnMembers) {
  Spec spec = SpecWithUplinks(4, Algorithm::kWeightedRandom);
  Policy bulk;
  bulk.name = "bulk";
  bulk.algorithm = Algorithm::kLeastConnections;
  bulk.tiers = {{{"wan2", 1}, {"wan3", 1}}};
  spec.policies = {bulk};
  Facts facts = FactsWithUplinks(4);
  facts.loads = {{"wan2", {10, 1}}, {"wan4", {99, 1}}};
  const Desired desired = Compile(spec, facts);
  EXPECT_EQ(desired.counted.size(), 1U);
  EXPECT_THAT(SharesOf(desired.counted.at({"bulk"})), ElementsAre(0, 1000));
}

// The name of a policy is its name in either family.
TEST(CompileLoads, EachFamilyHasAChoiceOfItsOwn) {
  Spec spec = LeastConnections();
  spec.uplinks[0].families = UplinkFamilies::kBoth;
  spec.uplinks[1].families = UplinkFamilies::kIpv6;
  const Desired desired = Compile(spec, TwoUplinkFacts());
  EXPECT_THAT(desired.counted,
              UnorderedElementsAre(Key(ChoiceKey{kBalance, Family::kIpv4}),
                                   Key(ChoiceKey{kBalance, Family::kIpv6})));
}

}  // namespace
}  // namespace uplinkd
