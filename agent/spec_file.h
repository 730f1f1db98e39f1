// Spec file: the file of --spec, read into a Spec.
#ifndef UPLINKD_AGENT_SPEC_FILE_H_
#define UPLINKD_AGENT_SPEC_FILE_H_

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The spec, or every fault of the file, each as one line for a person.
tl::expected<Spec, std::vector<std::string>> LoadSpecFile(
    const std::string& path);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_FILE_H_
