#include "agent/health_monitor.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <utility>
#include <vector>

#include "agent/logging.h"
#include "reconciler/health_tracker.h"

namespace uplinkd {
namespace {

void LogVerdict(const std::string& uplink, const HealthVerdict& verdict) {
  const auto level = verdict.state == HealthState::kUp ? spdlog::level::info
                                                       : spdlog::level::warn;
  Log(level,
      fmt::format("probes of uplink {}: {}{}{}", uplink,
                  HealthStateName(verdict.state),
                  verdict.reason.empty() ? "" : ": ", verdict.reason),
      {{"event", "health"},
       {"uplink", uplink},
       {"health", HealthStateName(verdict.state)},
       {"reason", verdict.reason}});
}

}  // namespace

// One uplink and the rounds of its probes.
class HealthMonitor::Patient {
 public:
  Patient(HealthMonitor& monitor, std::string name, const Health& health)
      : monitor_(monitor),
        name_(std::move(name)),
        tracker_(health),
        next_round_(monitor.context_) {}

  const HealthTracker& tracker() const { return tracker_; }

  void Follow(const std::optional<ProbePath>& path) {
    if (path == (path_ ? std::optional(*path_) : std::nullopt)) return;
    path_.reset();
    runs_.clear();
    next_round_.cancel();
    tracker_.PathChanged();
    monitor_.Publish(name_, tracker_.report());
    if (!path) return;
    path_ = std::make_shared<ProbePath>(*path);
    BeginRound();
  }

  void Suspect() {
    hurried_ = true;
    if (path_ != nullptr && open_ == 0) ArmNextRound(Clock::now());
  }

 private:
  using Clock = std::chrono::steady_clock;

  void BeginRound() {
    ArmNextRound(Clock::now() + tracker_.health().interval);
    const std::vector<Probe>& probes = tracker_.health().probes;
    runs_.clear();
    results_.assign(probes.size(), {});
    open_ = probes.size();
    for (std::size_t i = 0; i < probes.size(); ++i) {
      runs_.push_back(monitor_.start_probe_(
          monitor_.context_, {probes[i], *path_, tracker_.health().timeout},
          [this, i](ProbeResult result) { TakeResult(i, std::move(result)); }));
    }
  }

  // The timeout is no longer than the interval, but the thread may be late:
  // then the round that is under way has its time.
  void ArmNextRound(Clock::time_point when) {
    next_round_.expires_at(when);
    // A wait that is over cannot be cancelled any more: it must not find a
    // patient that is gone, or that goes another way.
    next_round_.async_wait([this, when, way = std::weak_ptr(path_)](
                               const asio::error_code& error) {
      if (error || way.expired()) return;
      if (open_ != 0) return ArmNextRound(when + kLate);
      BeginRound();
    });
  }

  void TakeResult(std::size_t index, ProbeResult result) {
    results_[index] = std::move(result);
    if (--open_ != 0) return;
    const bool changed = tracker_.RoundEnded(results_);
    monitor_.Publish(name_, tracker_.report());
    monitor_.limiter_.Settle();
    hurried_ = hurried_ && !changed && !tracker_.IsGood(results_);
    if (hurried_) ArmNextRound(Clock::now() + kHurried);
    if (!changed) return;
    if (monitor_.limiter_.MaySpeak()) {
      LogVerdict(name_, tracker_.report().verdict);
    }
    monitor_.changed_();
  }

  static constexpr std::chrono::milliseconds kLate{10};
  // A refusal comes at once. As short as an interval can be.
  static constexpr std::chrono::milliseconds kHurried{100};

  HealthMonitor& monitor_;
  std::string name_;
  HealthTracker tracker_;
  std::shared_ptr<const ProbePath> path_;  // null: there is none
  std::vector<std::unique_ptr<ProbeRun>> runs_;
  std::vector<ProbeResult> results_;
  std::size_t open_ = 0;  // runs without a result
  bool hurried_ = false;  // the next round follows soon after this one
  asio::steady_timer next_round_;
};

HealthMonitor::HealthMonitor(ProbeStarter start_probe,
                             std::function<void()> changed)
    : start_probe_(std::move(start_probe)),
      changed_(std::move(changed)),
      work_(asio::make_work_guard(context_)) {}

HealthMonitor::~HealthMonitor() {
  Stop();
}

void HealthMonitor::Stop() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
}

void HealthMonitor::Watch(WatchedUplinks uplinks) {
  if (uplinks == watched_) return;
  watched_ = std::move(uplinks);
  asio::post(context_, [this, uplinks = watched_] { TakeOver(uplinks); });
  if (!thread_.joinable()) {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "probes");
      context_.run();
    });
  }
}

void HealthMonitor::Suspect(const std::string& uplink) {
  asio::post(context_, [this, uplink] {
    const auto patient = patients_.find(uplink);
    if (patient == patients_.end()) return;
    if (limiter_.MaySpeak()) {
      Log(spdlog::level::info,
          "uplink " + uplink +
              ": new connections get no answer; asking its probes",
          {{"event", "suspicion"}, {"uplink", uplink}});
    }
    patient->second->Suspect();
  });
}

HealthReports HealthMonitor::Reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

void HealthMonitor::TakeOver(const WatchedUplinks& uplinks) {
  bool verdict_gone = false;
  std::erase_if(patients_, [&](const auto& entry) {
    const HealthTracker& tracker = entry.second->tracker();
    const auto still = uplinks.find(entry.first);
    const bool stays =
        still != uplinks.end() && still->second.health == tracker.health();
    if (!stays && tracker.report().verdict != HealthVerdict{}) {
      verdict_gone = true;
    }
    return !stays;
  });
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(reports_, [&](const auto& entry) {
      return !patients_.contains(entry.first);
    });
  }
  for (const auto& [name, uplink] : uplinks) {
    std::unique_ptr<Patient>& patient = patients_[name];
    if (patient == nullptr) {
      patient = std::make_unique<Patient>(*this, name, uplink.health);
      Publish(name, patient->tracker().report());
    }
    patient->Follow(uplink.path);
  }
  if (verdict_gone) changed_();
}

void HealthMonitor::Publish(const std::string& uplink,
                            const HealthReport& report) {
  const std::lock_guard lock(mutex_);
  reports_[uplink] = report;
}

}  // namespace uplinkd
