// Spec file: the file of --spec, read into a Spec.
#ifndef UPLINKD_AGENT_SPEC_FILE_H_
#define UPLINKD_AGENT_SPEC_FILE_H_

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The spec, or every fault of the file, each as one line for a person. Nothing:
// the file holds no more than white space and comments, and `allow_empty` says
// that this means something; else it is a fault.
tl::expected<std::optional<Spec>, std::vector<std::string>> LoadSpecFile(
    const std::string& path, bool allow_empty);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_FILE_H_
