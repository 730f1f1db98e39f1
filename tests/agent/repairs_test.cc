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

}  // namespace
}  // namespace uplinkd
