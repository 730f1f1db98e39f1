// Metrics: a MetricsSnapshot in the Prometheus text format (version 0.0.4).
//
// The only place that names a metric. Pure: a view of the snapshot, without
// counters of its own.
#ifndef UPLINKD_EXPORTERS_METRICS_H_
#define UPLINKD_EXPORTERS_METRICS_H_

#include <string>

#include "exporters/snapshot.h"

namespace uplinkd {

std::string RenderMetrics(const MetricsSnapshot& snapshot);

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_METRICS_H_
