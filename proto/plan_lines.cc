#include "proto/plan_lines.h"

#include <cstddef>
#include <string>

#include "proto/text_check.h"
#include "reconciler/plan.h"
#include "reconciler/render.h"

namespace uplinkd {

PlanLines ToPlanLines(const Report& report) {
  PlanLines lines;
  for (std::size_t i = 0; i < report.plan.steps.size(); ++i) {
    for (const PlanLine& line : RenderStep(report.plan.steps[i])) {
      v1::PlanLine& message = *lines.Add();
      message.set_sign(std::string(1, line.sign));
      message.set_command(VisibleText(line.command));
      message.set_reason(VisibleText(line.reason));
      message.set_object(VisibleText(line.object));
      if (i >= report.outcomes.size()) continue;
      const Outcome& outcome = report.outcomes[i];
      message.set_result(std::string(StepResultName(outcome.result)));
      message.set_error(VisibleText(outcome.error.message));
    }
  }
  return lines;
}

}  // namespace uplinkd
