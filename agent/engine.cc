#include "agent/engine.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <asio/post.hpp>
#include <cerrno>
#include <system_error>
#include <utility>

#include "agent/request_log.h"

namespace uplinkd {
namespace {

// What may heal while the agent runs, so that it goes on. Anything else means
// that this kernel has no netlink to talk to.
bool MayHeal(const Error& error) {
  return error.code == ErrorCode::kPermissionDenied ||
         error.code == ErrorCode::kResourceExhausted;
}

}  // namespace

Engine::Engine(EngineOptions options)
    : options_(std::move(options)),
      events_(options_.follower.state_dir, bulletin_),
      monitor_(options_.start_probe, [this] { NoticeHealth(); }),
      follower_(options_.follower, bulletin_, monitor_),
      // Two routers of one fleet should not sweep in step.
      schedule_(options_.schedule, static_cast<std::uint64_t>(getpid())),
      confirm_round_(context_, options_.start_probe) {}

Result<bool> Engine::Restore() {
  if (Result<void> restored = follower_.Restore(); !restored) {
    return tl::unexpected(restored.error());
  }
  return follower_.ledger().current() != nullptr;
}

Result<void> Engine::Run() {
  if (Result<void> opened = follower_.OpenHost(); !opened) {
    if (!MayHeal(opened.error())) {
      End();
      return opened;
    }
    spdlog::error("the kernel cannot be used yet: {}", opened.error().message);
  }
  Begin();
  context_.run();
  End();
  return {};
}

void Engine::Begin() {
  watchdog_.Start();
  follower_.Sample();
  WatchHost();
  if (follower_.ledger().current() != nullptr) {
    schedule_.Notice(Trigger::kSpec, Now());
  } else {
    ReportReady();
  }
  ArmPass();
  ArmSample();
  ArmLoads();
}

// Nothing posted from now on is run; what was posted before still is.
void Engine::End() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  stopping_ = true;
  monitor_.Stop();
  context_.restart();
  context_.poll();
  bulletin_.Close();
}

void Engine::Stop() {
  Post([this] {
    stopping_ = true;
    pass_timer_.cancel();
    sample_timer_.cancel();
    loads_timer_.cancel();
    confirm_round_.Drop();
    watched_.clear();
    context_.stop();
  });
}

// ---- requests ----

void Engine::WhenRunning(std::function<void()> work) {
  Post([this, work = std::move(work)] {
    if (!stopping_) work();
  });
}

bool Engine::Post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  asio::post(context_, std::move(work));
  return true;
}

// For clients: what they ask would seem to have no effect.
Result<void> Engine::MayChange() const {
  const std::string paused = follower_.paused();
  if (paused.empty()) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              "the agent is " + paused +
                  "; `uplinkctl resume` ends that, then try again");
}

void Engine::NoteRefusedSpec(std::string words) {
  Post([this, words = std::move(words)] {
    file_waits_.reset();
    follower_.NoteRefusedSpec(words);
  });
}

Result<Report> Engine::Diff(std::optional<Spec> spec) {
  return Ask<Report>(
      [this, spec = std::move(spec)] { return follower_.PlanFor(spec); });
}

Result<v1::TraceResponse> Engine::Trace(const Flow& flow) {
  return Ask<v1::TraceResponse>([this, flow] { return follower_.Trace(flow); });
}

Result<Report> Engine::CleanUp(bool dry_run, std::string from) {
  return Ask<Report>([this, dry_run, from = std::move(from)] {
    return dry_run ? follower_.CleanUp(true) : CleanUpNow(from);
  });
}

// `fault`: why it was refused, or "".
void Engine::Tell(const char* what, const std::string& uplink,
                  const std::string& from, const std::string& fault) {
  follower_.Tell({what, fault.empty() ? "accepted" : "refused",
                  std::string(what) + (uplink.empty() ? "" : " " + uplink) +
                      " from " + from + (fault.empty() ? "" : ": " + fault),
                  uplink});
}

Result<Report> Engine::CleanUpNow(const std::string& from) {
  const std::uint64_t generation = follower_.ledger().generation();
  Result<Report> report =
      MayChange().and_then([&] { return follower_.CleanUp(false); });
  LogCleanUp(from, generation, report);
  Tell("cleanup", "", from, report ? std::string() : report.error().message);
  return report;
}

Result<std::optional<DrainLedger::WallTime>> Engine::Drain(
    std::string uplink, std::optional<std::chrono::milliseconds> deadline,
    std::string from) {
  using Answer = std::optional<DrainLedger::WallTime>;
  return Ask<Answer>([this, uplink = std::move(uplink), deadline,
                      from = std::move(from)] {
    Result<Answer> drain =
        MayChange().and_then([&] { return follower_.Drain(uplink, deadline); });
    LogDrain(from, follower_.ledger().generation(), uplink, drain);
    Tell("drain", uplink, from, drain ? std::string() : drain.error().message);
    if (drain) MakePass(Trigger::kDrain, false);
    return drain;
  });
}

