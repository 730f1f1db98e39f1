// Families: metric families under construction, and their text.
//
// They are written in the order in which they were opened. For one thread.
#ifndef UPLINKD_EXPORTERS_FAMILIES_H_
#define UPLINKD_EXPORTERS_FAMILIES_H_

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/duration_histogram.h"

namespace uplinkd {

using prometheus::MetricType;

class Families {
 public:
  using Labels = std::initializer_list<std::pair<const char*, std::string>>;

  // Opens a family; the calls below add to it.
  void Open(const char* name, const char* help, MetricType type);

  void Add(double value, Labels labels = {});
  void Add(const DurationHistogram& histogram, Labels labels = {});

  // In the Prometheus text format. A family without metrics is left out.
  std::string Serialize() const;

  const std::vector<prometheus::MetricFamily>& all() const { return families_; }

 private:
  prometheus::ClientMetric& AddMetric(Labels labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_FAMILIES_H_
