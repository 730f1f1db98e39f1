// MetricsSnapshot: all that the exporter may say, as one immutable value.
//
// The agent's kernel thread makes a new one after each pass and each look at
// the counters; scrapes read the last one and never wait for the kernel.
#ifndef UPLINKD_EXPORTERS_SNAPSHOT_H_
#define UPLINKD_EXPORTERS_SNAPSHOT_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/reconcile.h"

namespace uplinkd {

// A cumulative histogram with fixed bounds, in seconds.
struct DurationHistogram {
  static constexpr std::array<double, 12> kBounds = {
      0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
      0.01,   0.025,   0.05,   0.1,   0.5,    1.0};
  std::array<std::uint64_t, kBounds.size() + 1> counts{};  // last: +Inf
  double sum = 0;

  void Observe(std::chrono::nanoseconds duration);
};

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
};

struct MetricsSnapshot {
  std::string spec_name;
  std::string spec_revision;
  std::uint64_t generation = 0;
  std::uint64_t observed_generation = 0;
  bool in_sync = false;
  std::chrono::system_clock::time_point last_in_sync;  // epoch: never
  std::vector<UplinkState> uplinks;
  std::map<std::string, UplinkTraffic> traffic;  // by uplink name
  std::map<std::string, HealthReport> health;    // of those that are probed
  // {result, trigger} -> passes
  std::map<std::pair<std::string, std::string>, std::uint64_t> passes;
  std::map<PassPhase, DurationHistogram> pass_durations;
  // {object, cause} -> repairs of drift (a new spec is not drift)
  std::map<std::pair<std::string, std::string>, std::uint64_t> corrections;
  // {object, operation, result} -> steps executed
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>
      operations;
  std::map<std::string, std::uint64_t> failovers;  // by uplink
  // {uplink, reason} -> connections that the agent ended
  std::map<std::pair<std::string, std::string>, std::uint64_t> connections_cut;
  std::map<std::string, std::size_t> objects;  // owned, by kind
  std::size_t foreign_routes = 0;
  std::uint64_t netlink_overruns = 0;
  double lock_wait_seconds = 0;
  std::map<std::string, bool> conditions;  // type -> is true
  std::uint64_t conntrack_entries = 0;
  std::uint64_t conntrack_limit = 0;
};

using SnapshotPointer = std::shared_ptr<const MetricsSnapshot>;

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_SNAPSHOT_H_