Result<void> Engine::Undrain(std::string uplink, std::string from) {
  return Ask<void>([this, uplink = std::move(uplink), from = std::move(from)] {
    Result<void> undrained =
        MayChange().and_then([&] { return follower_.Undrain(uplink); });
    LogUndrain(from, follower_.ledger().generation(), uplink, undrained);
    Tell("undrain", uplink, from,
         undrained ? std::string() : undrained.error().message);
    if (undrained) MakePass(Trigger::kDrain, false);
    return undrained;
  });
}

Result<PauseLedger::WallTime> Engine::Pause(std::chrono::milliseconds duration,
                                            std::string from,
                                            std::string reason) {
  return Ask<PauseLedger::WallTime>(
      [this, duration, from = std::move(from), reason = std::move(reason)] {
        return follower_.Pause(duration, from, reason);
      });
}

Result<bool> Engine::Resume(std::string from) {
  return Ask<bool>([this, from = std::move(from)] {
    Result<bool> resumed = follower_.Resume(from);
    const bool was_paused = resumed && *resumed;
    if (was_paused && follower_.ledger().current() != nullptr) {
      MakePass(Trigger::kSpec, true);
    }
    FollowWaitingFile();
    return resumed;
  });
}

Result<ConnectionCensus> Engine::CountConnections(std::string uplink) {
  return Ask<ConnectionCensus>([this, uplink = std::move(uplink)] {
    return follower_.CountConnections(uplink);
  });
}

Result<Engine::Current> Engine::Get() {
  return Ask<Current>([this]() -> Result<Current> {
    const StoredSpec* current = follower_.ledger().current();
    if (current == nullptr) {
      return Fail(ErrorCode::kNotFound, follower_.ledger().why_none());
    }
    return Current{current->spec, current->generation};
  });
}

// ---- passes ----

std::chrono::nanoseconds Engine::Now() const {
  return options_.follower.clocks.monotonic();
}

void Engine::MakePass(Trigger trigger, bool full) {
  const Follower::PassEnd end = follower_.Pass(trigger, full);
  schedule_.PassEnded(Now(), end.failed, end.again_at_once, full);
  WatchHost();
  // A pause is somebody's word that all is as it should be for now.
  if (follower_.in_sync() || !follower_.paused().empty()) ReportReady();
  ArmPass();
}

void Engine::ArmPass() {
  if (stopping_ || follower_.ledger().current() == nullptr) return;
  const std::chrono::nanoseconds wait =
      std::max(schedule_.Next().at - Now(), std::chrono::nanoseconds(0));
  pass_timer_.expires_after(wait);
  pass_timer_.async_wait([this](const asio::error_code& error) {
    // A cancelled wait was replaced by another one.
    if (error || stopping_ || follower_.ledger().current() == nullptr) return;
    // A wait that is over cannot be cancelled any more, and whatever else was
    // ready then may have come first: what is due now may be more than the
    // poll that was waited for, or nothing yet.
    const Schedule::Due due = schedule_.Next();
    if (due.at > Now()) return ArmPass();
    MakePass(due.trigger, due.full);
  });
}

void Engine::ArmSample() {
  sample_timer_.expires_after(options_.sample);
  sample_timer_.async_wait([this](const asio::error_code& error) {
    if (error || stopping_) return;
    follower_.NoteEvents(events_.unsaved());
    follower_.Sample();
    LookAtConfirm();
    FollowWaitingFile();
    ArmSample();
  });
}

// Not anew with each pass: many of them would put off the look for ever.
void Engine::ArmLoads() {
  if (loads_armed_ || !follower_.watches_choices()) return;
  loads_armed_ = true;
  loads_timer_.expires_after(options_.loads);
  loads_timer_.async_wait([this](const asio::error_code& error) {
    loads_armed_ = false;
    if (error || stopping_) return;
    if (follower_.LookAtLoads()) {
      schedule_.Notice(Trigger::kLoad, Now());
      ArmPass();
    }
    if (follower_.LookAtLatencies()) {
      schedule_.Notice(Trigger::kHealth, Now());
      ArmPass();
    }
    ArmLoads();
  });
}

void Engine::WatchHost() {
  if (follower_.host() == nullptr || !watched_.empty()) return;
  for (Host::Wake& wake : follower_.host()->wakes()) {
    // The descriptor of the host stays its own: we watch a duplicate.
    const int fd = fcntl(wake.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
      spdlog::warn("cannot watch the host: {}; the next pass tries again",
                   std::generic_category().message(errno));
      watched_.clear();
      return;
    }
    watched_.push_back(
        {asio::posix::stream_descriptor(context_, fd), std::move(wake)});
    WaitFor(watched_.back());
  }
}

void Engine::WaitFor(Watched& watched) {
  watched.descriptor.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [this, &watched](const asio::error_code& error) {
        if (error || stopping_) return;
        if (watched.wake.drain()) {
          schedule_.Notice(watched.wake.trigger, Now());
          ArmPass();
        }
        WaitFor(watched);
      });
}

// In the monitor's thread.
void Engine::NoticeHealth() {
  Post([this] {
    if (stopping_) return;
    schedule_.Notice(Trigger::kHealth, Now());
    ArmPass();
  });
}

void Engine::ReportReady() {
  if (std::exchange(ready_reported_, true)) return;
  options_.ready();
}

}  // namespace uplinkd
