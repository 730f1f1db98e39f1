// RouterProcesses: the agents of the router and of its mirror, and what holds
// the router's agent up.
//
// What holds it up (a stop, a pause, a slow disk, a lock that somebody holds)
// lasts until the agent is needed or Release() ends it. Processes are ended by
// their own number only. Not for production code.
#ifndef UPLINKD_TESTS_CHAOS_ROUTER_PROCESSES_H_
#define UPLINKD_TESTS_CHAOS_ROUTER_PROCESSES_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/chaos/world.h"
#include "tests/lab/process.h"
#include "tests/lab/router_agent.h"

namespace uplinkd::chaos {

// Of all agents of the router so far.
struct AgentTotals {
  int starts = 0;
  double corrections = 0;
  double overruns = 0;
  std::uint64_t most_memory = 0;  // KiB, resident
  std::size_t most_descriptors = 0;
};

class RouterProcesses {
 public:
  using Complain = std::function<void(const std::string&)>;

  // Both must outlive it. `complain` hears of what must not be.
  RouterProcesses(World& world, Complain complain);

  // The spec that the file of --spec has when an agent starts.
  void SetFile(const std::string& text) { file_text_ = text; }
  // The same, now, by a rename.
  void ReplaceFile();
  std::string spec_file() const;

  // The router's agent, ready for requests: it is started and let go on if need
  // be. Null if it does not start, which is complained of.
  lab::RouterAgent* Agent();
  // The agent as it is; null: there is none.
  lab::RouterAgent* running() { return agent_.get(); }
  // That of the mirror; null if it does not start.
  lab::RouterAgent* MirrorAgent();
  // `uplinkctl` for the router's agent; complains if it is refused.
  lab::CommandResult Ctl(std::vector<std::string> arguments);

  // Nothing if there is no agent.
  void Kill();
  void Terminate();  // and complains if it does not end well
  void Stop();       // SIGSTOP
  void SlowDisk(std::chrono::milliseconds delay);

  void Pause();
  void HoldLock(std::chrono::milliseconds duration);

  // Ends all that holds the agent up, and starts it if there is none.
  void Release();

  // What the agent's log says since the last call.
  std::string NewLog();
  std::string LastLog(std::size_t bytes) const;

  // The sum of a metric's series, over all labels.
  static double Sum(const std::string& metrics, const std::string& name);
  // Adds what the agent has done and uses to the totals.
  void NoteTotals(const std::string& metrics);
  const AgentTotals& totals() const { return totals_; }

 private:
  void LetGo();  // ends a stop and a slow disk
  void Gone();

  World& world_;
  Complain complain_;
  std::string file_text_;
  std::unique_ptr<lab::RouterAgent> agent_;
  std::unique_ptr<lab::RouterAgent> mirror_agent_;
  bool stopped_ = false;
  bool paused_ = false;
  std::optional<lab::Process> slow_disk_;
  std::vector<lab::Process> lock_holders_;
  std::size_t log_read_ = 0;
  double corrections_ = 0;  // of the present agent, as far as they are noted
  double overruns_ = 0;
  AgentTotals totals_;
};

}  // namespace uplinkd::chaos

#endif  // UPLINKD_TESTS_CHAOS_ROUTER_PROCESSES_H_
