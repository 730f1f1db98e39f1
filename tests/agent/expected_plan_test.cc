// Whether a plan is still what somebody was told: what counts, and the words.
#include "agent/expected_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconciler/render.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Step RuleStep(std::uint32_t priority) {
  PolicyRule rule;
  rule.priority = priority;
  rule.table = 11;
  return {.stage = Stage::kAddRules, .change = AddRule{rule}, .reason = "new"};
}

ExpectedPlan LinesOf(const Plan& plan) {
  ExpectedPlan lines;
  for (const PlanLine& line : RenderPlan(plan)) {
    lines.push_back(std::string(1, line.sign) + " " + line.command);
  }
  return lines;
}

TEST(ExpectedPlan, HoldsInAnyOrder) {
  const Plan plan{.steps = {RuleStep(20011), RuleStep(20012)}, .conflicts = {}};
  const Plan other{.steps = {RuleStep(20012), RuleStep(20011)},
                   .conflicts = {}};
  EXPECT_TRUE(JudgePlan(LinesOf(plan), other));
  EXPECT_TRUE(JudgePlan({}, Plan()));
}

TEST(ExpectedPlan, TellsWhatIsNewAndWhatIsNoLongerDue) {
  const Plan then{.steps = {RuleStep(20011), RuleStep(20012), RuleStep(20013)},
                  .conflicts = {}};
  const Plan now{.steps = {RuleStep(20013), RuleStep(20014)}, .conflicts = {}};
  const Result<void> holds = JudgePlan(LinesOf(then), now);
  ASSERT_FALSE(holds);
  EXPECT_EQ(holds.error().code, ErrorCode::kAborted);
  EXPECT_THAT(holds.error().message,
              HasSubstr("1 change is new: + ip rule add priority 20014"));
  EXPECT_THAT(holds.error().message,
              HasSubstr("2 changes are no longer due, the first: + ip rule add "
                        "priority 20011"));
}

TEST(ExpectedPlan, TwiceTheSameChangeIsNotOnce) {
  const Plan once{.steps = {RuleStep(20011)}, .conflicts = {}};
  const Plan twice{.steps = {RuleStep(20011), RuleStep(20011)},
                   .conflicts = {}};
  const Result<void> holds = JudgePlan(LinesOf(once), twice);
  ASSERT_FALSE(holds);
  EXPECT_THAT(holds.error().message, HasSubstr("1 change is new"));
  EXPECT_THAT(holds.error().message, Not(HasSubstr("no longer due")));
}

}  // namespace
}  // namespace uplinkd
