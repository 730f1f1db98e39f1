#include "exporters/families.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <sstream>

namespace uplinkd {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

void Families::Open(const char* name, const char* help, MetricType type) {
  families_.push_back({name, help, type, {}});
}

void Families::Add(double value, Labels labels) {
  ClientMetric& metric = AddMetric(labels);
  if (families_.back().type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

void Families::Add(const DurationHistogram& histogram, Labels labels) {
  ClientMetric::Histogram& out = AddMetric(labels).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    cumulative += histogram.counts[i];
    const bool last = i == DurationHistogram::kBounds.size();
    out.bucket.push_back(
        {cumulative, last ? std::numeric_limits<double>::infinity()
                          : DurationHistogram::kBounds[i]});
  }
  out.sample_count = cumulative;
  out.sample_sum = histogram.sum;
}

std::string Families::Serialize() const {
  std::vector<MetricFamily> filled;
  std::ranges::copy_if(
      families_, std::back_inserter(filled),
      [](const MetricFamily& family) { return !family.metric.empty(); });
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, filled);
  return out.str();
}

ClientMetric& Families::AddMetric(Labels labels) {
  ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [name, value] : labels) {
    metric.label.push_back({name, value});
  }
  return metric;
}

}  // namespace uplinkd
