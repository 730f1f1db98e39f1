#include "reconciler/fight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Net;

Step RuleStep(std::uint32_t table) {
  Step step;
  PolicyRule rule;
  rule.priority = 20101;
  rule.table = table;
  step.change = AddRule{rule};
  return step;
}

Plan PlanOf(std::vector<Step> steps) {
  return {std::move(steps), {}};
}

const std::vector<Outcome> kDone = {{StepResult::kDone, {}}};

FightDetector AfterRepairs(int count, std::chrono::nanoseconds apart) {
  FightDetector fights;
  for (int i = 0; i < count; ++i) {
    fights.Note(PlanOf({RuleStep(11)}), kDone, 100s + i * apart);
  }
  return fights;
}

TEST(FightDetector, NamesAnObjectThatIsRepairedAgainAndAgain) {
  EXPECT_THAT(AfterRepairs(9, 1s).Contested(110s), IsEmpty());
  EXPECT_THAT(AfterRepairs(10, 1s).Contested(110s),
              ElementsAre("rule 20101 for table 11"));
}

TEST(FightDetector, IgnoresRepairsThatAreFarApart) {
  EXPECT_THAT(AfterRepairs(100, 10s).Contested(1100s), IsEmpty());
}

TEST(FightDetector, TellsObjectsApart) {
  FightDetector fights;
  for (std::uint32_t i = 0; i < 20; ++i) {
    fights.Note(PlanOf({RuleStep(i)}), kDone, 100s);
  }
  EXPECT_THAT(fights.Contested(100s), IsEmpty());
}

TEST(FightDetector, SlowsDownOnlyWhenRepairsAreMany) {
  EXPECT_FALSE(AfterRepairs(599, 10ms).SlowDown(106s));
  EXPECT_TRUE(AfterRepairs(600, 10ms).SlowDown(106s));
}

TEST(FightDetector, StaysSlowWhileTheFightGoesOnSlowly) {
  FightDetector fights = AfterRepairs(600, 10ms);
  for (int i = 1; i < 10; ++i) {
    fights.Note(PlanOf({RuleStep(11)}), kDone, 106s + i * 60s);
    EXPECT_TRUE(fights.SlowDown(106s + i * 60s));
  }
}

TEST(FightDetector, TheFightIsOverWhenTheObjectIsLeftInPeace) {
  const FightDetector fights = AfterRepairs(600, 10ms);
  EXPECT_TRUE(fights.SlowDown(225s));
  EXPECT_FALSE(fights.SlowDown(227s));
  EXPECT_THAT(fights.Contested(227s), IsEmpty());
}

TEST(FightDetector, BeginsAnewAfterAFightIsOver) {
  FightDetector fights = AfterRepairs(600, 10ms);
  fights.Note(PlanOf({RuleStep(11)}), kDone, 300s);
  EXPECT_THAT(fights.Contested(300s), IsEmpty());
}

TEST(FightDetector, CountsOnlyWhatWasDone) {
  FightDetector fights;
  for (int i = 0; i < 20; ++i) {
    fights.Note(PlanOf({RuleStep(11)}), {{StepResult::kFailed, {}}}, 100s);
  }
  EXPECT_THAT(fights.Contested(100s), IsEmpty());
}

TEST(FightDetector, ForgetsOnRequest) {
  FightDetector fights = AfterRepairs(600, 10ms);
  fights.Forget();
  EXPECT_THAT(fights.Contested(106s), IsEmpty());
}

// Two rules of one chain in one commit are one repair of the chain.
TEST(ObjectsOf, NamesEachObjectOnce) {
  ChainEdit insert;
  insert.chain = "UPL-FATE";
  ChainEdit jump;
  jump.kind = ChainEdit::Kind::kInsertJump;
  jump.hook = XtHook::kOutput;
  Step step;
  step.change = EditXtTable{XtTable::kMangle, {}, {insert, insert, jump}};
  EXPECT_THAT(ObjectsOf(step), ElementsAre("chain UPL-FATE in mangle",
                                           "jump from OUTPUT in mangle"));
}

TEST(ObjectsOf, NamesRoutesByTheirKey) {
  Step step;
  Route route;
  route.key = {.table = 11, .destination = Prefix::Default(Family::kIpv4)};
  step.change = PutRoute{route, std::nullopt};
  EXPECT_THAT(ObjectsOf(step), ElementsAre("route default in table 11"));
  route.key = {.table = 12, .destination = Net("10.0.0.0/8"), .metric = 5};
  step.change = RemoveRoute{route};
  EXPECT_THAT(ObjectsOf(step),
              ElementsAre("route 10.0.0.0/8 metric 5 in table 12"));
}

}  // namespace
}  // namespace uplinkd
