#include "exporters/uplink_metrics.h"

#include <array>
#include <string>

#include "reconciler/failover.h"
#include "reconciler/hex.h"

namespace uplinkd {
namespace {

constexpr std::array kPhases = {UplinkPhase::kReady,    UplinkPhase::kWaiting,
                                UplinkPhase::kBlocked,  UplinkPhase::kDraining,
                                UplinkPhase::kDisabled, UplinkPhase::kDown};
constexpr std::array kHealthStates = {HealthState::kUnknown, HealthState::kUp,
                                      HealthState::kDegraded,
                                      HealthState::kDown};
// Not kRemoved: such an uplink has no series any more.
constexpr std::array kCutReasons = {CutReason::kFailover, CutReason::kDisabled,
                                    CutReason::kFailback, CutReason::kDrain};

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

double Seconds(std::chrono::system_clock::time_point time) {
  return Seconds(std::chrono::nanoseconds(time.time_since_epoch()));
}

template <typename Map, typename Key>
double CountOf(const Map& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : static_cast<double>(found->second);
}

// Calls `add(name, value)` with what the map has of each uplink.
template <typename Map, typename Add>
void ForUplinks(const MetricsSnapshot& s, const Map& map, const Add& add) {
  for (const UplinkState& uplink : s.uplinks) {
    const auto found = map.find(uplink.name);
    if (found != map.end()) add(uplink.name, found->second);
  }
}

void AddState(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_info",
           "The uplink's interface, routing table and connection mark, as "
           "labels.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    out.Add(1, {{"uplink", uplink.name},
                {"interface", uplink.interface},
                {"table", std::to_string(uplink.table)},
                {"mark", Hex(uplink.mark.value)}});
  }
  out.Open("uplinkd_uplink_up", "1 if the uplink can carry new connections.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    out.Add(uplink.phase == UplinkPhase::kReady ? 1 : 0,
            {{"uplink", uplink.name}});
  }
  out.Open("uplinkd_uplink_phase", "1 for the phase that the uplink is in.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    for (const UplinkPhase phase : kPhases) {
      out.Add(uplink.phase == phase ? 1 : 0,
              {{"uplink", uplink.name},
               {"phase", std::string(UplinkPhaseName(phase))}});
    }
  }
  out.Open("uplinkd_uplink_phase_since_timestamp_seconds",
           "When the uplink came into its phase, or was first seen in it.",
           MetricType::Gauge);
  ForUplinks(s, s.past, [&](const std::string& uplink, const UplinkPast& past) {
    out.Add(Seconds(past.since), {{"uplink", uplink}});
  });
}

void AddHealth(const MetricsSnapshot& s, Families& out) {
  const auto for_reports = [&](const auto& add) {
    ForUplinks(s, s.health, add);
  };
  out.Open("uplinkd_uplink_health",
           "1 for the state that probes find the uplink in.",
           MetricType::Gauge);
  for_reports([&](const std::string& uplink, const HealthReport& report) {
    for (const HealthState state : kHealthStates) {
      out.Add(
          report.verdict.state == state ? 1 : 0,
          {{"uplink", uplink}, {"state", std::string(HealthStateName(state))}});
    }
  });
  out.Open("uplinkd_uplink_loss_ratio",
           "Part of the probes without an answer, over the last 20 rounds.",
           MetricType::Gauge);
  for_reports([&](const std::string& uplink, const HealthReport& report) {
    if (!KnowsLoss(report)) return;
    out.Add(static_cast<double>(report.loss) / kWhole, {{"uplink", uplink}});
  });
  out.Open("uplinkd_uplink_latency_seconds",
           "How long probes take to be answered, smoothed.", MetricType::Gauge);
  for_reports([&](const std::string& uplink, const HealthReport& report) {
    if (report.latency) {
      out.Add(Seconds(*report.latency), {{"uplink", uplink}});
    }
  });
  out.Open("uplinkd_uplink_round_trip_seconds",
           "The median of the last round trips, by which uplinks are compared.",
           MetricType::Gauge);
  for_reports([&](const std::string& uplink, const HealthReport& report) {
    if (report.round_trip) {
      out.Add(Seconds(*report.round_trip), {{"uplink", uplink}});
    }
  });
}

void AddProbes(const MetricsSnapshot& s, Families& out) {
  const auto for_probes = [&](const auto& add) {
    ForUplinks(s, s.health,
               [&](const std::string& uplink, const HealthReport& report) {
                 for (const ProbeStanding& probe : report.probes) {
                   add(uplink, probe);
                 }
               });
  };
  out.Open("uplinkd_probe_success", "1 if the probe was answered last time.",
           MetricType::Gauge);
  for_probes([&](const std::string& uplink, const ProbeStanding& probe) {
    if (!probe.last) return;
    out.Add(probe.last->answered ? 1 : 0,
            {{"uplink", uplink}, {"probe", probe.name}});
  });
  out.Open("uplinkd_probe_duration_seconds",
           "How long the probe took to be answered, if it was.",
           MetricType::Gauge);
  for_probes([&](const std::string& uplink, const ProbeStanding& probe) {
    if (!probe.last || !probe.last->answered) return;
    out.Add(Seconds(probe.last->latency),
            {{"uplink", uplink}, {"probe", probe.name}});
  });
  out.Open("uplinkd_probe_loss_ratio",
           "Part of the last 20 rounds in which the probe was not answered.",
           MetricType::Gauge);
  for_probes([&](const std::string& uplink, const ProbeStanding& probe) {
    if (!probe.last) return;
    out.Add(static_cast<double>(probe.loss) / kWhole,
            {{"uplink", uplink}, {"probe", probe.name}});
  });
  out.Open("uplinkd_probes_total",
           "Probes, by whether they were answered in time.",
           MetricType::Counter);
  for_probes([&](const std::string& uplink, const ProbeStanding& probe) {
    out.Add(
        static_cast<double>(probe.answered),
        {{"uplink", uplink}, {"probe", probe.name}, {"result", "answered"}});
    out.Add(
        static_cast<double>(probe.unanswered),
        {{"uplink", uplink}, {"probe", probe.name}, {"result", "unanswered"}});
  });
}

