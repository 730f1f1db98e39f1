#include "reconciler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;
using ::testing::SizeIs;
using testing::SpecWithUplinks;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;
using Kind = ChainEdit::Kind;

Desired TwoUplinks() {
  return Compile(TwoUplinkSpec(), TwoUplinkFacts());
}

RouteKey DefaultKey(std::uint32_t table) {
  return {.table = table, .destination = Prefix::Default(Family::kIpv4)};
}

std::vector<Stage> Stages(const Plan& plan) {
  std::vector<Stage> stages;
  for (const Step& step : plan.steps) {
    if (stages.empty() || stages.back() != step.stage) {
      stages.push_back(step.stage);
    }
  }
  return stages;
}

// The only edit of the only step.
ChainEdit OnlyEdit(const Plan& plan) {
  if (plan.steps.size() != 1) return {};
  const auto* edit = std::get_if<EditXtTable>(&plan.steps[0].change);
  if (edit == nullptr || edit->edits.size() != 1) return {};
  return edit->edits[0];
}

std::vector<ChainEdit> Edits(const Plan& plan, XtTable table) {
  std::vector<ChainEdit> edits;
  for (const Step& step : plan.steps) {
    const auto* edit = std::get_if<EditXtTable>(&step.change);
    if (edit == nullptr || edit->table != table) continue;
    edits.insert(edits.end(), edit->edits.begin(), edit->edits.end());
  }
  return edits;
}

TEST(Plan, IsEmptyWhenInSync) {
  const Desired desired = TwoUplinks();
  EXPECT_TRUE(MakePlan(desired, desired.state).Empty());
}

TEST(Plan, MakesEverythingInOrderFromNothing) {
  const Plan plan = MakePlan(TwoUplinks(), State{});
  EXPECT_THAT(Stages(plan), ElementsAre(Stage::kPutRoutes, Stage::kAddRules,
                                        Stage::kMakeNat, Stage::kMangle));
}

TEST(Plan, RemovesEverythingInReverseOrder) {
  const Plan plan = MakeCleanupPlan(TwoUplinks().state);
  EXPECT_THAT(Stages(plan),
              ElementsAre(Stage::kMangle, Stage::kBreakNat, Stage::kRemoveRules,
                          Stage::kRemoveRoutes));
  for (const Step& step : plan.steps) {
    EXPECT_EQ(step.reason, "cleanup removes everything of ours");
    EXPECT_EQ(step.cause, Cause::kExtra);
  }
}

TEST(Plan, IsTheSameForTheSameInput) {
  const Desired desired = TwoUplinks();
  EXPECT_EQ(MakePlan(desired, State{}).steps, MakePlan(desired, State{}).steps);
}

// ---- routes ----

TEST(Plan, PutsAMissingRoute) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  observed.routes.erase(DefaultKey(11));
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  EXPECT_EQ(plan.steps[0].reason, "the default route of wan1 is missing");
  EXPECT_EQ(plan.steps[0].cause, Cause::kMissing);
  EXPECT_THAT(plan.steps[0].uplinks, ElementsAre("wan1"));
  const auto& put = std::get<PutRoute>(plan.steps[0].change);
  EXPECT_EQ(put.route, desired.state.routes.at(DefaultKey(11)));
  EXPECT_EQ(put.replaces, std::nullopt);
}

TEST(Plan, ReplacesARouteWithTheSameKeyInOneStep) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Route& route = observed.routes.at(DefaultKey(12));
  route.next_hops[0].gateway = Ip("203.0.113.9");
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  EXPECT_EQ(plan.steps[0].reason, "wan2 has a new gateway");
  EXPECT_EQ(plan.steps[0].cause, Cause::kModified);
  EXPECT_EQ(std::get<PutRoute>(plan.steps[0].change).replaces, route);
}

TEST(Plan, SaysThatASourceAddressIsNew) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  observed.routes.at(DefaultKey(11)).preferred_source = Ip("198.51.100.7");
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  EXPECT_EQ(plan.steps[0].reason, "wan1 has a new address");
}

