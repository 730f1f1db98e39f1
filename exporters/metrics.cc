#include "exporters/metrics.h"

#include <array>
#include <utility>

#include "exporters/families.h"
#include "exporters/uplink_metrics.h"

namespace uplinkd {
namespace {

// What a plan's lines are about; see PlanLine.
constexpr std::array kObjects = {"route", "rule", "chain", "chain-rule",
                                 "jump"};
constexpr std::array kCauses = {Cause::kMissing, Cause::kModified,
                                Cause::kExtra};

// A point in time, unless it is the epoch, which stands for "never".
void AddTime(const char* name, const char* help,
             std::chrono::system_clock::time_point time, Families& out) {
  out.Open(name, help, MetricType::Gauge);
  if (time == std::chrono::system_clock::time_point{}) return;
  out.Add(std::chrono::duration<double>(time.time_since_epoch()).count());
}

void AddAgent(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_build_info", "The version of the agent, as a label.",
           MetricType::Gauge);
  out.Add(1, {{"version", UPLINKD_VERSION}});
  AddTime("uplinkd_start_timestamp_seconds", "When the agent started.",
          s.started, out);
  AddTime("uplinkd_snapshot_timestamp_seconds",
          "When all of this was true. It is made anew at least once a second, "
          "unless the agent waits for the kernel.",
          s.taken, out);
}

void AddSpec(const MetricsSnapshot& s, Families& out) {
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
  AddTime("uplinkd_last_in_sync_timestamp_seconds",
          "When the kernel was last seen to hold the spec.", s.last_in_sync,
          out);
  out.Open("uplinkd_programming_latency_seconds",
           "From a spec's acceptance until the kernel was seen to hold it.",
           MetricType::Histogram);
  out.Add(s.programming_latency);
}

void AddConfirm(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_confirm_deadline_timestamp_seconds",
           "When the spec is rolled back unless somebody confirms it; nothing "
           "if none waits.",
           MetricType::Gauge);
  if (s.confirm_deadline) {
    out.Add(
        std::chrono::duration<double>(s.confirm_deadline->time_since_epoch())
            .count());
  }
  out.Open("uplinkd_rollbacks_total",
           "Times that an earlier spec came back, by why: nobody confirmed the "
           "new one in time, somebody cancelled it, or asked for an old one.",
           MetricType::Counter);
  for (const auto& [reason, count] : s.rollbacks) {
    out.Add(static_cast<double>(count), {{"reason", reason}});
  }
}

void AddConditions(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_condition", "1 if the condition is true.",
           MetricType::Gauge);
  for (const auto& [type, condition] : s.conditions) {
    out.Add(condition.status == "True" ? 1 : 0, {{"type", type}});
  }
  out.Open("uplinkd_condition_info",
           "What the condition is and why, as labels; its status is True, "
           "False or Unknown.",
           MetricType::Gauge);
  for (const auto& [type, condition] : s.conditions) {
    out.Add(1, {{"type", type},
                {"status", condition.status},
                {"reason", condition.reason}});
  }
  out.Open("uplinkd_condition_since_timestamp_seconds",
           "When the status of the condition last changed.", MetricType::Gauge);
  for (const auto& [type, condition] : s.conditions) {
    out.Add(std::chrono::duration<double>(condition.since.time_since_epoch())
                .count(),
            {{"type", type}});
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
  AddTime("uplinkd_last_pass_timestamp_seconds", "When the last pass ended.",
          s.last_pass, out);
}

// Every object and cause, so that a rate sees the first of its kind.
void AddDrift(const MetricsSnapshot& s, Families& out) {
  const auto add = [&](const auto& counts) {
    for (const char* object : kObjects) {
      for (const Cause cause : kCauses) {
        const std::string name(CauseName(cause));
        const auto found = counts.find({object, name});
        out.Add(found == counts.end() ? 0 : static_cast<double>(found->second),
                {{"object", object}, {"cause", name}});
      }
    }
  };
  out.Open("uplinkd_drift_corrections_total",
           "Objects repaired that somebody else had changed.",
           MetricType::Counter);
  add(s.corrections);
  out.Open("uplinkd_pending_changes",
           "Objects that the last pass found to be wrong and did not mend.",
           MetricType::Gauge);
  add(s.pending);
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
  out.Open("uplinkd_kernel_errors_total",
           "Reads and changes that the kernel refused, by kind of error.",
           MetricType::Counter);
  for (const auto& [key, count] : s.errors) {
    out.Add(static_cast<double>(count),
            {{"operation", key.first}, {"code", key.second}});
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
  out.Open("uplinkd_interrupted_dumps_total",
           "Lists of the kernel's that changed while they were read.",
           MetricType::Counter);
  out.Add(static_cast<double>(s.kernel_costs.interrupted_dumps));
  out.Open("uplinkd_xtables_lock_wait_seconds",
           "How long an edit of a table waited for the xtables lock.",
           MetricType::Histogram);
  out.Add(s.kernel_costs.lock_waits);
  out.Open("uplinkd_xtables_lock_timeouts_total",
           "Edits that were put off since somebody held the xtables lock.",
           MetricType::Counter);
  out.Add(static_cast<double>(s.kernel_costs.lock_timeouts));
}

void AddConntrack(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_conntrack_entries", "Connections that the kernel tracks.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.conntrack_entries));
  out.Open("uplinkd_conntrack_limit",
           "The most connections that the kernel will track.",
           MetricType::Gauge);
  out.Add(static_cast<double>(s.conntrack_limit));
}

Families FamiliesOf(const MetricsSnapshot& snapshot) {
  Families families;
  AddAgent(snapshot, families);
  AddSpec(snapshot, families);
  AddConfirm(snapshot, families);
  AddConditions(snapshot, families);
  AddUplinkMetrics(snapshot, families);
  AddConntrack(snapshot, families);
  AddPasses(snapshot, families);
  AddDrift(snapshot, families);
  AddKernel(snapshot, families);
  return families;
}

std::string TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter: return "counter";
    case MetricType::Gauge: return "gauge";
    case MetricType::Histogram: return "histogram";
    case MetricType::Summary: return "summary";
    default: return "untyped";
  }
}

}  // namespace

std::string RenderMetrics(const MetricsSnapshot& snapshot) {
  return FamiliesOf(snapshot).Serialize();
}

std::vector<MetricDescription> DescribeMetrics() {
  std::vector<MetricDescription> descriptions;
  const Families families = FamiliesOf(MetricsSnapshot{});
  for (const prometheus::MetricFamily& family : families.all()) {
    descriptions.push_back({family.name, TypeName(family.type)});
  }
  return descriptions;
}

}  // namespace uplinkd
