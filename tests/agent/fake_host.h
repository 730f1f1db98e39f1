// FakeMachine: a machine in memory, for tests of the agent's threads.
//
// The engine opens hosts on it from its own thread, while the test looks at it
// and changes it from another; every access takes a lock. Poke() is the event
// that the kernel would have sent.
#ifndef UPLINKD_TESTS_AGENT_FAKE_HOST_H_
#define UPLINKD_TESTS_AGENT_FAKE_HOST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/engine.h"
#include "agent/host.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/core/fake_kernel.h"

namespace uplinkd::testing {

class FakeMachine {
 public:
  struct Counters {
    std::map<int, LinkCounters> links;  // by ifindex
    ConnectionCounts connections;
    int counts = 0;                   // how often they were counted
    std::optional<Error> open_error;  // the host cannot be opened
    std::vector<Connection> tracked;
    std::optional<Error> cut_error;  // connections cannot be cut
    std::vector<Mark> cuts;          // every attempt, in order
    // Called with each, while nobody else uses the kernel.
    std::function<void(FakeKernel&)> when_cut = [](FakeKernel&) {};
    // Steps that the kernel refuses, and with which words.
    std::function<std::optional<Error>(const Step&)> refuses;
    std::set<std::uint32_t> watched_tables;
    int opened = 0;
  };

  FakeMachine();

  HostFactory Factory();

  // Runs `work` while nobody else uses the kernel.
  template <typename Work>
  auto With(Work work) {
    const std::lock_guard lock(mutex_);
    return work(kernel_);
  }
  template <typename Work>
  auto WithCounters(Work work) {
    const std::lock_guard lock(mutex_);
    return work(counters_);
  }
  void Poke();

 private:
  class HostOnMachine;

  std::mutex mutex_;
  FakeKernel kernel_;  // guarded by mutex_
  Counters counters_;  // guarded by mutex_
  UniqueFd event_;
};

// An engine that runs in a thread of its own until the end of the scope.
class RunningEngine {
 public:
  explicit RunningEngine(EngineOptions options);
  ~RunningEngine();
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  void Start();  // Restore() and StartWith() come before
  void Stop();
  Result<void> ended() const { return ended_; }

  Engine& operator*() { return engine_; }
  Engine* operator->() { return &engine_; }

  // Waits (long, for slow machines) until the status is good; false if it
  // does not become so.
  bool Becomes(const std::function<bool(const v1::Status&)>& good);
  bool BecomesInSync(std::uint64_t generation);

 private:
  Engine engine_;
  std::thread thread_;
  Result<void> ended_;
};

// Options for an engine on `machine` that stores in `state_dir`. Everything
// happens much sooner than in earnest, apart from the polls.
EngineOptions OptionsFor(FakeMachine& machine, const std::string& state_dir);

// "True", "False", "Unknown", or "" if there is no such condition.
std::string ConditionStatus(const v1::Status& status, const std::string& type);
std::string ConditionReason(const v1::Status& status, const std::string& type);
std::string PhaseOf(const v1::Status& status, const std::string& uplink);

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_FAKE_HOST_H_
