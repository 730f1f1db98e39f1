// HealthMonitor: probes every uplink that is to be probed, all the time.
//
//   spec and path of each uplink  ->  rounds of probes  ->  HealthReports
//
// It has a thread of its own and never waits for the engine, nor the engine for
// it: the engine says what to watch after each pass, is called back when a
// verdict changed, and reads the reports when it likes. The thread begins with
// the first uplink that is to be probed, in the network namespace of the thread
// that says so.
//
// A round asks all probes of an uplink at once and ends when each has answered
// or timed out. Where the path is gone there are no rounds; where it is another
// one, the round under way is dropped and the next follows at once.
#ifndef UPLINKD_AGENT_HEALTH_MONITOR_H_
#define UPLINKD_AGENT_HEALTH_MONITOR_H_

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/log_limiter.h"
#include "agent/probe.h"
#include "reconciler/health.h"

namespace uplinkd {

struct WatchedUplink {
  Health health;
  std::optional<ProbePath> path;  // none: it cannot be probed now

  friend auto operator<=>(const WatchedUplink&, const WatchedUplink&) = default;
};
using WatchedUplinks = std::map<std::string, WatchedUplink>;  // by name
using HealthReports = std::map<std::string, HealthReport>;    // by uplink

// What begins a probe: StartProbe(), or what a test has instead.
using ProbeStarter = std::function<std::unique_ptr<ProbeRun>(
    asio::io_context&, const ProbeOrder&, ProbeDone)>;

class HealthMonitor {
 public:
  // `changed` is called in the monitor's thread when a verdict changed.
  HealthMonitor(ProbeStarter start_probe, std::function<void()> changed);
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;
  ~HealthMonitor();

  // From now on these are watched and no others. What is known of an uplink
  // stays as long as its health is specified as before. For one thread.
  void Watch(WatchedUplinks uplinks);

  // Something else says that this uplink may be dead: it is asked at once, and
  // again without the usual pause until a round is good or the verdict changes.
  // Nothing happens for an uplink that is not watched. By the thread that
  // watches.
  void Suspect(const std::string& uplink);

  // Ends the thread for good; nothing is called back after that. By the thread
  // that watches, or when that is gone.
  void Stop();

  // What is known now. Any thread.
  HealthReports Reports() const;

 private:
  class Patient;

  void TakeOver(const WatchedUplinks& uplinks);
  void Publish(const std::string& uplink, const HealthReport& report);

  ProbeStarter start_probe_;
  std::function<void()> changed_;
  WatchedUplinks watched_;  // of the last Watch(), by its thread
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  // By name; used by the monitor's thread alone once it runs.
  std::map<std::string, std::unique_ptr<Patient>> patients_;
  LogLimiter limiter_{"lines about probes"};  // likewise
  std::thread thread_;

  mutable std::mutex mutex_;
  HealthReports reports_;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_HEALTH_MONITOR_H_
