// UplinkMetrics: the families that have a value for each uplink.
//
// Only of the uplinks of the snapshot's `uplinks`: what else it knows is of
// uplinks that the spec no longer has. Counters begin at 0, not when they first
// count, so that a rate sees the first one. Pure.
#ifndef UPLINKD_EXPORTERS_UPLINK_METRICS_H_
#define UPLINKD_EXPORTERS_UPLINK_METRICS_H_

#include "exporters/families.h"
#include "exporters/snapshot.h"

namespace uplinkd {

void AddUplinkMetrics(const MetricsSnapshot& snapshot, Families& out);

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_UPLINK_METRICS_H_
