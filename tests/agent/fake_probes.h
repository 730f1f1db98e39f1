// FakeProbes: probes that answer as a test says, without a network.
//
// A line is alive, dead (no answer until the timeout) or refuses at once. How
// long an answer took is what it says, not what it takes. The
// monitor's thread asks; the test looks and changes from its own.
#ifndef UPLINKD_TESTS_AGENT_FAKE_PROBES_H_
#define UPLINKD_TESTS_AGENT_FAKE_PROBES_H_

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/health_monitor.h"

namespace uplinkd::testing {

class FakeProbes {
 public:
  enum class Line { kAlive, kDead, kRefuses };

  ProbeStarter Starter() {
    return [this](asio::io_context& context, const ProbeOrder& order,
                  ProbeDone done) -> std::unique_ptr<ProbeRun> {
      return std::make_unique<Run>(context, Take(order),
                                   LatencyOf(order.path.link), order.timeout,
                                   std::move(done));
    };
  }

  void Set(const std::string& link, Line line) {
    const std::lock_guard lock(mutex_);
    lines_[link] = line;
  }

  // How long an answer takes from now on.
  void SetLatency(const std::string& link, std::chrono::nanoseconds latency) {
    const std::lock_guard lock(mutex_);
    latencies_[link] = latency;
  }

  // What was asked so far.
  std::vector<ProbeOrder> Orders() const {
    const std::lock_guard lock(mutex_);
    return orders_;
  }

 private:
  class Run final : public ProbeRun {
   public:
    Run(asio::io_context& context, Line line, std::chrono::nanoseconds latency,
        std::chrono::milliseconds timeout, ProbeDone done)
        : alive_(std::make_shared<bool>(true)), timer_(context) {
      const ProbeResult result =
          line == Line::kAlive
              ? ProbeResult{true, latency, ""}
              : ProbeResult{false, {}, line == Line::kDead ? "silent" : "no"};
      timer_.expires_after(line == Line::kDead ? timeout
                                               : std::chrono::milliseconds(0));
      timer_.async_wait([weak = std::weak_ptr(alive_), result,
                         done = std::move(done)](const asio::error_code&) {
        if (!weak.expired()) done(result);
      });
    }

   private:
    std::shared_ptr<bool> alive_;  // gone with the run
    asio::steady_timer timer_;
  };

  Line Take(const ProbeOrder& order) {
    const std::lock_guard lock(mutex_);
    orders_.push_back(order);
    const auto line = lines_.find(order.path.link);
    return line == lines_.end() ? Line::kAlive : line->second;
  }

  std::chrono::nanoseconds LatencyOf(const std::string& link) const {
    const std::lock_guard lock(mutex_);
    const auto latency = latencies_.find(link);
    return latency == latencies_.end() ? std::chrono::milliseconds(5)
                                       : latency->second;
  }

  mutable std::mutex mutex_;
  std::map<std::string, Line> lines_;  // guarded by mutex_; absent: alive
  std::map<std::string, std::chrono::nanoseconds>
      latencies_;                   // guarded by mutex_; absent: 5 ms
  std::vector<ProbeOrder> orders_;  // guarded by mutex_
};

// One probe, and rounds much faster than in earnest.
inline Health FastHealth() {
  Health health;
  health.probes = {ArpProbe{}};
  health.interval = std::chrono::milliseconds(20);
  health.timeout = std::chrono::milliseconds(10);
  return health;
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_FAKE_PROBES_H_
