// Plan files: a spec together with what applying it was going to change.
//
// JSON of v1::PlanFile, for uplinkctl alone to read and write: made while
// people look at the plan, applied later, and refused if the kernel has moved.
// It ends with a checksum, since a plan does not show all of its spec: the
// targets of probes, say. That is no signature; whoever can write the file can
// make another plan.
#ifndef UPLINKD_CLI_PLAN_FILE_H_
#define UPLINKD_CLI_PLAN_FILE_H_

#include <string>
#include <tl/expected.hpp>

#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

// Whether a plan of the spec in `spec_file` ("-": standard input) may be
// written to `path`: not over that spec, nor over any other file that holds
// something else than a plan. On failure: one sentence that names `path`.
tl::expected<void, std::string> MayBecomePlanFile(const std::string& path,
                                                  const std::string& spec_file);

// On failure: one sentence that names the file, with the words of the file
// system. What was written in part then is no plan file.
tl::expected<void, std::string> WritePlanFile(const std::string& path,
                                              v1::PlanFile plan);

// Fails with one sentence that names the file if it cannot be read, is no plan
// file of this version, or was changed since it was written.
tl::expected<v1::PlanFile, std::string> ReadPlanFile(const std::string& path);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_PLAN_FILE_H_
