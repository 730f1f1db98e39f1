// What traffic rules ask of a spec: a part of Validate(). Pure.
#ifndef UPLINKD_RECONCILER_VALIDATE_TRAFFIC_H_
#define UPLINKD_RECONCILER_VALIDATE_TRAFFIC_H_

#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The faults of the traffic rules, in the order of their fields.
std::vector<Violation> CheckTraffic(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_VALIDATE_TRAFFIC_H_
