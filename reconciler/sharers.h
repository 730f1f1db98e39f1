// Sharers: uplinks that have one interface together, each with its own gateway,
// such as two modems on one switch.
//
// What tells them apart is never the interface: what goes out by one has its
// fate, what comes in by one is for its address. Pure.
#ifndef UPLINKD_RECONCILER_SHARERS_H_
#define UPLINKD_RECONCILER_SHARERS_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "reconciler/ip.h"
#include "reconciler/spec.h"

namespace uplinkd {

// Whether another uplink has the interface of `uplink` in that family. What
// state the two are in makes no difference: that one of them is disabled
// changes nothing for the other.
bool SharesInterface(const Spec& spec, const Uplink& uplink, Family family);

// The same in any family: counters of the interface are not those of the
// uplink.
bool SharesInterface(const Spec& spec, const Uplink& uplink);

// A part of Validate(): what spec.uplinks[index] lacks to be told apart from
// those that share its interface.
std::vector<Violation> CheckSharer(const Spec& spec, std::size_t index);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SHARERS_H_