TEST(Plan, MovesARouteToAnotherKeyMakeBeforeBreak) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Route moved = observed.routes.at(DefaultKey(11));
  observed.routes.erase(moved.key);
  moved.key.metric = 100;
  observed.routes.emplace(moved.key, moved);
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(2));
  EXPECT_EQ(std::get<PutRoute>(plan.steps[0].change).route.key, DefaultKey(11));
  EXPECT_EQ(std::get<RemoveRoute>(plan.steps[1].change).route, moved);
}

TEST(Plan, PutsTheConnectedNetworkBeforeTheDefaultRoute) {
  const Plan plan = MakePlan(TwoUplinks(), State{});
  std::vector<std::string> in_table_11;
  for (const Step& step : plan.steps) {
    const auto* put = std::get_if<PutRoute>(&step.change);
    if (put == nullptr || put->route.key.table != 11) continue;
    in_table_11.push_back(put->route.key.destination.ToString());
  }
  EXPECT_THAT(in_table_11, ElementsAre("192.168.10.0/24", "198.51.100.0/24",
                                       "0.0.0.0/0", "0.0.0.0/0"));
}

TEST(Plan, RemovesARouteOfOursFromAnyTable) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Route stale;
  stale.key.table = 77;
  stale.key.destination = Net("10.0.0.0/8");
  observed.routes.emplace(stale.key, stale);
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  EXPECT_EQ(std::get<RemoveRoute>(plan.steps[0].change).route, stale);
  EXPECT_EQ(plan.steps[0].reason,
            "the route to 10.0.0.0/8 of table 77 is not wanted");
  EXPECT_THAT(plan.steps[0].uplinks, IsEmpty());
}

TEST(Plan, NamesAForeignRouteWithAKeyOfOursAndLeavesIt) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Route foreign = observed.routes.at(DefaultKey(11));
  foreign.protocol = 4;
  observed.routes.erase(foreign.key);
  observed.foreign_routes.emplace(foreign.key, foreign);
  const Plan plan = MakePlan(desired, observed);
  EXPECT_TRUE(plan.Empty());
  EXPECT_THAT(plan.conflicts,
              ElementsAre(ForeignConflict{
                  desired.state.routes.at(DefaultKey(11)), foreign, {"wan1"}}));
}

TEST(Plan, LeavesForeignRoutesWithOtherKeysAlone) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Route foreign;
  foreign.key = {.table = 11, .destination = Net("100.64.0.0/10")};
  foreign.protocol = 4;
  observed.foreign_routes.emplace(foreign.key, foreign);
  const Plan plan = MakePlan(desired, observed);
  EXPECT_TRUE(plan.Empty());
  EXPECT_THAT(plan.conflicts, IsEmpty());
}

// ---- policy rules ----

PolicyRule MarkRuleOf(const State& state, std::uint32_t table) {
  return *std::ranges::find_if(state.rules, [table](const PolicyRule& rule) {
    return rule.mark && rule.table == table;
  });
}

TEST(Plan, AddsAMissingRule) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  const PolicyRule rule = MarkRuleOf(observed, 12);
  std::erase(observed.rules, rule);
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  EXPECT_EQ(std::get<AddRule>(plan.steps[0].change).rule, rule);
  EXPECT_EQ(plan.steps[0].reason, "the mark rule of wan2 is missing");
  EXPECT_THAT(plan.steps[0].uplinks, ElementsAre("wan2"));
}

TEST(Plan, RemovesDuplicatesDownToOne) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  const PolicyRule rule = MarkRuleOf(observed, 11);
  observed.rules.insert(observed.rules.end(), 2, rule);
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(2));
  for (const Step& step : plan.steps) {
    EXPECT_EQ(std::get<RemoveRule>(step.change).rule, rule);
    EXPECT_EQ(step.reason, "the mark rule of wan1 stands twice");
    EXPECT_EQ(step.cause, Cause::kExtra);
  }
}

