// The health of an uplink: a part of the conversion between the outside's
// message and the core's Spec. Pure.
#ifndef UPLINKD_PROTO_CONVERT_HEALTH_H_
#define UPLINKD_PROTO_CONVERT_HEALTH_H_

#include <string>
#include <vector>

#include "reconciler/spec.h"
#include "uplinkd/v1/spec.pb.h"

namespace uplinkd {

// The health that `source`, whose path is `path`, asks for, every default
// filled in. What cannot be read is added to `faults`; something else stands in
// for it, so that the indices of the others stay.
Health HealthFromProto(const v1::Health& source, const std::string& path,
                       std::vector<Violation>& faults);

void HealthToProto(const Health& health, v1::Health& to);

}  // namespace uplinkd

#endif  // UPLINKD_PROTO_CONVERT_HEALTH_H_
