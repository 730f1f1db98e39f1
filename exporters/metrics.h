// Metrics: a MetricsSnapshot in the Prometheus text format (version 0.0.4).
//
// The exporter is the only place that names a metric. Pure: a view of the
// snapshot, without counters or a clock of its own. Every label has few values:
// the spec's uplinks and probes, and words of ours.
#ifndef UPLINKD_EXPORTERS_METRICS_H_
#define UPLINKD_EXPORTERS_METRICS_H_

#include <string>
#include <vector>

#include "exporters/snapshot.h"

namespace uplinkd {

std::string RenderMetrics(const MetricsSnapshot& snapshot);

struct MetricDescription {
  std::string name;
  std::string type;  // "counter"

  friend auto operator<=>(const MetricDescription&,
                          const MetricDescription&) = default;
};

// Every family that RenderMetrics() can write, in its order.
std::vector<MetricDescription> DescribeMetrics();

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_METRICS_H_
