// What an uplink carries, and the fields that mean something for one family
// alone: a part of Validate().
#ifndef UPLINKD_RECONCILER_VALIDATE_FAMILIES_H_
#define UPLINKD_RECONCILER_VALIDATE_FAMILIES_H_

#include <cstddef>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

// The faults of spec.uplinks[index], in the order of its fields.
std::vector<Violation> CheckFamilies(const Spec& spec, std::size_t index);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_VALIDATE_FAMILIES_H_
