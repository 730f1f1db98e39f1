#include "reconciler/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/core/builders.h"
#include "tests/core/fake_kernel.h"

namespace uplinkd {
namespace {

using std::chrono_literals::operator""ns;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Net;
using ::testing::Pair;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

const Error kRefused{ErrorCode::kFailedPrecondition, "Network is unreachable",
                     ENETUNREACH};

// A clock that moves by 1 ns each time somebody looks.
MonotonicClock TickingClock() {
  return [ticks = 0]() mutable { return std::chrono::nanoseconds(++ticks); };
}

class Reconcile : public ::testing::Test {
 protected:
  Reconcile() { kernel_.SetHost(TwoUplinkFacts()); }

  Report Pass(PassOptions options = {}) {
    return ReconcileOnce(spec_, options, kernel_, TickingClock());
  }

  // The number, from 1, of the first write for which `test` holds.
  template <typename Test>
  std::size_t WriteWhere(Test test) {
    const Report dry = Pass({.dry_run = true});
    const auto step = std::ranges::find_if(dry.plan.steps, test);
    EXPECT_NE(step, dry.plan.steps.end());
    return static_cast<std::size_t>(step - dry.plan.steps.begin()) + 1;
  }

  std::size_t WriteOfTable(std::uint32_t table) {
    return WriteWhere([table](const Step& step) {
      const auto* put = std::get_if<PutRoute>(&step.change);
      return put != nullptr && put->route.key.table == table &&
             put->route.key.destination.IsDefault();
    });
  }

  static std::map<Stage, StepResult> Results(const Report& report) {
    std::map<Stage, StepResult> worst;
    for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
      StepResult& result = worst[report.plan.steps[i].stage];
      result = std::max(result, report.outcomes[i].result);
    }
    return worst;
  }

