// What the health of an uplink asks of a spec: a part of Validate(). Pure.
#ifndef UPLINKD_RECONCILER_VALIDATE_HEALTH_H_
#define UPLINKD_RECONCILER_VALIDATE_HEALTH_H_

#include <string>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The faults of `health` of `uplink`, whose path is `path`:
// "spec.uplinks[0].health".
std::vector<Violation> CheckHealth(const Spec& spec, const Uplink& uplink,
                                   const Health& health,
                                   const std::string& path);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_VALIDATE_HEALTH_H_