TEST(Plan, MovesARuleToItsPriorityMakeBeforeBreak) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  const PolicyRule rule = MarkRuleOf(observed, 11);
  PolicyRule moved = rule;
  moved.priority = 20900;
  std::ranges::replace(observed.rules, rule, moved);
  const Plan plan = MakePlan(desired, observed);
  ASSERT_THAT(plan.steps, SizeIs(2));
  EXPECT_EQ(std::get<AddRule>(plan.steps[0].change).rule, rule);
  EXPECT_EQ(std::get<RemoveRule>(plan.steps[1].change).rule, moved);
  EXPECT_EQ(plan.steps[0].cause, Cause::kModified);
  EXPECT_EQ(plan.steps[1].reason, "the mark rule of wan1 has another priority");
}

// ---- chains ----

TEST(Plan, InsertsOneRuleWhereOneWasDeleted) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Chain& chain =
      observed.tables[XtTable::kMangle].Edit().chains["UPL-PREROUTING"];
  const ChainRule deleted = chain[1];
  chain.erase(chain.begin() + 1);
  const ChainEdit edit = OnlyEdit(MakePlan(desired, observed));
  EXPECT_EQ(edit.kind, Kind::kInsertRule);
  EXPECT_EQ(edit.chain, "UPL-PREROUTING");
  EXPECT_EQ(edit.position, 1u);
  EXPECT_EQ(edit.rule, deleted);
  EXPECT_EQ(edit.cause, Cause::kMissing);
  EXPECT_EQ(edit.reason, "UPL-PREROUTING lacks this rule");
}

TEST(Plan, DeletesOneRuleWhereOneWasInserted) {
  const Desired desired = TwoUplinks();
  State observed = desired.state;
  Chain& chain = observed.tables[XtTable::kNat].Edit().chains["UPL-SNAT"];
  ChainRule stray;
  stray.target = OpaqueTarget{"ACCEPT"};
  chain.insert(chain.begin() + 1, stray);
  const ChainEdit edit = OnlyEdit(MakePlan(desired, observed));
  EXPECT_EQ(edit.kind, Kind::kDeleteRule);
  EXPECT_EQ(edit.position, 1u);
  EXPECT_EQ(edit.rule, stray);
  EXPECT_EQ(edit.cause, Cause::kExtra);
}

TEST(Plan, AWeightTouchesOnlyTheChainsOfTheChoice) {
  Spec spec = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  const Facts facts = testing::FactsWithUplinks(3);
  const State observed = Compile(spec, facts).state;
  spec.uplinks[2].capacity.download *= 2;
  const Plan plan = MakePlan(Compile(spec, facts), observed);
  ASSERT_THAT(plan.steps, SizeIs(1));
  const std::vector<ChainEdit> edits = Edits(plan, XtTable::kMangle);
  EXPECT_LE(edits.size(), 4u);  // one deleted and one inserted per tree node
  for (const ChainEdit& edit : edits) {
    EXPECT_TRUE(edit.chain.starts_with("UPL-FATE")) << edit.chain;
    EXPECT_EQ(edit.cause, Cause::kModified);
  }
}

TEST(Plan, AnAddressReplacesItsTranslationInOneCommit) {
  const Spec spec = TwoUplinkSpec();
  Facts facts = TwoUplinkFacts();
  const State observed = Compile(spec, facts).state;
  facts.links["wan1"].addresses[0].local = Ip("198.51.100.7");
  const Desired desired = Compile(spec, facts);
  const Plan plan = MakePlan(desired, observed);
  std::vector<Stage> nat;
  for (const Step& step : plan.steps) {
    const auto* edit = std::get_if<EditXtTable>(&step.change);
    if (edit != nullptr && edit->table == XtTable::kNat) {
      nat.push_back(step.stage);
    }
  }
  EXPECT_THAT(nat, ElementsAre(Stage::kMakeNat));
}

