// ExecutePlan: the steps of a plan, stage by stage, through a Kernel.
//
// A failed step does not stop the others, but those that rest on it are
// skipped: no fate is given to an uplink whose route or rule was refused, and
// nothing is removed that is still needed because its successor was refused.
#ifndef UPLINKD_RECONCILER_EXECUTE_H_
#define UPLINKD_RECONCILER_EXECUTE_H_

#include <vector>

#include "reconciler/kernel.h"
#include "reconciler/plan.h"
#include "reconciler/state.h"

namespace uplinkd {

// One outcome per step of `plan`, in its order.
std::vector<Outcome> ExecutePlan(const Plan& plan, Kernel& kernel);

// What `step` makes of `state` when the kernel takes it. Pure: the model that
// the report counts with. A step that does not fit changes nothing.
void ApplyStep(const Step& step, State& state);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_EXECUTE_H_