  Spec spec_ = TwoUplinkSpec();
  FakeKernel kernel_;
};

TEST_F(Reconcile, ProgramsASpecAndIsThenInSync) {
  const Report first = Pass();
  EXPECT_EQ(first.result, PassResult::kChanged);
  for (const Outcome& outcome : first.outcomes) {
    EXPECT_EQ(outcome.result, StepResult::kDone);
  }
  const Report second = Pass();
  EXPECT_EQ(second.result, PassResult::kInSync);
  EXPECT_TRUE(second.plan.Empty());
}

TEST_F(Reconcile, ANoOpPassOnlyReads) {
  Pass();
  kernel_.calls.clear();
  Pass();
  EXPECT_THAT(kernel_.calls, ElementsAre("facts", "observe"));
}

TEST_F(Reconcile, WritesEachStageAsOneBatch) {
  Pass();
  EXPECT_THAT(kernel_.calls,
              ElementsAre("facts", "observe", "execute 8", "execute 5",
                          "execute 1", "execute 1"));
}

TEST_F(Reconcile, ADryRunWritesNothingAndTellsThePlan) {
  const Report report = Pass({.dry_run = true});
  EXPECT_EQ(report.result, PassResult::kChanged);
  EXPECT_FALSE(report.plan.Empty());
  EXPECT_THAT(report.outcomes, IsEmpty());
  EXPECT_THAT(kernel_.calls, ElementsAre("facts", "observe"));
}

TEST_F(Reconcile, ReportsUplinksLinksAndObjects) {
  const Report report = Pass();
  ASSERT_EQ(report.uplinks.size(), 2u);
  EXPECT_EQ(report.uplinks[0].phase, UplinkPhase::kReady);
  EXPECT_THAT(report.link_index, ElementsAre(Pair("wan1", 3), Pair("wan2", 4)));
  const State ours = kernel_.Ours();
  EXPECT_EQ(report.objects.at("route"), ours.routes.size());
  EXPECT_EQ(report.objects.at("rule"), ours.rules.size());
  std::size_t chain_rules = 0;
  for (const auto& [table, state] : ours.tables) {
    for (const auto& [name, rules] : state->chains) chain_rules += rules.size();
    for (const auto& [hook, jumps] : state->jumps) chain_rules += jumps.size();
  }
  EXPECT_EQ(report.objects.at("chain-rule"), chain_rules);
  EXPECT_EQ(Pass().objects, report.objects);
}

TEST_F(Reconcile, CountsOnlyObjectsThatTheKernelTook) {
  kernel_.FailNth(WriteOfTable(11), kRefused);
  const Report report = Pass();
  EXPECT_EQ(report.objects.at("route"), kernel_.Ours().routes.size());
  EXPECT_EQ(report.objects.at("chain-rule"),
            Pass({.dry_run = true}).objects.at("chain-rule"));
}

TEST_F(Reconcile, CountsForeignRoutesInOurTables) {
  Route foreign;
  foreign.key = {.table = 11, .destination = Net("100.64.0.0/10")};
  foreign.type = RouteType::kBlackhole;
  foreign.protocol = 4;
  kernel_.routes.emplace(foreign.key, foreign);
  const Report report = Pass();
  EXPECT_EQ(report.foreign_routes, 1u);
  EXPECT_EQ(report.result, PassResult::kChanged);
}

TEST_F(Reconcile, MeasuresEachPhase) {
  const Report report = Pass();
  EXPECT_THAT(
      report.durations,
      ElementsAre(Pair(PassPhase::kFacts, 1ns), Pair(PassPhase::kCompile, 1ns),
                  Pair(PassPhase::kObserve, 1ns), Pair(PassPhase::kPlan, 1ns),
                  Pair(PassPhase::kExecute, 1ns)));
}

TEST_F(Reconcile, SaysWhichLinkIsMissing) {
  Facts host = TwoUplinkFacts();
  host.links.erase("wan2");
  kernel_.SetHost(host);
  const Report report = Pass();
  EXPECT_EQ(report.link_index.at("wan2"), 0);
  EXPECT_EQ(report.uplinks[1].phase, UplinkPhase::kWaiting);
  EXPECT_EQ(report.result, PassResult::kChanged);
}

// ---- failed reads ----

TEST_F(Reconcile, AFailedReadEndsThePass) {
  kernel_.read_error =
      Error{ErrorCode::kPermissionDenied, "Operation not permitted", EPERM};
  const Report report = Pass();
  EXPECT_EQ(report.result, PassResult::kFailed);
  EXPECT_EQ(report.failed_phase, PassPhase::kFacts);
  EXPECT_EQ(report.error->message, "Operation not permitted");
  EXPECT_THAT(kernel_.writes, IsEmpty());
}

TEST_F(Reconcile, AReadThatRacedIsAConflict) {
  kernel_.read_error =
      Error{ErrorCode::kAborted, "the dump was interrupted", EINTR};
  EXPECT_EQ(Pass().result, PassResult::kConflict);
}

// ---- failed steps ----

TEST_F(Reconcile, GivesNoFateToAnUplinkWhoseRouteWasRefused) {
  kernel_.FailNth(WriteOfTable(12), kRefused);
  const Report report = Pass();
  EXPECT_EQ(report.result, PassResult::kFailed);
  EXPECT_THAT(report.refused,
              ElementsAre(Pair("wan2", "Network is unreachable")));
  EXPECT_THAT(Results(report),
              ElementsAre(Pair(Stage::kPutRoutes, StepResult::kFailed),
                          Pair(Stage::kAddRules, StepResult::kDone),
                          Pair(Stage::kMakeNat, StepResult::kDone),
                          Pair(Stage::kMangle, StepResult::kSkipped)));
}

TEST_F(Reconcile, TheOtherUplinksWorkWhileOneIsBlocked) {
  kernel_.FailNth(WriteOfTable(12), kRefused);
  const BlockedParts refused = Pass().refused;
  const Report report = Pass({.blocked = refused});
  EXPECT_EQ(report.result, PassResult::kChanged);
  EXPECT_EQ(report.uplinks[0].phase, UplinkPhase::kReady);
  EXPECT_EQ(report.uplinks[1].phase, UplinkPhase::kBlocked);
  EXPECT_EQ(report.uplinks[1].reason, "Network is unreachable");
  EXPECT_EQ(Pass().result, PassResult::kChanged);
  EXPECT_EQ(Pass().result, PassResult::kInSync);
}

TEST_F(Reconcile, AnErrorOfTheMomentBlocksNoUplink) {
  kernel_.FailNth(WriteOfTable(12), Error{ErrorCode::kResourceExhausted,
                                          "No buffer space", ENOBUFS});
  const Report report = Pass();
  EXPECT_EQ(report.result, PassResult::kFailed);
  EXPECT_THAT(report.refused, IsEmpty());
}

TEST_F(Reconcile, GivesNoFateWithoutItsTranslation) {
  kernel_.missing_tables = {XtTable::kNat};
  EXPECT_THAT(Results(Pass()),
              ElementsAre(Pair(Stage::kPutRoutes, StepResult::kDone),
                          Pair(Stage::kAddRules, StepResult::kDone),
                          Pair(Stage::kMakeNat, StepResult::kFailed),
                          Pair(Stage::kMangle, StepResult::kSkipped)));
}

// Connections still get the fate of the uplink that should go.
TEST_F(Reconcile, KeepsALeavingUplinkWhileMangleCannotBeChanged) {
  Pass();
  spec_.uplinks.pop_back();
  kernel_.missing_tables = {XtTable::kMangle};
  const Report report = Pass({.more_tables = {12}});
  EXPECT_EQ(Results(report).at(Stage::kBreakNat), StepResult::kSkipped);
  const State after = kernel_.Ours();
  EXPECT_TRUE(after.routes.contains(
      {.table = 12, .destination = Prefix::Default(Family::kIpv4)}));
  EXPECT_TRUE(std::ranges::any_of(after.rules, [](const PolicyRule& rule) {
    return rule.mark && rule.table == 12;
  }));
  EXPECT_THAT(kernel_.broken_promises, IsEmpty());
}

TEST_F(Reconcile, KeepsAnOldRouteWhoseSuccessorWasRefused) {
  Pass();
  const RouteKey key{.table = 11,
                     .destination = Prefix::Default(Family::kIpv4)};
  Route moved = kernel_.routes.at(key);
  kernel_.routes.erase(key);
  moved.key.metric = 100;
  kernel_.routes.emplace(moved.key, moved);
  kernel_.FailNth(1, kRefused);
  const Report report = Pass();
  EXPECT_EQ(Results(report).at(Stage::kRemoveRoutes), StepResult::kSkipped);
  EXPECT_TRUE(kernel_.routes.contains(moved.key));
  EXPECT_EQ(Pass().result, PassResult::kChanged);
  EXPECT_FALSE(kernel_.routes.contains(moved.key));
}

TEST_F(Reconcile, KeepsTheRoutesOfARuleThatCouldNotBeRemoved) {
  Pass();
  spec_.uplinks.pop_back();
  const std::size_t n = WriteWhere([](const Step& step) {
    const auto* remove = std::get_if<RemoveRule>(&step.change);
    return remove != nullptr && remove->rule.mark.has_value();
  });
  kernel_.FailNth(n, kRefused);
  Pass({.more_tables = {12}});
  EXPECT_TRUE(
      kernel_.routes.contains({.table = 12,
                               .destination = Prefix::Default(Family::kIpv4),
                               .tos = 0,
                               .metric = kFloorMetric}));
}

TEST_F(Reconcile, AForeignRouteInTheWayIsAFailureWithAName) {
  Route foreign;
  foreign.key = {.table = 11, .destination = Prefix::Default(Family::kIpv4)};
  foreign.type = RouteType::kBlackhole;
  foreign.protocol = 4;
  kernel_.routes.emplace(foreign.key, foreign);
  const Report report = Pass();
  EXPECT_EQ(report.result, PassResult::kFailed);
  ASSERT_EQ(report.plan.conflicts.size(), 1u);
  EXPECT_EQ(report.plan.conflicts[0].foreign, foreign);
  EXPECT_EQ(report.plan.conflicts[0].uplinks, std::set<std::string>{"wan1"});
  // No connection gets a fate that leads to somebody else's route.
  EXPECT_EQ(Results(report).at(Stage::kMangle), StepResult::kSkipped);
  EXPECT_EQ(kernel_.routes.at(foreign.key), foreign);
  EXPECT_THAT(report.refused, IsEmpty());
}

// ---- races ----

TEST_F(Reconcile, AChangeBetweenReadAndCommitIsAConflict) {
  kernel_.before_write = [](FakeKernel& kernel) {
    FakeXtable& nat = kernel.tables.at(XtTable::kNat);
    nat.chains["UPL-SNAT"].push_back(nat.NewRule(ChainRule{}));
  };
  const Report report = Pass();
  EXPECT_EQ(report.result, PassResult::kConflict);
  EXPECT_EQ(Results(report).at(Stage::kMakeNat), StepResult::kConflict);
  EXPECT_EQ(Pass().result, PassResult::kChanged);
  EXPECT_EQ(Pass().result, PassResult::kInSync);
}

TEST_F(Reconcile, AForeignRuleThatComesInBetweenIsNoConflict) {
  kernel_.before_write = [](FakeKernel& kernel) {
    FakeXtable& mangle = kernel.tables.at(XtTable::kMangle);
    mangle.hooks[XtHook::kPrerouting].push_back(mangle.NewRule(ChainRule{}));
  };
  EXPECT_EQ(Pass().result, PassResult::kChanged);
  EXPECT_EQ(Pass().result, PassResult::kInSync);
}

TEST_F(Reconcile, ALinkThatVanishesUnderThePassHealsByItself) {
  kernel_.before_write = [](FakeKernel& kernel) {
    Facts host = kernel.host();
    host.links.erase("wan2");
    kernel.SetHost(host);
  };
  EXPECT_EQ(Pass().result, PassResult::kFailed);
  EXPECT_EQ(Pass().result, PassResult::kChanged);
  EXPECT_EQ(Pass().result, PassResult::kInSync);
  EXPECT_THAT(kernel_.broken_promises, IsEmpty());
}

// ---- scope ----

TEST_F(Reconcile, LooksForStaleRoutesOnlyWhereItWasTold) {
  Route stale;
  stale.key = {.table = 77, .destination = Net("10.0.0.0/8")};
  stale.type = RouteType::kUnreachable;
  kernel_.routes.emplace(stale.key, stale);
  Pass();
  EXPECT_TRUE(kernel_.routes.contains(stale.key));
  Pass({.more_tables = {77}});
  EXPECT_FALSE(kernel_.routes.contains(stale.key));
  kernel_.routes.emplace(stale.key, stale);
  Pass({.sweep = true});
  EXPECT_FALSE(kernel_.routes.contains(stale.key));
}

// ---- clean up ----

TEST_F(Reconcile, CleanUpRemovesAllOfOurs) {
  Pass();
  const FakeKernel::Foreign foreign = kernel_.AllForeign();
  const Report report = CleanUp(kernel_, false, TickingClock());
  EXPECT_EQ(report.result, PassResult::kChanged);
  EXPECT_EQ(report.outcomes.size(), report.plan.steps.size());
  EXPECT_EQ(report.objects.at("route"), 0u);
  EXPECT_THAT(kernel_.Ours().routes, IsEmpty());
  EXPECT_THAT(kernel_.Ours().rules, IsEmpty());
  EXPECT_THAT(kernel_.Ours().tables, IsEmpty());
  EXPECT_EQ(kernel_.AllForeign(), foreign);
}

TEST_F(Reconcile, CleanUpOfNothingIsInSync) {
  EXPECT_EQ(CleanUp(kernel_, false, TickingClock()).result,
            PassResult::kInSync);
  EXPECT_THAT(kernel_.calls, ElementsAre("observe"));
}

TEST_F(Reconcile, ADryCleanUpTellsThePlan) {
  Pass();
  kernel_.writes.clear();
  const Report report = CleanUp(kernel_, true, TickingClock());
  EXPECT_EQ(report.plan.steps, MakeCleanupPlan(kernel_.Ours()).steps);
  EXPECT_THAT(kernel_.writes, IsEmpty());
}

TEST_F(Reconcile, CleanUpGivesUpWhenNothingCanBeRemoved) {
  Pass();
  kernel_.missing_tables = {XtTable::kMangle, XtTable::kNat};
  kernel_.calls.clear();
  const Report report = CleanUp(kernel_, false, TickingClock());
  EXPECT_EQ(report.result, PassResult::kFailed);
  EXPECT_EQ(std::ranges::count(kernel_.calls, "observe"), 6);
  EXPECT_GT(report.objects.at("chain-rule"), 0u);
}

TEST_F(Reconcile, CleanUpTakesSeveralRoundsIfNeedBe) {
  Pass();
  kernel_.FailNth(1, kRefused);
  EXPECT_EQ(CleanUp(kernel_, false, TickingClock()).result,
            PassResult::kChanged);
  EXPECT_THAT(kernel_.Ours().routes, IsEmpty());
}

// ---- names ----

TEST(ReconcileNames, AreThoseOfTheMetrics) {
  EXPECT_EQ(PassPhaseName(PassPhase::kFacts), "facts");
  EXPECT_EQ(PassPhaseName(PassPhase::kCompile), "compile");
  EXPECT_EQ(PassPhaseName(PassPhase::kObserve), "observe");
  EXPECT_EQ(PassPhaseName(PassPhase::kPlan), "plan");
  EXPECT_EQ(PassPhaseName(PassPhase::kExecute), "execute");
  EXPECT_EQ(PassResultName(PassResult::kInSync), "in-sync");
  EXPECT_EQ(PassResultName(PassResult::kChanged), "changed");
  EXPECT_EQ(PassResultName(PassResult::kFailed), "failed");
  EXPECT_EQ(PassResultName(PassResult::kConflict), "conflict");
  EXPECT_EQ(StepResultName(StepResult::kDone), "done");
  EXPECT_EQ(StepResultName(StepResult::kAlreadySo), "already-so");
  EXPECT_EQ(StepResultName(StepResult::kConflict), "conflict");
  EXPECT_EQ(StepResultName(StepResult::kFailed), "failed");
  EXPECT_EQ(StepResultName(StepResult::kSkipped), "skipped");
}

}  // namespace
}  // namespace uplinkd