// wan2 goes and wan3 comes: nat learns wan3 before mangle gives its fate, and
// forgets wan2 after mangle gave its last.
TEST(Plan, LeavesTheTranslationOfALeavingUplinkUntilMangleIsDone) {
  Spec spec = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  const Facts facts = testing::FactsWithUplinks(3);
  Spec before = spec;
  before.uplinks.erase(before.uplinks.begin() + 2);
  spec.uplinks.erase(spec.uplinks.begin() + 1);
  const Plan plan =
      MakePlan(Compile(spec, facts), Compile(before, facts).state);
  std::vector<std::string> changes;
  for (const Step& step : plan.steps) {
    const auto* table = std::get_if<EditXtTable>(&step.change);
    if (table == nullptr) continue;
    if (table->table == XtTable::kMangle) changes.emplace_back("mangle");
    for (const ChainEdit& edit : table->edits) {
      if (edit.chain != "UPL-SNAT") continue;
      changes.push_back((edit.kind == Kind::kInsertRule ? "+" : "-") +
                        edit.rule.out_interface);
    }
  }
  EXPECT_THAT(changes, ElementsAre("+wan3", "mangle", "-wan2"));
}

TEST(Plan, ALeavingUplinkAloneNeedsOneNatCommit) {
  Spec spec = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  const Facts facts = testing::FactsWithUplinks(3);
  const State observed = Compile(spec, facts).state;
  spec.uplinks.pop_back();
  const Plan plan = MakePlan(Compile(spec, facts), observed);
  EXPECT_THAT(Stages(plan),
              ElementsAre(Stage::kMangle, Stage::kBreakNat, Stage::kRemoveRules,
                          Stage::kRemoveRoutes));
}

TEST(Plan, ALeavingLanKeepsItsTranslationUntilMangleIsDone) {
  Spec before = TwoUplinkSpec();
  before.lans.push_back({"lan1", {Net("192.168.11.0/24")}});
  Spec after = TwoUplinkSpec();
  after.lans.push_back({"lan2", {Net("192.168.12.0/24")}});
  const Plan plan = MakePlan(Compile(after, TwoUplinkFacts()),
                             Compile(before, TwoUplinkFacts()).state);
  std::vector<Stage> removals;
  for (const Step& step : plan.steps) {
    const auto* table = std::get_if<EditXtTable>(&step.change);
    if (table == nullptr || table->table != XtTable::kNat) continue;
    for (const ChainEdit& edit : table->edits) {
      if (edit.kind == Kind::kDeleteRule) removals.push_back(step.stage);
    }
  }
  EXPECT_THAT(removals, ElementsAre(Stage::kBreakNat));
}

TEST(Plan, TheSecondNatCommitExpectsWhatTheFirstLeft) {
  Spec spec = SpecWithUplinks(3, Algorithm::kWeightedRandom);
  const Facts facts = testing::FactsWithUplinks(3);
  Spec before = spec;
  before.uplinks.erase(before.uplinks.begin() + 2);
  spec.uplinks.erase(spec.uplinks.begin() + 1);
  const State observed = Compile(before, facts).state;
  const Plan plan = MakePlan(Compile(spec, facts), observed);
  std::vector<EditXtTable> nat;
  for (const Step& step : plan.steps) {
    const auto* edit = std::get_if<EditXtTable>(&step.change);
    if (edit != nullptr && edit->table == XtTable::kNat) nat.push_back(*edit);
  }
  ASSERT_THAT(nat, SizeIs(2));
  EXPECT_EQ(nat[0].expected, *observed.tables.at(XtTable::kNat));
  EXPECT_NE(nat[1].expected, nat[0].expected);
}

TEST(Plan, NamesTheUplinksThatTheChainsSendConnectionsTo) {
  Facts facts = TwoUplinkFacts();
  facts.links.erase("wan2");
  const Plan plan = MakePlan(Compile(TwoUplinkSpec(), facts), State{});
  for (const Step& step : plan.steps) {
    if (!std::holds_alternative<EditXtTable>(step.change)) continue;
    EXPECT_THAT(step.uplinks, ElementsAre("wan1"));
  }
}

TEST(Plan, CausesHaveNames) {
  EXPECT_EQ(CauseName(Cause::kMissing), "missing");
  EXPECT_EQ(CauseName(Cause::kModified), "modified");
  EXPECT_EQ(CauseName(Cause::kExtra), "extra");
}

}  // namespace
}  // namespace uplinkd
