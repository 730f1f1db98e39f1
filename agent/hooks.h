// Hooks: programs of the operator's that are told what happened to an uplink.
//
// A folder of executables, run one after the other in the order of their names
// for every event: an uplink comes up, goes down or gets another address, or
// something of ours was repaired. docs/operations.md has their environment.
// They watch what the engine publishes from a thread of their own, so a hook
// that hangs delays other hooks and nothing else; it is killed at its deadline.
#ifndef UPLINKD_AGENT_HOOKS_H_
#define UPLINKD_AGENT_HOOKS_H_

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/bulletin.h"
#include "agent/log_limiter.h"
#include "reconciler/result.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

struct HookEvent {
  enum class Kind { kUp, kDown, kAddress, kDrift };
  Kind kind = Kind::kUp;
  v1::UplinkStatus uplink;  // as it is now; empty for kDrift
  std::string message;      // one sentence
};
std::string_view HookEventName(HookEvent::Kind kind);  // "up"

// What happened between two statuses, in the order of the uplinks. Pure. Before
// the first status, everything is new: each uplink comes up, or is down.
std::vector<HookEvent> HookEventsBetween(const v1::Status& before,
                                         const v1::Status& after);

// "UPLINKD_EVENT=up", ...: what a hook gets to know. Pure.
std::vector<std::string> HookEnvironment(const HookEvent& event,
                                         const v1::Status& status);

// The programs in `directory`, by name: executable files that belong to root
// or to us, which nobody else may write, with names of letters, digits, '_' and
// '-' (as run-parts(8) takes them). Fails if the directory cannot be read;
// there are none if it does not exist.
Result<std::vector<std::string>> HookPrograms(const std::string& directory);

class Hooks {
 public:
  struct Options {
    std::string directory;
    std::chrono::milliseconds deadline{10000};  // of each program
  };

  // Begins to watch. `bulletin` must outlive it.
  Hooks(Options options, Bulletin& bulletin);
  // Kills the program that is running and waits for it.
  ~Hooks();
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

 private:
  void Watch();
  void RunAll(const HookEvent& event, const v1::Status& status);
  void RunOne(const std::string& program, const HookEvent& event,
              const v1::Status& status);

  Options options_;
  std::unique_ptr<Bulletin::Subscription> news_;
  std::atomic<bool> stopping_ = false;
  LogLimiter limiter_{"hooks that failed"};  // of the thread
  std::thread thread_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_HOOKS_H_
