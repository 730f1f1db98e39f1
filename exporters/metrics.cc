#include "exporters/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <initializer_list>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

namespace uplinkd {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::initializer_list<std::pair<const char*, std::string>>;

// The families in the order in which they are written.
class Families {
 public:
  // Opens a family; the calls below add to it. One without metrics is dropped.
  void Open(const char* name, const char* help, MetricType type) {
    families_.push_back({name, help, type, {}});
  }

  void Add(double value, Labels labels = {}) {
    ClientMetric& metric = AddMetric(labels);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }

  void Add(const DurationHistogram& histogram, Labels labels) {
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

  std::string Serialize() {
    std::erase_if(families_,
                  [](const MetricFamily& f) { return f.metric.empty(); });
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  ClientMetric& AddMetric(Labels labels) {
    ClientMetric& metric = families_.back().metric.emplace_back();
    for (const auto& [name, value] : labels) {
      metric.label.push_back({name, value});
    }
    return metric;
  }

  std::vector<MetricFamily> families_;
};

std::string Hex(std::uint32_t value) {
  std::ostringstream out;
  out << "0x" << std::hex << value;
  return out.str();
}

double Seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void AddSpec(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_build_info", "The version of the agent, as a label.",
           MetricType::Gauge);
  out.Add(1, {{"version", UPLINKD_VERSION}});
  out.Open("uplinkd_spec_info", "The spec that the agent follows, as labels.",
           MetricType::Gauge);
  if (s.generation != 0) {
    out.Add(1, {{"name", s.spec_name}, {"revision", s.spec_revision}});
  }
  out.Open("uplinkd_spec_generation",
           "Generation of the accepted spec; 0 before the first one.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.generation));
  out.Open("uplinkd_observed_generation",
           "Generation that the kernel was last seen to hold.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.observed_generation));
  out.Open("uplinkd_in_sync",
           "1 if the kernel held the spec when it was last looked at.",
           MetricType::Gauge);
  out.Add(s.in_sync ? 1 : 0);
  out.Open("uplinkd_last_in_sync_timestamp_seconds",
           "When the kernel was last seen to hold the spec.",
           MetricType::Gauge);
  if (s.last_in_sync != std::chrono::system_clock::time_point{}) {
    out.Add(Seconds(s.last_in_sync));
  }
  out.Open("uplinkd_condition", "1 if the condition is true.",
           MetricType::Gauge);
  for (const auto& [type, is_true] : s.conditions) {
    out.Add(is_true ? 1 : 0, {{"type", type}});
  }
}

void AddUplinkState(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_up", "1 if the uplink can carry new connections.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    out.Add(uplink.phase == UplinkPhase::kReady ? 1 : 0,
            {{"uplink", uplink.name}});
  }
  out.Open("uplinkd_uplink_capacity_bytes_per_second",
           "The line's speed as the spec declares it.", MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    const auto add = [&](std::uint64_t bits, const char* direction) {
      if (bits == 0) return;
      out.Add(static_cast<double>(bits) / 8,
              {{"uplink", uplink.name}, {"direction", direction}});
    };
    add(uplink.capacity.download, "receive");
    add(uplink.capacity.upload, "transmit");
  }
}

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

void AddHealth(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_loss_ratio",
           "Part of the probes without an answer, over the last 20 rounds.",
           MetricType::Gauge);
  for (const auto& [uplink, report] : s.health) {
    out.Add(static_cast<double>(report.loss) / kWhole, {{"uplink", uplink}});
  }
  out.Open("uplinkd_uplink_latency_seconds",
           "How long probes take to be answered, smoothed.", MetricType::Gauge);
  for (const auto& [uplink, report] : s.health) {
    if (!report.latency) continue;
    out.Add(Seconds(*report.latency), {{"uplink", uplink}});
  }
  out.Open("uplinkd_probe_success", "1 if the probe was answered last time.",
           MetricType::Gauge);
  for (const auto& [uplink, report] : s.health) {
    for (const ProbeStanding& probe : report.probes) {
      if (!probe.last) continue;
      out.Add(probe.last->answered ? 1 : 0,
              {{"uplink", uplink}, {"probe", probe.name}});
    }
  }
  out.Open("uplinkd_probe_duration_seconds",
           "How long the probe took to be answered, if it was.",
           MetricType::Gauge);
  for (const auto& [uplink, report] : s.health) {
    for (const ProbeStanding& probe : report.probes) {
      if (!probe.last || !probe.last->answered) continue;
      out.Add(Seconds(probe.last->latency),
              {{"uplink", uplink}, {"probe", probe.name}});
    }
  }
}

// One family with one value per uplink, taken from the traffic of its link. An
// uplink that shares its link has none.
template <typename Value>
void AddPerLink(const MetricsSnapshot& s, Families& out, const char* name,
                const char* help, MetricType type, Value LinkTraffic::*value) {
  out.Open(name, help, type);
  for (const auto& [uplink, traffic] : s.traffic) {
    if (!traffic.link) continue;
    out.Add(static_cast<double>((*traffic.link).*value), {{"uplink", uplink}});
  }
}

void AddTraffic(const MetricsSnapshot& s, Families& out) {
  AddPerLink(s, out, "uplinkd_uplink_receive_bytes_total",
             "Bytes received by the uplink's link.", MetricType::Counter,
             &LinkTraffic::receive_bytes);
  AddPerLink(s, out, "uplinkd_uplink_transmit_bytes_total",
             "Bytes sent by the uplink's link.", MetricType::Counter,
             &LinkTraffic::transmit_bytes);
  AddPerLink(s, out, "uplinkd_uplink_receive_bytes_per_second",
             "Receive rate, averaged over the estimator's window.",
             MetricType::Gauge, &LinkTraffic::receive_bytes_per_second);
  AddPerLink(s, out, "uplinkd_uplink_transmit_bytes_per_second",
             "Transmit rate, averaged over the estimator's window.",
             MetricType::Gauge, &LinkTraffic::transmit_bytes_per_second);
  out.Open("uplinkd_uplink_new_connections_total",
           "Connections that got this uplink as their fate.",
           MetricType::Counter);
  for (const auto& [uplink, traffic] : s.traffic) {
    out.Add(static_cast<double>(traffic.new_connections), {{"uplink", uplink}});
  }
}

void AddShares(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_connections",
           "Live conntrack entries by their connection mark.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    const auto traffic = s.traffic.find(uplink.name);
    if (traffic == s.traffic.end()) continue;
    out.Add(static_cast<double>(traffic->second.connections),
            {{"uplink", uplink.name}, {"mark", Hex(uplink.mark.value)}});
  }
  out.Open("uplinkd_uplink_share_ratio",
           "Part of the new connections: as intended, and as achieved.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    out.Add(uplink.share, {{"uplink", uplink.name}, {"kind", "intended"}});
    const auto traffic = s.traffic.find(uplink.name);
    if (traffic == s.traffic.end()) continue;
    out.Add(traffic->second.achieved_share,
            {{"uplink", uplink.name}, {"kind", "achieved"}});
  }
  out.Open("uplinkd_conntrack_entries", "Connections that the kernel tracks.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.conntrack_entries));
  out.Open("uplinkd_conntrack_limit",
           "The most connections that the kernel will track.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.conntrack_limit));
}

void AddFailover(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_failovers_total",
           "Times that the uplink stopped carrying connections.",
           MetricType::Counter);
  for (const auto& [uplink, count] : s.failovers) {
    out.Add(static_cast<double>(count), {{"uplink", uplink}});
  }
  out.Open("uplinkd_connections_cut_total",
           "Connections that the agent ended so that they start anew on "
           "another uplink.",
           MetricType::Counter);
  for (const auto& [key, count] : s.connections_cut) {
    out.Add(static_cast<double>(count),
            {{"uplink", key.first}, {"reason", key.second}});
  }
}

void AddPasses(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_passes_total",
           "Passes over the whole line, by what came of them and what made "
           "them due.",
           MetricType::Counter);
  for (const auto& [key, count] : s.passes) {
    out.Add(static_cast<double>(count),
            {{"result", key.first}, {"trigger", key.second}});
  }
  out.Open("uplinkd_pass_duration_seconds", "How long a phase of a pass took.",
           MetricType::Histogram);
  for (const auto& [phase, histogram] : s.pass_durations) {
    out.Add(histogram, {{"phase", std::string(PassPhaseName(phase))}});
  }
  out.Open("uplinkd_drift_corrections_total",
           "Objects repaired that somebody else had changed.",
           MetricType::Counter);
  for (const auto& [key, count] : s.corrections) {
    out.Add(static_cast<double>(count),
            {{"object", key.first}, {"cause", key.second}});
  }
}

void AddKernel(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_kernel_operations_total",
           "Changes asked of the kernel, by what came of them.",
           MetricType::Counter);
  for (const auto& [key, count] : s.operations) {
    const auto& [object, operation, result] = key;
    out.Add(static_cast<double>(count),
            {{"object", object}, {"operation", operation}, {"result", result}});
  }
  out.Open("uplinkd_objects", "Objects of ours in the kernel.",
           MetricType::Gauge);
  for (const auto& [object, count] : s.objects) {
    out.Add(static_cast<double>(count), {{"object", object}});
  }
  out.Open("uplinkd_foreign_routes",
           "Routes in the uplinks' tables that are not ours.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.foreign_routes));
  out.Open("uplinkd_netlink_overruns_total",
           "Times that the event socket lost events and all was read again.",
           MetricType::Counter);
  out.Add(static_cast<double>(s.netlink_overruns));
  out.Open("uplinkd_xtables_lock_wait_seconds_total",
           "Time spent waiting for the xtables lock.", MetricType::Counter);
  out.Add(s.lock_wait_seconds);
}

}  // namespace

std::string RenderMetrics(const MetricsSnapshot& snapshot) {
  Families families;
  AddSpec(snapshot, families);
  AddUplinkState(snapshot, families);
  AddHealth(snapshot, families);
  AddTraffic(snapshot, families);
  AddShares(snapshot, families);
  AddFailover(snapshot, families);
  AddPasses(snapshot, families);
  AddKernel(snapshot, families);
  return families.Serialize();
}

}  // namespace uplinkd
