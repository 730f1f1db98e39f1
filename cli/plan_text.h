// Plans as text: a line per change, its sign, its command and its reason.
#ifndef UPLINKD_CLI_PLAN_TEXT_H_
#define UPLINKD_CLI_PLAN_TEXT_H_

#include <string>

#include "cli/screen.h"
#include "proto/plan_lines.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// "+ ip route add ...  # the uplink's default route". A result other than
// done follows on a line of its own, with the kernel's words.
void PrintPlan(const PlanLines& plan, const Screen& screen);

// One line without a line end, for streams.
AsItIs OneLine(const v1::PlanLine& line, const Screen& screen);

// "12 created, 1 replaced, 2 removed"; "nothing to do" for no lines.
std::string CountChanges(const PlanLines& plan);
// The summary of a dry run.
std::string CountDryRun(const PlanLines& plan);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_PLAN_TEXT_H_
