// Status: where the agent stands, for clients and for the exporter.
//
// Pure: one value in, a message or a snapshot out.
#ifndef UPLINKD_AGENT_STATUS_H_
#define UPLINKD_AGENT_STATUS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/conditions.h"
#include "agent/health_monitor.h"
#include "agent/spec_store.h"
#include "agent/tally.h"
#include "exporters/snapshot.h"
#include "reconciler/compile.h"
#include "reconciler/linux/statistics.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

struct Standing {
  const StoredSpec* spec = nullptr;          // null: none
  std::optional<v1::ConfirmStatus> confirm;  // if the spec waits
  std::uint64_t observed_generation = 0;
  bool in_sync = false;
  // Of the last pass that could read.
  std::vector<UplinkState> uplinks;
  std::vector<std::string> warnings;
  std::map<std::string, std::size_t> objects;
  std::size_t foreign_routes = 0;
  // The epoch stands for "never".
  std::chrono::system_clock::time_point last_pass;
  std::chrono::system_clock::time_point last_in_sync;
  std::map<std::string, UplinkTraffic> traffic;
  HealthReports health;
  ConntrackUsage conntrack;
  std::uint64_t overruns = 0;
  KernelCosts kernel_costs;
  std::map<std::pair<std::string, std::string>, std::uint64_t> pending;
  std::map<std::string, UplinkPast> past;  // by uplink
  std::map<std::string, std::chrono::system_clock::time_point> drain_deadlines;
  std::chrono::system_clock::time_point published;  // when this is
  std::chrono::system_clock::time_point started;    // when the agent was
};

v1::Status BuildStatus(const Standing& standing, const Conditions& conditions,
                       const Tally& tally);

MetricsSnapshot BuildMetrics(const Standing& standing,
                             const Conditions& conditions, const Tally& tally);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_STATUS_H_