// One family with one value per uplink, taken from the traffic of its link. An
// uplink that shares its link has none.
template <typename Value>
void AddPerLink(const MetricsSnapshot& s, Families& out, const char* name,
                const char* help, MetricType type, Value LinkTraffic::*value) {
  out.Open(name, help, type);
  ForUplinks(s, s.traffic,
             [&](const std::string& uplink, const UplinkTraffic& traffic) {
               if (!traffic.link) return;
               out.Add(static_cast<double>((*traffic.link).*value),
                       {{"uplink", uplink}});
             });
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
}

double BytesPerSecond(std::uint64_t bits_per_second) {
  return static_cast<double>(bits_per_second) / 8;
}

void AddCapacity(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_capacity_bytes_per_second",
           "The line's speed as the spec declares it.", MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    const auto add = [&](std::uint64_t bits, const char* direction) {
      if (bits == 0) return;
      out.Add(BytesPerSecond(bits),
              {{"uplink", uplink.name}, {"direction", direction}});
    };
    add(uplink.capacity.download, "receive");
    add(uplink.capacity.upload, "transmit");
  }
  out.Open("uplinkd_uplink_utilisation_ratio",
           "The rate as a part of the capacity.", MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    const auto traffic = s.traffic.find(uplink.name);
    if (traffic == s.traffic.end() || !traffic->second.link) continue;
    const auto add = [&](double rate, std::uint64_t bits,
                         const char* direction) {
      if (bits == 0) return;
      out.Add(rate / BytesPerSecond(bits),
              {{"uplink", uplink.name}, {"direction", direction}});
    };
    const LinkTraffic& link = *traffic->second.link;
    add(link.receive_bytes_per_second, uplink.capacity.download, "receive");
    add(link.transmit_bytes_per_second, uplink.capacity.upload, "transmit");
  }
}

void AddConnections(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_uplink_connections",
           "Live conntrack entries by their connection mark.",
           MetricType::Gauge);
  for (const UplinkState& uplink : s.uplinks) {
    const auto traffic = s.traffic.find(uplink.name);
    if (traffic == s.traffic.end()) continue;
    out.Add(static_cast<double>(traffic->second.connections),
            {{"uplink", uplink.name}, {"mark", Hex(uplink.mark.value)}});
  }
  out.Open("uplinkd_uplink_new_connections_total",
           "Connections that got this uplink as their fate.",
           MetricType::Counter);
  ForUplinks(s, s.traffic,
             [&](const std::string& uplink, const UplinkTraffic& traffic) {
               out.Add(static_cast<double>(traffic.new_connections),
                       {{"uplink", uplink}});
             });
  out.Open("uplinkd_uplink_new_connections_per_second",
           "Rate of new connections, averaged over the estimator's window.",
           MetricType::Gauge);
  ForUplinks(
      s, s.traffic,
      [&](const std::string& uplink, const UplinkTraffic& traffic) {
        out.Add(traffic.new_connections_per_second, {{"uplink", uplink}});
      });
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
}

void AddFailover(const MetricsSnapshot& s, Families& out) {
  out.Open("uplinkd_failovers_total",
           "Times that the uplink stopped carrying connections.",
           MetricType::Counter);
  for (const UplinkState& uplink : s.uplinks) {
    out.Add(CountOf(s.failovers, uplink.name), {{"uplink", uplink.name}});
  }
  out.Open("uplinkd_drains_total", "Times that the uplink began to drain.",
           MetricType::Counter);
  ForUplinks(s, s.past, [&](const std::string& uplink, const UplinkPast& past) {
    out.Add(static_cast<double>(past.drains), {{"uplink", uplink}});
  });
  out.Open("uplinkd_drain_deadline_timestamp_seconds",
           "When what is left on an uplink that drains will be cut.",
           MetricType::Gauge);
  ForUplinks(s, s.drain_deadlines,
             [&](const std::string& uplink, const auto& deadline) {
               out.Add(Seconds(deadline), {{"uplink", uplink}});
             });
  out.Open("uplinkd_connections_cut_total",
           "Connections that the agent ended so that they start anew on "
           "another uplink.",
           MetricType::Counter);
  for (const UplinkState& uplink : s.uplinks) {
    for (const CutReason reason : kCutReasons) {
      const std::string name(CutReasonName(reason));
      out.Add(CountOf(s.connections_cut, std::pair(uplink.name, name)),
              {{"uplink", uplink.name}, {"reason", name}});
    }
  }
}

}  // namespace

void AddUplinkMetrics(const MetricsSnapshot& snapshot, Families& out) {
  AddState(snapshot, out);
  AddHealth(snapshot, out);
  AddProbes(snapshot, out);
  AddTraffic(snapshot, out);
  AddCapacity(snapshot, out);
  AddConnections(snapshot, out);
  AddFailover(snapshot, out);
}

}  // namespace uplinkd
