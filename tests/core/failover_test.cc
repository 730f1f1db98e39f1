// What becomes of connections when uplinks come and go, case by case. The laws
// that hold in every case are in failover_law_test.cc.
#include "reconciler/failover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::SpecWithUplinks;

// Three uplinks wan1 to wan3 with the marks 1 to 3, all ready at first.
class FailoverTest : public ::testing::Test {
 protected:
  // What a pass makes of wan1, wan2 and wan3.
  std::vector<std::string> Pass(UplinkPhase wan1, UplinkPhase wan2,
                                UplinkPhase wan3) {
    return failover_.PassEnded(spec_, States(wan1, wan2, wan3), now_);
  }
  // The same by a spec that has no uplink with that id.
  std::vector<std::string> PassWithout(UplinkId id,
                                       UplinkPhase rest = UplinkPhase::kReady) {
    std::vector<UplinkState> uplinks = States(rest, rest, rest);
    std::erase_if(uplinks, [id](const UplinkState& u) { return u.id == id; });
    return failover_.PassEnded(spec_, uplinks, now_);
  }
  std::vector<UplinkState> States(UplinkPhase wan1, UplinkPhase wan2,
                                  UplinkPhase wan3) const {
    std::vector<UplinkState> uplinks;
    for (const UplinkPhase phase : {wan1, wan2, wan3}) {
      UplinkState& uplink = uplinks.emplace_back();
      uplink.id = static_cast<UplinkId>(uplinks.size());
      uplink.name = "wan" + std::to_string(uplink.id);
      uplink.mark = MarkOf(spec_, uplink.id);
      uplink.phase = phase;
    }
    return uplinks;
  }
  std::vector<Cut> Due() const { return failover_.Due(deadlines_, now_); }
  // What is due, done.
  std::vector<Cut> Work() {
    std::vector<Cut> cuts = Due();
    for (const Cut& cut : cuts) failover_.Done(cut, now_);
    return cuts;
  }
  static Cut CutOf(UplinkId id, CutReason reason, bool stragglers = false) {
    return {"wan" + std::to_string(id), {id, 0xff}, reason, stragglers};
  }
  static Policy PolicyOver(const std::vector<std::vector<std::string>>& tiers) {
    Policy policy;
    policy.name = "voice";
    for (const auto& names : tiers) {
      Tier& tier = policy.tiers.emplace_back();
      for (const std::string& name : names) tier.push_back({name, {}});
    }
    return policy;
  }
  // The default policy prefers wan1, then wan2, then wan3.
  void PreferInOrder(OnFailback on_failback) {
    spec_.balance.tiers = {{{"wan1", {}}}, {{"wan2", {}}}, {{"wan3", {}}}};
    spec_.balance.on_failback = on_failback;
  }

  Spec spec_ = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  Failover failover_;
  Failover::Deadlines deadlines_;
  Failover::Time now_ = minutes(1000);
};

// ---- failover ----

TEST_F(FailoverTest, CutsTheConnectionsOfAnUplinkThatFailed) {
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady),
      IsEmpty());
  EXPECT_THAT(Due(), IsEmpty());
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady),
      ElementsAre("wan2"));
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kFailover)));
}

TEST_F(FailoverTest, TreatsEveryPhaseThatCarriesNothingAlike) {
  for (const UplinkPhase phase :
       {UplinkPhase::kWaiting, UplinkPhase::kBlocked, UplinkPhase::kDisabled}) {
    failover_ = Failover();
    Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
    Pass(UplinkPhase::kReady, phase, UplinkPhase::kReady);
    ASSERT_EQ(Due().size(), 1U) << UplinkPhaseName(phase);
    EXPECT_EQ(Due()[0].uplink, "wan2");
  }
}

TEST_F(FailoverTest, ADisabledUplinkIsCutButNotLost) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kDisabled, UplinkPhase::kReady),
      IsEmpty());
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kDisabled)));
}

// ---- an uplink leaves the spec ----

TEST_F(FailoverTest, CutsWhatAnUplinkThatLeftTheSpecHad) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(PassWithout(2), IsEmpty());
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kRemoved)));
  now_ += seconds(1);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kRemoved, true)));
  PassWithout(2);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, WhatLeftTheSpecIsCutWhateverThePolicySaid) {
  spec_.balance.on_failover = OnFailover::kKeep;
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());  // it may return
  PassWithout(2);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kRemoved)));
}

TEST_F(FailoverTest, WhatLeftTheSpecWaitsForAnUplinkThatWorks) {
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  PassWithout(2, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), IsEmpty());
  PassWithout(2);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kRemoved)));
}

