// Uplinks that are to be empty: draining, by the spec or by an operator, and
// disabled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::IsEmpty;
using ::testing::Key;
using testing::MembersOf;
using testing::SpecWithUplinks;

Spec ThreeUplinks() {
  Spec spec = SpecWithUplinks(3, Algorithm::kLeastLoaded);
  spec.traffic = {{"guests", {}, {}, "wan2"}};
  return spec;
}

Spec WithMode(UplinkMode mode) {
  Spec spec = ThreeUplinks();
  spec.uplinks[1].mode = mode;
  return spec;
}

TEST(Draining, TakesAnUplinkOutOfTheChoicesAndOfItsTrafficRules) {
  const Desired desired =
      Compile(WithMode(UplinkMode::kDraining), FactsWithUplinks(3));
  EXPECT_THAT(MembersOf(desired), ElementsAre(1, 3));
  EXPECT_FALSE(desired.filters.at(Family::kIpv4).only.at(2));
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kDraining);
  EXPECT_EQ(desired.uplinks[1].reason, "draining by the spec");
  EXPECT_EQ(desired.uplinks[1].share, 0);
}

TEST(Draining, LeavesAllElseAsItIs) {
  const Facts facts = FactsWithUplinks(3);
  const Desired before = Compile(ThreeUplinks(), facts);
  const Desired desired = Compile(WithMode(UplinkMode::kDraining), facts);
  EXPECT_EQ(desired.state.routes, before.state.routes);
  EXPECT_EQ(desired.state.rules, before.state.rules);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).nat,
            before.filters.at(Family::kIpv4).nat);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).arrivals,
            before.filters.at(Family::kIpv4).arrivals);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).estimators,
            before.filters.at(Family::kIpv4).estimators);
}

TEST(Draining, ByAnOperatorIsTheSameInOtherWords) {
  Facts facts = FactsWithUplinks(3);
  const Desired by_spec = Compile(WithMode(UplinkMode::kDraining), facts);
  facts.draining["wan2"] = "draining until noon";
  const Desired desired = Compile(ThreeUplinks(), facts);
  EXPECT_EQ(desired.filters.at(Family::kIpv4),
            by_spec.filters.at(Family::kIpv4));
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kDraining);
  EXPECT_EQ(desired.uplinks[1].reason, "draining until noon");
}

TEST(Draining, TakesAnUplinkOutOfTheMultipathRoute) {
  Spec spec = WithMode(UplinkMode::kDraining);
  spec.balance.algorithm = Algorithm::kMultipath;
  const Desired desired = Compile(spec, FactsWithUplinks(3));
  const Route& route =
      desired.state.routes.at({.table = spec.table_base,
                               .destination = Prefix::Default(Family::kIpv4)});
  ASSERT_EQ(route.next_hops.size(), 2U);
  EXPECT_EQ(route.next_hops[0].link, "wan1");
  EXPECT_EQ(route.next_hops[1].link, "wan3");
}

TEST(Draining, AnUplinkWithoutItsLinkWaits) {
  Facts facts = FactsWithUplinks(3);
  facts.links.erase("wan2");
  const Desired desired = Compile(WithMode(UplinkMode::kDraining), facts);
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kWaiting);
}

TEST(Disabled, IsAsIfTheLinkWereMissing) {
  Facts without = FactsWithUplinks(3);
  without.links.erase("wan2");
  const Desired missing = Compile(ThreeUplinks(), without);
  const Desired desired =
      Compile(WithMode(UplinkMode::kDisabled), FactsWithUplinks(3));
  EXPECT_EQ(desired.state.routes, missing.state.routes);
  EXPECT_EQ(desired.state.rules, missing.state.rules);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).choices,
            missing.filters.at(Family::kIpv4).choices);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).only,
            missing.filters.at(Family::kIpv4).only);
  EXPECT_THAT(desired.filters.at(Family::kIpv4).arrivals,
              ElementsAre(Key("wan1"), Key("wan3")));
  EXPECT_EQ(desired.uplinks[1].phase, UplinkPhase::kDisabled);
  EXPECT_EQ(desired.uplinks[1].reason, "disabled by the spec");
}

TEST(Disabled, IsNeitherTranslatedNorMeasured) {
  Spec spec = WithMode(UplinkMode::kDisabled);
  spec.uplinks[1].nat = Nat::kMasquerade;
  const Desired desired = Compile(spec, FactsWithUplinks(3));
  for (const SourceNat& nat : desired.filters.at(Family::kIpv4).nat) {
    EXPECT_NE(nat.interface, "wan2");
  }
  for (const RateEstimator& estimator :
       desired.filters.at(Family::kIpv4).estimators) {
    EXPECT_NE(estimator.id, 2U);
  }
}

TEST(Disabled, WinsOverAnOperatorsDrain) {
  Facts facts = FactsWithUplinks(3);
  facts.draining["wan2"] = "draining";
  EXPECT_EQ(Compile(WithMode(UplinkMode::kDisabled), facts).uplinks[1].phase,
            UplinkPhase::kDisabled);
}

TEST(DrainDeadline, IsATimeToWait) {
  Spec spec = ThreeUplinks();
  EXPECT_THAT(Validate(spec), IsEmpty());
  spec.balance.drain_deadline = kMaxDrainDeadline;
  EXPECT_THAT(Validate(spec), IsEmpty());
  for (const std::chrono::milliseconds wrong :
       {std::chrono::milliseconds(0),
        std::chrono::milliseconds(kMaxDrainDeadline) +
            std::chrono::milliseconds(1)}) {
    spec.balance.drain_deadline = wrong;
    const std::vector<Violation> found = Validate(spec);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].field, "spec.balance.drainDeadline");
  }
}

}  // namespace
}  // namespace uplinkd
