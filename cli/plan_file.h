// Plan files: a spec together with what applying it was going to change.
//
// JSON of v1::PlanFile, for uplinkctl alone to read and write: made while
// people look at the plan, applied later, and refused if the kernel has moved.
#ifndef UPLINKD_CLI_PLAN_FILE_H_
#define UPLINKD_CLI_PLAN_FILE_H_

#include <string>
#include <tl/expected.hpp>

#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// On failure: one sentence that names the file, with the words of the file
// system. What was written in part then is no plan file.
tl::expected<void, std::string> WritePlanFile(const std::string& path,
                                              v1::PlanFile plan);

// Fails with one sentence that names the file if it cannot be read or is no
// plan file of this version.
tl::expected<v1::PlanFile, std::string> ReadPlanFile(const std::string& path);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_PLAN_FILE_H_