TEST_F(FailoverTest, WhatLeftTheSpecAndCameBackIsNotCut) {
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  PassWithout(2, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, ARenamedUplinkKeepsItsConnections) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  std::vector<UplinkState> uplinks =
      States(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  uplinks[1].name = "cable";
  failover_.PassEnded(spec_, uplinks, now_);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, AnUplinkWithAnotherIdIsANewOne) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  std::vector<UplinkState> uplinks =
      States(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  uplinks[1].mark.value = 7;
  failover_.PassEnded(spec_, uplinks, now_);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kRemoved)));
}

TEST_F(FailoverTest, UnderAnotherMaskNothingIsCut) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  spec_.mark_mask = 0xff00;
  PassWithout(2);
  EXPECT_THAT(Due(), IsEmpty());
}

// ---- the second look ----

TEST_F(FailoverTest, LooksForStragglersOnceASecondLater) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  Work();
  now_ += seconds(1) - Failover::Time(1);
  EXPECT_THAT(Due(), IsEmpty());
  now_ += Failover::Time(1);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kFailover, true)));
  now_ += minutes(10);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, SparesThoseOfAnUplinkThatReturnedBeforeTheSecondLook) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  Work();
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  now_ += seconds(2);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, CutsNothingWhenTheLastUplinkDies) {
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kWaiting, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, CutsOnceAnotherUplinkCanCarryThem) {
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kWaiting, UplinkPhase::kWaiting);
  now_ += minutes(3);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  EXPECT_THAT(Work(), ElementsAre(CutOf(1, CutReason::kFailover)));
}

TEST_F(FailoverTest, AnUplinkThatDrainsCannotTakeConnectionsOver) {
  Pass(UplinkPhase::kReady, UplinkPhase::kDraining, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kDraining, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, KeepsThemWhereThePolicySaysSo) {
  spec_.balance.on_failover = OnFailover::kKeep;
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady),
      ElementsAre("wan2"));
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, TheSaferWordWinsOnASharedUplink) {
  Policy voice = PolicyOver({{"wan2", "wan3"}});
  voice.on_failover = OnFailover::kKeep;
  spec_.policies = {voice};
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
  // wan1 is no member of that policy.
  Pass(UplinkPhase::kWaiting, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), ElementsAre(CutOf(1, CutReason::kFailover)));
}

TEST_F(FailoverTest, EveryPolicyMustHaveAnotherUplink) {
  spec_.policies = {PolicyOver({{"wan2"}})};
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, AnUplinkThatATrafficRuleNamesIsNotReplaced) {
  spec_.traffic = {{"guests", {}, {}, "wan2"}};
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, NorIsOneThatTheRoutersOwnConnectionsUse) {
  spec_.local_use = "wan2";
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, TheFirstPassCutsNothing) {
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady),
      IsEmpty());
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, UnderAnotherMarkItIsAnotherUplink) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  spec_.mark_mask = 0xff00;
  EXPECT_THAT(
      Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady),
      IsEmpty());
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, TriesAgainLaterAndLaterAfterAFailure) {
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  std::vector<Failover::Time> waits;
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(Due().size(), 1U);
    failover_.Failed(Due()[0], now_);
    EXPECT_TRUE(failover_.Retries("wan2"));
    const Failover::Time began = now_;
    while (Due().empty()) now_ += seconds(1);
    waits.push_back(now_ - began);
  }
  EXPECT_THAT(waits,
              ElementsAre(seconds(1), seconds(2), seconds(4), seconds(8),
                          seconds(16), seconds(32), seconds(60), seconds(60)));
  Work();
  EXPECT_FALSE(failover_.Retries("wan2"));
}

// ---- failback ----

TEST_F(FailoverTest, KeepsConnectionsWhereTheyAreAtFailback) {
  PreferInOrder(OnFailback::kKeep);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  now_ += minutes(60);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, CutsTheLowerTiersAtFailback) {
  PreferInOrder(OnFailback::kCut);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kFailback),
                                  CutOf(3, CutReason::kFailback)));
  now_ += minutes(60);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, CutsNoTierAboveTheOneThatServesAgain) {
  PreferInOrder(OnFailback::kCut);
  Pass(UplinkPhase::kDraining, UplinkPhase::kWaiting, UplinkPhase::kReady);
  Pass(UplinkPhase::kDraining, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Work(), ElementsAre(CutOf(3, CutReason::kFailback)));
}

TEST_F(FailoverTest, DrainsTheLowerTiersUntilTheDeadline) {
  PreferInOrder(OnFailback::kDrain);
  spec_.balance.drain_deadline = minutes(2);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kWaiting);
  EXPECT_EQ(failover_.FailbackDrains(),
            (Failover::Deadlines{{"wan2", now_ + minutes(2)}}));
  now_ += minutes(2) - Failover::Time(1);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), IsEmpty());
  now_ += Failover::Time(1);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kFailback)));
  EXPECT_THAT(failover_.FailbackDrains(), IsEmpty());
}

