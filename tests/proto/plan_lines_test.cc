#include "proto/plan_lines.h"

#include <gtest/gtest.h>

#include "reconciler/plan.h"

namespace uplinkd {
namespace {

TEST(PlanLines, CarriesTheOutcomesOfAReport) {
  Step step;
  step.change = AddRule{};
  step.reason = "it is missing";
  Report report;
  report.plan.steps = {step, step};
  report.outcomes = {{StepResult::kDone, {}},
                     {StepResult::kFailed,
                      {ErrorCode::kPermissionDenied, "not permitted", 1}}};
  const PlanLines lines = ToPlanLines(report);
  ASSERT_EQ(lines.size(), 2);
  EXPECT_EQ(lines[0].result(), "done");
  EXPECT_EQ(lines[1].result(), "failed");
  EXPECT_EQ(lines[1].error(), "not permitted");
  report.outcomes.clear();
  EXPECT_EQ(ToPlanLines(report)[0].result(), "");
}

}  // namespace
}  // namespace uplinkd
