// What policies ask of a spec: a part of Validate(). Pure.
#ifndef UPLINKD_RECONCILER_VALIDATE_POLICY_H_
#define UPLINKD_RECONCILER_VALIDATE_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "reconciler/spec.h"

namespace uplinkd {

inline constexpr std::uint32_t kMaxWeight = 65535;

// "spec.uplinks[1]"
std::string Index(const std::string& list, std::size_t index);

// Why uplink `name` cannot stand without a known capacity in this direction;
// "" if it can.
std::string WhyCapacityIsNeeded(const Spec& spec, const std::string& name,
                                std::uint64_t Capacity::*direction);

// What the kernel's rate estimators cannot compare of the capacities of uplink
// `name`, whose path is `path`.
std::vector<Violation> CheckMeasurable(const Spec& spec,
                                       const std::string& name,
                                       const Capacity& capacity,
                                       const std::string& path);

// What lowest-latency misses of `uplink`, whose path is `path`.
std::vector<Violation> CheckRoundTrip(const Spec& spec, const Uplink& uplink,
                                      const std::string& path);

// The faults of the default policy, then of the others.
std::vector<Violation> CheckPolicies(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_VALIDATE_POLICY_H_
