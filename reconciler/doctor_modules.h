// What of iptables a kernel does not have, for the doctor. Pure.
#ifndef UPLINKD_RECONCILER_DOCTOR_MODULES_H_
#define UPLINKD_RECONCILER_DOCTOR_MODULES_H_

#include <vector>

#include "reconciler/doctor.h"

namespace uplinkd {

// The legacy tables, matches and targets that `host` lacks, with the commands
// that load their modules.
std::vector<Finding> FindMissingModules(const HostFacts& host);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_DOCTOR_MODULES_H_
