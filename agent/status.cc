#include "agent/status.h"

#include "agent/wire.h"
#include "proto/text_check.h"

namespace uplinkd {
namespace {

using Clock = std::chrono::system_clock;

void FillTraffic(const UplinkTraffic& traffic, v1::UplinkStatus& status) {
  status.set_achieved_share(traffic.achieved_share);
  status.set_connections(traffic.connections);
  if (!traffic.link) return;
  const LinkTraffic& link = *traffic.link;
  status.set_receive_bytes_per_second(link.receive_bytes_per_second);
  status.set_transmit_bytes_per_second(link.transmit_bytes_per_second);
  status.set_receive_bytes(link.receive_bytes);
  status.set_transmit_bytes(link.transmit_bytes);
}

void FillUplink(const UplinkState& uplink, v1::UplinkStatus& status) {
  status.set_name(uplink.name);
  status.set_id(uplink.id);
  status.set_interface(uplink.interface);
  if (uplink.address) status.set_address(uplink.address->ToString());
  if (uplink.gateway) status.set_gateway(uplink.gateway->ToString());
  if (uplink.address6) status.set_address6(uplink.address6->ToString());
  if (uplink.gateway6) status.set_gateway6(uplink.gateway6->ToString());
  if (uplink.prefix6) status.set_prefix6(uplink.prefix6->ToString());
  status.set_phase(std::string(UplinkPhaseName(uplink.phase)));
  status.set_reason(VisibleText(uplink.reason));
  status.set_mark(uplink.mark.value);
  status.set_mark_mask(uplink.mark.mask);
  status.set_table(uplink.table);
  status.set_intended_share(uplink.share);
  v1::Capacity& capacity = *status.mutable_capacity();
  capacity.mutable_download()->set_bits_per_second(uplink.capacity.download);
  capacity.mutable_upload()->set_bits_per_second(uplink.capacity.upload);
}

// Whether probes find a way out: see ProbePathOf().
bool IsProbed(const UplinkState& uplink) {
  return uplink.phase != UplinkPhase::kWaiting &&
         uplink.phase != UplinkPhase::kDisabled &&
         (uplink.address || uplink.address6);
}

// What probes say of the uplinks now. The last verdict on one that they cannot
// ask holds until it can be asked again, but it says nothing of its line.
HealthReports HealthOf(const Standing& standing) {
  HealthReports reports = standing.health;
  for (const UplinkState& uplink : standing.uplinks) {
    const auto found = reports.find(uplink.name);
    if (found == reports.end() || IsProbed(uplink)) continue;
    HealthReport& report = found->second;
    report.verdict = {};
    report.latency.reset();
    report.round_trip.reset();
    for (ProbeStanding& probe : report.probes) probe.last.reset();
  }
  return reports;
}

void FillHealth(const HealthReport& report, v1::HealthStatus& status) {
  status.set_state(std::string(HealthStateName(report.verdict.state)));
  status.set_reason(VisibleText(report.verdict.reason));
  if (KnowsLoss(report)) {
    status.set_loss(static_cast<double>(report.loss) / kWhole);
  }
  if (report.latency) *status.mutable_latency() = ToProto(*report.latency);
  for (const ProbeStanding& probe : report.probes) {
    v1::ProbeStatus& message = *status.add_probes();
    message.set_name(probe.name);
    if (!probe.last) continue;
    message.set_answered(probe.last->answered);
    if (probe.last->answered) {
      *message.mutable_latency() = ToProto(probe.last->latency);
    }
    message.set_fault(probe.last->fault);
  }
}

void FillCondition(const std::string& type, const Condition& condition,
                   v1::Condition& message) {
  message.set_type(type);
  message.set_status(std::string(TruthName(condition.verdict.status)));
  message.set_reason(condition.verdict.reason);
  message.set_message(VisibleText(condition.verdict.message));
  *message.mutable_last_transition() = ToProto(condition.last_transition);
  message.set_observed_generation(condition.observed_generation);
}

}  // namespace

v1::Status BuildStatus(const Standing& standing, const Conditions& conditions,
                       const Tally& tally) {
  v1::Status status;
  if (standing.spec != nullptr) {
    status.set_name(standing.spec->spec.name);
    status.set_revision(standing.spec->spec.revision);
    status.set_generation(standing.spec->generation);
  }
  if (standing.confirm) {
    *status.mutable_pending_confirm() = *standing.confirm;
  }
  status.set_observed_generation(standing.observed_generation);
  for (const auto& [type, condition] : conditions.all()) {
    FillCondition(type, condition, *status.add_conditions());
  }
  const HealthReports reports = HealthOf(standing);
  for (const UplinkState& uplink : standing.uplinks) {
    v1::UplinkStatus& message = *status.add_uplinks();
    FillUplink(uplink, message);
    const auto traffic = standing.traffic.find(uplink.name);
    if (traffic != standing.traffic.end()) {
      FillTraffic(traffic->second, message);
    }
    const auto health = reports.find(uplink.name);
    if (health != reports.end()) {
      FillHealth(health->second, *message.mutable_health());
    }
  }
  for (const std::string& warning : standing.warnings) {
    status.add_warnings(VisibleText(warning));
  }
  if (standing.last_pass != Clock::time_point{}) {
    *status.mutable_last_pass() = ToProto(standing.last_pass);
  }
  if (standing.last_in_sync != Clock::time_point{}) {
    *status.mutable_last_in_sync() = ToProto(standing.last_in_sync);
  }
  if (standing.published != Clock::time_point{}) {
    *status.mutable_published() = ToProto(standing.published);
  }
  status.set_corrections(tally.corrections());
  status.set_agent_version(UPLINKD_VERSION);
  return status;
}

MetricsSnapshot BuildMetrics(const Standing& standing,
                             const Conditions& conditions, const Tally& tally) {
  MetricsSnapshot snapshot;
  snapshot.taken = standing.published;
  snapshot.started = standing.started;
  snapshot.last_pass = standing.last_pass;
  if (standing.spec != nullptr) {
    snapshot.spec_name = standing.spec->spec.name;
    snapshot.spec_revision = standing.spec->spec.revision;
    snapshot.generation = standing.spec->generation;
  }
  if (standing.confirm) {
    snapshot.confirm_deadline = FromProto(standing.confirm->deadline());
  }
  snapshot.observed_generation = standing.observed_generation;
  snapshot.in_sync = standing.in_sync;
  snapshot.last_in_sync = standing.last_in_sync;
  snapshot.uplinks = standing.uplinks;
  snapshot.traffic = standing.traffic;
  snapshot.health = HealthOf(standing);
  snapshot.past = standing.past;
  snapshot.drain_deadlines = standing.drain_deadlines;
  snapshot.pending = standing.pending;
  tally.WriteTo(snapshot);
  snapshot.objects = standing.objects;
  snapshot.foreign_routes = standing.foreign_routes;
  snapshot.netlink_overruns = standing.overruns;
  snapshot.kernel_costs = standing.kernel_costs;
  for (const auto& [type, condition] : conditions.all()) {
    snapshot.conditions[type] = {
        std::string(TruthName(condition.verdict.status)),
        condition.verdict.reason, condition.last_transition};
  }
  snapshot.conntrack_entries = standing.conntrack.entries;
  snapshot.conntrack_limit = standing.conntrack.limit;
  return snapshot;
}

}  // namespace uplinkd
