// FullSnapshot: a snapshot that makes every family of the exporter appear.
#ifndef UPLINKD_TESTS_EXPORTERS_FULL_SNAPSHOT_H_
#define UPLINKD_TESTS_EXPORTERS_FULL_SNAPSHOT_H_

#include <chrono>

#include "exporters/snapshot.h"

namespace uplinkd::testing {

// Two uplinks, wan1 and wan2, with everything that can be known of them.
inline MetricsSnapshot FullSnapshot() {
  using namespace std::chrono_literals;
  const std::chrono::system_clock::time_point time(1'700'000'000s);
  MetricsSnapshot s;
  s.taken = s.started = s.last_pass = s.last_in_sync = time;
  s.spec_name = "office";
  s.spec_revision = "git:1";
  s.generation = s.observed_generation = 3;
  s.in_sync = true;
  for (const char* name : {"wan1", "wan2"}) {
    UplinkState uplink;
    uplink.name = uplink.interface = name;
    uplink.phase = UplinkPhase::kReady;
    uplink.capacity = {40'000'000, 10'000'000};
    s.uplinks.push_back(uplink);
    s.traffic[name] = {LinkTraffic{1000, 2000, 12.5, 25}, 7, 9, 0.75, 0.5};
    HealthReport& health = s.health[name];
    health.latency = health.round_trip = 12ms;
    health.probes = {
        {"icmp 192.0.2.53", ProbeResult{true, 12ms, ""}, 0, 100, 2}};
    s.past[name] = {UplinkPhase::kReady, time, 1};
    s.failovers[name] = 1;
    s.connections_cut[{name, "failover"}] = 5;
    s.drain_deadlines[name] = time;
  }
  s.passes[{"in-sync", "poll"}] = 1;
  s.pass_durations[PassPhase::kObserve].Observe(1ms);
  s.programming_latency.Observe(20ms);
  s.corrections[{"rule", "missing"}] = 1;
  s.pending[{"route", "missing"}] = 1;
  s.operations[{"rule", "create", "done"}] = 1;
  s.errors[{"read", "aborted"}] = 1;
  s.objects["route"] = 4;
  s.kernel_costs.lock_waits.Observe(1ms);
  s.conditions["Ready"] = {"True", "InSync", time};
  s.conntrack_entries = 5;
  s.conntrack_limit = 1000;
  s.confirm_deadline = time;
  s.rollbacks["timeout"] = 1;
  return s;
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_EXPORTERS_FULL_SNAPSHOT_H_
