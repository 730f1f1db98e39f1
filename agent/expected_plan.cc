#include "agent/expected_plan.h"

#include <algorithm>
#include <iterator>

#include "reconciler/render.h"

namespace uplinkd {
namespace {

ExpectedPlan Without(const ExpectedPlan& lines, const ExpectedPlan& others) {
  ExpectedPlan rest;
  std::set_difference(lines.begin(), lines.end(), others.begin(), others.end(),
                      std::back_inserter(rest));
  return rest;
}

// "2 changes are new, the first: + ip rule add ..."
std::string Words(const ExpectedPlan& lines, const std::string& what) {
  if (lines.empty()) return "";
  const bool one = lines.size() == 1;
  return "; " + std::to_string(lines.size()) +
         (one ? " change " : " changes ") + (one ? "is " : "are ") + what +
         (one ? ": " : ", the first: ") + lines.front();
}

}  // namespace

ExpectedPlan ExpectedFromProto(const v1::ExpectedPlan& message) {
  ExpectedPlan lines;
  for (const v1::PlanLine& line : message.lines()) {
    lines.push_back(line.sign() + " " + line.command());
  }
  return lines;
}

Result<void> JudgePlan(ExpectedPlan expected, const Plan& plan) {
  ExpectedPlan present;
  for (const PlanLine& line : RenderPlan(plan)) {
    present.push_back(std::string(1, line.sign) + " " + line.command);
  }
  std::sort(expected.begin(), expected.end());
  std::sort(present.begin(), present.end());
  if (expected == present) return {};
  return Fail(ErrorCode::kAborted,
              "the kernel has moved since the plan was made" +
                  Words(Without(present, expected), "new") +
                  Words(Without(expected, present), "no longer due") +
                  "; nothing was changed, make a new plan");
}

}  // namespace uplinkd
