// ExpectedPlan: what a client was told that applying a spec would change.
//
// The kernel may have moved since; then the spec is not applied, and the answer
// says what is different. Pure.
#ifndef UPLINKD_AGENT_EXPECTED_PLAN_H_
#define UPLINKD_AGENT_EXPECTED_PLAN_H_

#include <string>
#include <vector>

#include "reconciler/plan.h"
#include "reconciler/result.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// Sign and command of each line: "+ ip rule add ...". In any order.
using ExpectedPlan = std::vector<std::string>;

ExpectedPlan ExpectedFromProto(const v1::ExpectedPlan& message);

// Fails with kAborted if `plan` has other lines; the words tell how many, and
// the first of them.
Result<void> JudgePlan(ExpectedPlan expected, const Plan& plan);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_EXPECTED_PLAN_H_
