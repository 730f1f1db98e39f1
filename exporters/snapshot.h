// MetricsSnapshot: all that the exporter may say, as one immutable value.
//
// The agent's kernel thread makes a new one after each pass and each look at
// the counters; scrapes read the last one and never wait for the kernel.
#ifndef UPLINKD_EXPORTERS_SNAPSHOT_H_
#define UPLINKD_EXPORTERS_SNAPSHOT_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/duration_histogram.h"
#include "reconciler/kernel.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

struct LinkTraffic {
  std::uint64_t receive_bytes = 0;
  std::uint64_t transmit_bytes = 0;
  double receive_bytes_per_second = 0;
  double transmit_bytes_per_second = 0;
};

struct UplinkTraffic {
  // None: other uplinks are on its link as well, and nothing counts apart.
  std::optional<LinkTraffic> link = LinkTraffic();
  std::uint64_t connections = 0;      // live conntrack entries with its mark
  std::uint64_t new_connections = 0;  // fates given since the agent started
  double achieved_share = 0;          // of new connections, recently
  double new_connections_per_second = 0;
};

// What an uplink went through since the agent started.
struct UplinkPast {
  UplinkPhase phase = UplinkPhase::kWaiting;
  std::chrono::system_clock::time_point since;  // when that phase began
  std::uint64_t drains = 0;                     // how often one began
};

struct ConditionState {
  std::string status;  // "True"
  std::string reason;  // "InSync"
  std::chrono::system_clock::time_point since;
};

struct MetricsSnapshot {
  // The epoch stands for "never".
  std::chrono::system_clock::time_point taken;    // when this was made
  std::chrono::system_clock::time_point started;  // when the agent was
  std::chrono::system_clock::time_point last_pass;
  std::chrono::system_clock::time_point last_in_sync;
  std::string spec_name;
  std::string spec_revision;
  std::optional<std::chrono::system_clock::time_point> confirm_deadline;
  std::map<std::string, std::uint64_t> rollbacks;  // by reason
  std::uint64_t generation = 0;
  std::uint64_t observed_generation = 0;
  bool in_sync = false;
  std::vector<UplinkState> uplinks;
  std::map<std::string, UplinkTraffic> traffic;  // by uplink name
  std::map<std::string, HealthReport> health;    // of those that are probed
  // {result, trigger} -> passes
  std::map<std::pair<std::string, std::string>, std::uint64_t> passes;
  std::map<PassPhase, DurationHistogram> pass_durations;
  DurationHistogram programming_latency;  // spec accepted -> in sync
  // {object, cause} -> repairs of drift (a new spec is not drift)
  std::map<std::pair<std::string, std::string>, std::uint64_t> corrections;
  // {object, operation, result} -> steps executed
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>
      operations;
  // {operation or "read", code} -> what the kernel refused
  std::map<std::pair<std::string, std::string>, std::uint64_t> errors;
  // {object, cause} -> what the last pass found to be done and did not do
  std::map<std::pair<std::string, std::string>, std::uint64_t> pending;
  std::map<std::string, UplinkPast> past;          // by uplink
  std::map<std::string, std::uint64_t> failovers;  // by uplink
  // {uplink, reason} -> connections that the agent ended
  std::map<std::pair<std::string, std::string>, std::uint64_t> connections_cut;
  std::map<std::string, std::size_t> objects;  // owned, by kind
  std::size_t foreign_routes = 0;
  std::uint64_t netlink_overruns = 0;
  KernelCosts kernel_costs;
  std::map<std::string, ConditionState> conditions;  // by type
  // By uplink, of drains that have one and are not over.
  std::map<std::string, std::chrono::system_clock::time_point> drain_deadlines;
  std::uint64_t conntrack_entries = 0;
  std::uint64_t conntrack_limit = 0;
};

using SnapshotPointer = std::shared_ptr<const MetricsSnapshot>;

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_SNAPSHOT_H_
