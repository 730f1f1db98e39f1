#include "agent/repairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ChainEdit EditOf(const std::string& chain) {
  ChainEdit edit;
  edit.chain = chain;
  return edit;
}

// A pass that edits these chains of mangle in one step.
Report Edited(const std::vector<std::string>& chains,
              XtTable table = XtTable::kMangle) {
  Report report;
  EditXtTable edit;
  edit.table = table;
  for (const std::string& chain : chains) edit.edits.push_back(EditOf(chain));
  Step step;
  step.stage = Stage::kMangle;
  step.change = edit;
  report.plan.steps = {step};
  report.outcomes = {{}};
  return report;
}

std::vector<std::string> ChainsIn(const Report& report) {
  std::vector<std::string> chains;
  for (const Step& step : report.plan.steps) {
    for (const ChainEdit& edit : std::get<EditXtTable>(step.change).edits) {
      chains.push_back(edit.chain);
    }
  }
  return chains;
}

TEST(Repairs, NothingIsLeftOfAPassThatOnlyMovedShares) {
  const Report rest =
      WithoutChoices(Edited({"UPL-FATE", "UPL-FATE.2"}), {kBalance});
  EXPECT_TRUE(rest.plan.Empty());
  EXPECT_THAT(rest.outcomes, IsEmpty());
}

// Shares are those of both families, and so are the writes.
TEST(Repairs, TheSameInIpv6) {
  EXPECT_TRUE(
      WithoutChoices(Edited({"UPL-FATE"}, XtTable::kMangle6), {kBalance})
          .plan.Empty());
  EXPECT_FALSE(WithoutChoices(Edited({"UPL-FATE"}, XtTable::kNat6), {kBalance})
                   .plan.Empty());
}

TEST(Repairs, WhatElseWasWrongIsLeft) {
  const Report rest =
      WithoutChoices(Edited({"UPL-FATE", "UPL-NEW", "UPL-FATE.voice",
                             "UPL-FATE.bulk", "UPL-FATE.bulk.3", "UPL-PICK",
                             "UPL-PICK.bulk", "UPL-PICK.voice", ""}),
                     {kBalance, "bulk"});
  EXPECT_THAT(ChainsIn(rest),
              ElementsAre("UPL-NEW", "UPL-FATE.voice", "UPL-PICK.voice", ""));
}

TEST(Repairs, AllIsLeftWhereNoLoadsMoved) {
  const Report rest = WithoutChoices(Edited({"UPL-FATE"}), {});
  EXPECT_THAT(ChainsIn(rest), ElementsAre("UPL-FATE"));
}

TEST(Repairs, StepsKeepTheirOutcomes) {
  Report report = Edited({"UPL-FATE"});
  Step removal;
  removal.stage = Stage::kRemoveRules;
  removal.change = RemoveRule{};
  report.plan.steps.push_back(removal);
  report.outcomes.push_back({StepResult::kFailed, {}});
  const Report rest = WithoutChoices(report, {kBalance});
  ASSERT_EQ(rest.plan.steps.size(), 1U);
  EXPECT_EQ(rest.plan.steps[0].stage, Stage::kRemoveRules);
  EXPECT_EQ(rest.outcomes.at(0).result, StepResult::kFailed);
}

Step PutThrough(const std::string& link) {
  PutRoute put;
  put.route.next_hops = {{.link = link}};
  Step step;
  step.change = put;
  return step;
}

// The kernel took them along without a word, and nobody else did.
TEST(Repairs, RoutesThatWentWithTheirLinkAreLeftOut) {
  Report report;
  Step modified = PutThrough("lan0");
  auto& put = std::get<PutRoute>(modified.change);
  put.replaces = put.route;
  Step rule;
  rule.change = AddRule{};
  report.plan.steps = {PutThrough("lan0"), PutThrough("wan1"), modified, rule};
  report.outcomes.resize(4);
  report.outcomes[3].result = StepResult::kFailed;
  const Report rest = WithoutRoutesThrough(report, {"lan0", "wan2"});
  ASSERT_EQ(rest.plan.steps.size(), 3U);
  EXPECT_EQ(rest.plan.steps[0].change, report.plan.steps[1].change);
  EXPECT_EQ(rest.plan.steps[1].change, modified.change);
  EXPECT_EQ(rest.outcomes.at(2).result, StepResult::kFailed);
  EXPECT_EQ(WithoutRoutesThrough(report, {}).plan.steps.size(), 4U);
}

TEST(Repairs, ALinkThatCameOrChangedHasMoved) {
  const auto link = [](int index, bool up) {
    Link one;
    one.index = index;
    one.up = up;
    return one;
  };
  Facts before;
  before.links = {{"lan0", link(1, false)},
                  {"wan1", link(2, true)},
                  {"wan2", link(3, true)},
                  {"wan4", link(5, true)}};
  Facts now;
  now.links = {{"lan0", link(1, true)},
               {"wan1", link(2, true)},
               {"wan2", link(4, true)},
               {"wan3", link(6, true)}};
  EXPECT_THAT(LinksMoved(before, now), ElementsAre("lan0", "wan2", "wan3"));
  now.links["wan1"].carrier = true;  // takes no route along
  EXPECT_THAT(LinksMoved(now, now), IsEmpty());
  now.links["wan1"].addresses.emplace_back();
  EXPECT_THAT(LinksMoved(before, now),
              ElementsAre("lan0", "wan1", "wan2", "wan3"));
}

}  // namespace
}  // namespace uplinkd
