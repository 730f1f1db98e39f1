// Engine: the one thread that owns the kernel, and its event loop.
//
//   events, hints, timers, requests  ->  passes of the Follower
//
// Decides when a pass is due (Schedule), never what it does. Other threads hand
// it requests and wait for the answer; they read the rest from the Bulletin.
#ifndef UPLINKD_AGENT_ENGINE_H_
#define UPLINKD_AGENT_ENGINE_H_

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent/bulletin.h"
#include "agent/confirm_round.h"
#include "agent/event_log.h"
#include "agent/follower.h"
#include "agent/health_monitor.h"
#include "agent/host.h"
#include "agent/request_log.h"
#include "agent/watchdog.h"
#include "reconciler/schedule.h"

namespace uplinkd {

struct EngineOptions {
  FollowerOptions follower;
  ScheduleOptions schedule;
  // How often counters are looked at, and loads and latencies while a policy
  // goes by them.
  std::chrono::milliseconds sample{1000};
  std::chrono::milliseconds loads{LoadWatch::kEvery};
  ProbeStarter start_probe = StartProbe;
  // Called once, in the engine's thread: the first pass that found everything
  // in sync has ended, or there is no spec to follow.
  std::function<void()> ready = [] {};
};

class Engine {
 public:
  struct ApplyAnswer {
    std::uint64_t generation = 0;
    bool unchanged = false;
    Report report;  // of the first pass; of none if unchanged and in sync
    std::optional<v1::ConfirmStatus> confirm = {};  // if the spec waits
  };

  explicit Engine(EngineOptions options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Before Run(), in any one thread: takes up the spec of the last run, which
  // may be none (false); then, if there is one, the spec of a file. That one is
  // followed even if it cannot be saved. Fail if what the last run left cannot
  // be used; and if another spec waits to be confirmed or that of the file is
  // held. The conditions say so, and the engine can run.
  Result<bool> Restore();
  Result<void> StartWith(const Spec& spec, const std::string& path);

  // Serves until Stop(). Opens and uses the kernel in the calling thread.
  // Fails at once if the kernel cannot be reached at all; a missing permission
  // or backend is no failure but a condition, and is tried again.
  Result<void> Run();

  // ---- any thread ----

  // Ends Run() after the pass that is under way. Requests that wait are
  // answered with kUnavailable.
  void Stop();

  // Calls `work` in the engine's thread once Run() serves; never if it fails.
  void WhenRunning(std::function<void()> work);

  // Accepts a valid spec and makes the first pass. Fails as
  // Follower::Accept() does. `from`, below: who asks, for the log.
  Result<ApplyAnswer> Apply(Offer offer);
  // What that would change, as the answer's report; see Follower::TryOut().
  Result<ApplyAnswer> DryRun(Offer offer);
  // The file `path` has this spec: as Apply(). Or it is empty: as CleanUp(),
  // unless nothing is followed. Does not wait. What is refused is told in the
  // conditions; if it was since another spec waits to be confirmed, or during a
  // pause, the file is followed when that ends.
  void FollowFile(std::string path, std::optional<Spec> spec);
  // See Follower; the answer to CancelConfirm() is the pass that follows.
  Result<std::uint64_t> Confirm(std::string id,
                                std::string from);  // generation
  Result<std::chrono::system_clock::time_point> ExtendConfirm(
      std::string id, std::chrono::milliseconds within, std::string from);
  Result<ApplyAnswer> CancelConfirm(std::string id, std::string from);
  // See SpecHistory.
  Result<v1::HistoryResponse> History(v1::HistoryRequest request);
  Result<SpecHistory::Recalled> Recall(std::uint64_t generation);
  // A newer spec in a file is bad; does not wait.
  void NoteRefusedSpec(std::string words);
  // The plan for `spec`, or for the followed one if there is none given.
  Result<Report> Diff(std::optional<Spec> spec);
  // See Follower::PlanSince().
  Result<Report> DiffSince(std::uint64_t generation, std::optional<Spec> spec);
  Result<v1::TraceResponse> Trace(const Flow& flow);
  Result<Report> CleanUp(bool dry_run, std::string from);
  // See Follower::Drain() and Undrain(); with the pass that follows.
  Result<std::optional<DrainLedger::WallTime>> Drain(
      std::string uplink, std::optional<std::chrono::milliseconds> deadline,
      std::string from);
  Result<void> Undrain(std::string uplink, std::string from);
  // See Follower::Pause() and Resume(). While it is paused, what clients ask to
  // change fails with kFailedPrecondition; the spec of a file is followed
  // later.
  Result<PauseLedger::WallTime> Pause(std::chrono::milliseconds duration,
                                      std::string from, std::string reason);
  Result<bool> Resume(std::string from);
  // See Follower::CountConnections().
  Result<ConnectionCensus> CountConnections(std::string uplink);
  struct Current {
    Spec spec;
    std::uint64_t generation = 0;
  };
  // kNotFound: there is no spec.
  Result<Current> Get();

  Bulletin& bulletin() { return bulletin_; }
  const EventLog& events() const { return events_; }

 private:
  struct FileContent {
    std::string path;
    std::optional<Spec> spec;  // none: it is empty
  };
  struct Watched {
    asio::posix::stream_descriptor descriptor;
    Host::Wake wake;
  };

  template <typename T>
  Result<T> Ask(std::function<Result<T>()> work);
  // False: nobody will run it any more.
  bool Post(std::function<void()> work);
  Result<void> MayChange() const;

  std::chrono::nanoseconds Now() const;
  void Begin();
  void End();
  Result<ApplyAnswer> AcceptAndPass(const Offer& offer,
                                    SpecLedger::Durability durability);
  ApplyAnswer PassForSpec(bool unchanged);
  Result<Report> CleanUpNow(const std::string& from);
  void Tell(const char* what, const std::string& uplink,
            const std::string& from, const std::string& fault);
  void Follow(const FileContent& file);
  bool FileMustWait() const;
  void FollowWaitingFile();
  void LookAtConfirm();
  void MakePass(Trigger trigger, bool full);
  void ArmPass();
  void ArmSample();
  void ArmLoads();
  void WatchHost();
  void WaitFor(Watched& watched);
  void NoticeHealth();
  void ReportReady();

  EngineOptions options_;
  Bulletin bulletin_;
  EventLog events_;
  HealthMonitor monitor_;
  Follower follower_;
  Schedule schedule_;
  asio::io_context context_{1};
  asio::steady_timer pass_timer_{context_};
  asio::steady_timer sample_timer_{context_};
  asio::steady_timer loads_timer_{context_};
  ConfirmRound confirm_round_;
  std::optional<FileContent> file_waits_;
  Watchdog watchdog_{context_};
  bool loads_armed_ = false;
  std::list<Watched> watched_;
  bool ready_reported_ = false;
  bool stopping_ = false;

  std::mutex mutex_;
  bool closed_ = false;  // guarded by mutex_: requests are refused
};

template <typename T>
Result<T> Engine::Ask(std::function<Result<T>()> work) {
  const auto stopping = [] {
    return Fail(ErrorCode::kUnavailable, "the agent is stopping");
  };
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> answer = promise->get_future();
  const bool posted = Post([this, promise, stopping, work = std::move(work)] {
    promise->set_value(stopping_ ? Result<T>(stopping()) : work());
  });
  if (!posted) return stopping();
  return answer.get();
}

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_ENGINE_H_