TEST_F(FailoverTest, ADrainEndsWhenTheLowerTierIsNeededAgain) {
  PreferInOrder(OnFailback::kDrain);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  EXPECT_THAT(failover_.FailbackDrains(), IsEmpty());
  now_ += minutes(10);
  for (const Cut& cut : Due()) EXPECT_EQ(cut.uplink, "wan1");
}

TEST_F(FailoverTest, ForFailoverEachMemberIsATierOfItsOwn) {
  spec_.balance.algorithm = Algorithm::kFailover;
  spec_.balance.tiers = {{{"wan3", {}}, {"wan1", {}}}, {{"wan2", {}}}};
  spec_.balance.on_failback = OnFailback::kCut;
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Work(), ElementsAre(CutOf(1, CutReason::kFailback),
                                  CutOf(2, CutReason::kFailback)));
}

// Clients come back to the uplink that they had: a cut would not help.
TEST_F(FailoverTest, WithAffinityTheMembersOfATierAreAlike) {
  spec_.balance.algorithm = Algorithm::kFailover;
  spec_.balance.affinity.by = AffinityKey::kSource;
  spec_.balance.tiers = {{{"wan3", {}}, {"wan1", {}}}, {{"wan2", {}}}};
  spec_.balance.on_failback = OnFailback::kCut;
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Work(), IsEmpty());
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kWaiting);
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Due(), Contains(CutOf(2, CutReason::kFailback)));
}

TEST_F(FailoverTest, AnUplinkThatAnotherPolicyStillUsesIsNoLowerTier) {
  PreferInOrder(OnFailback::kCut);
  Policy voice = PolicyOver({{"wan2"}, {"wan1"}});
  voice.on_failback = OnFailback::kCut;
  spec_.policies = {voice};
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Due(), ElementsAre(CutOf(3, CutReason::kFailback)));
}

TEST_F(FailoverTest, TheLongestDeadlineWins) {
  PreferInOrder(OnFailback::kCut);
  Policy voice = PolicyOver({{"wan1"}, {"wan2"}});
  voice.on_failback = OnFailback::kDrain;
  voice.drain_deadline = minutes(7);
  spec_.policies = {voice};
  Pass(UplinkPhase::kWaiting, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Work(), ElementsAre(CutOf(3, CutReason::kFailback)));
  now_ += minutes(7);
  EXPECT_THAT(Work(), ElementsAre(CutOf(2, CutReason::kFailback)));
}

TEST_F(FailoverTest, ASpecThatMovesTheTiersIsNoFailback) {
  PreferInOrder(OnFailback::kCut);
  std::swap(spec_.balance.tiers[0], spec_.balance.tiers[1]);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  PreferInOrder(OnFailback::kCut);
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

// ---- an operator's drain ----

TEST_F(FailoverTest, CutsWhatIsLeftAtAnOperatorsDeadline) {
  deadlines_ = {{"wan2", now_ + minutes(5)}};
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kDraining, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
  now_ += minutes(5);
  EXPECT_THAT(Due(), ElementsAre(CutOf(2, CutReason::kDrain)));
}

TEST_F(FailoverTest, ADeadlineWaitsForAnotherUplink) {
  deadlines_ = {{"wan2", now_}};
  Pass(UplinkPhase::kWaiting, UplinkPhase::kDraining, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), IsEmpty());
  now_ += minutes(5);
  Pass(UplinkPhase::kReady, UplinkPhase::kDraining, UplinkPhase::kWaiting);
  EXPECT_THAT(Due(), ElementsAre(CutOf(2, CutReason::kDrain)));
}

TEST_F(FailoverTest, ADeadlineWaitsUntilTheUplinkGetsNoNewConnections) {
  deadlines_ = {{"wan2", now_}};
  Pass(UplinkPhase::kReady, UplinkPhase::kReady, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
}

TEST_F(FailoverTest, ADeadlineHoldsForAnUplinkThatWasUnpluggedMeanwhile) {
  spec_.balance.on_failover = OnFailover::kKeep;
  deadlines_ = {{"wan2", now_ + minutes(5)}};
  Pass(UplinkPhase::kReady, UplinkPhase::kDraining, UplinkPhase::kReady);
  Pass(UplinkPhase::kReady, UplinkPhase::kWaiting, UplinkPhase::kReady);
  EXPECT_THAT(Due(), IsEmpty());
  now_ += minutes(5);
  EXPECT_THAT(Due(), ElementsAre(CutOf(2, CutReason::kDrain)));
}

}  // namespace
}  // namespace uplinkd
