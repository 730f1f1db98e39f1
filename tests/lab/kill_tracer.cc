#include "tests/lab/kill_tracer.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "tests/lab/traced_call.h"

namespace uplinkd::lab {
namespace {

// How long a tracer that has nothing to do sleeps: less than a call takes that
// is traced.
constexpr std::chrono::microseconds kNap{50};
// A thread that ends just now never stops.
constexpr std::chrono::seconds kPatience{5};
constexpr int kSyscallStop = SIGTRAP | 0x80;

std::string TaskDirectory(pid_t process) {
  return "/proc/" + std::to_string(process) + "/task";
}

bool StopsGroups(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
         signal == SIGTTOU;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const TracedCall& call) {
  return stream << call.point.thread << " " << call.point.ordinal << ": "
                << call.words;
}

KillTracer::KillTracer(pid_t process, Calls calls, KillPoint point)
    : process_(process), which_(calls), point_(std::move(point)) {
  std::promise<bool> promise;
  std::future<bool> ready = promise.get_future();
  thread_ = std::thread([this, promise = std::move(promise)]() mutable {
    Run(std::move(promise));
  });
  attached_ = ready.get();
}

KillTracer::~KillTracer() {
  Finish();
}

void KillTracer::Finish() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

// Only stops are waited for: who started the process learns of its end. What
// is still traced when this thread ends goes on by itself.
void KillTracer::Run(std::promise<bool> ready) {
  if (!Seize()) return ready.set_value(false);
  bool told = false;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!stop_ && (told || std::chrono::steady_clock::now() < deadline)) {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG | __WALL | __WNOTHREAD) !=
        0) {
      break;  // there is nobody left
    }
    if (info.si_pid == 0) {
      std::this_thread::sleep_for(kNap);
      continue;
    }
    if (Stopped(info.si_pid, info.si_status)) break;
    if (!told && AllStoppedOnce()) {
      told = true;
      ready.set_value(true);
    }
  }
  if (!told) ready.set_value(killed_);  // it may come as early as that
}

bool KillTracer::Seize() {
  bool found = true;
  while (found) {
    found = false;
    std::error_code error;
    for (const auto& task :
         std::filesystem::directory_iterator(TaskDirectory(process_), error)) {
      const pid_t thread = std::atoi(task.path().filename().c_str());
      if (threads_.contains(thread)) continue;
      found = true;
      ThreadOf(thread);
      if (ptrace(PTRACE_SEIZE, thread, nullptr,
                 PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) != 0 ||
          ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0) {
        // It may have ended, or have been begun by one that is traced already.
        threads_[thread].stopped_once = true;
      }
    }
    if (error) return false;
  }
  return !threads_.empty();
}

bool KillTracer::AllStoppedOnce() const {
  return std::ranges::all_of(
      threads_, [](const auto& entry) { return entry.second.stopped_once; });
}

KillTracer::Thread& KillTracer::ThreadOf(pid_t thread) {
  const auto [entry, is_new] = threads_.try_emplace(thread);
  if (is_new) {
    std::ifstream file(TaskDirectory(process_) + "/" + std::to_string(thread) +
                       "/comm");
    std::getline(file, entry->second.name);
  }
  return entry->second;
}

bool KillTracer::Stopped(pid_t thread, int status) {
  ThreadOf(thread).stopped_once = true;
  const int signal = status & 0xff;
  const int event = status >> 8;
  if (signal == kSyscallStop) {
    if (Entered(thread)) return true;
    ptrace(PTRACE_SYSCALL, thread, nullptr, 0);
  } else if (event == PTRACE_EVENT_STOP && StopsGroups(signal)) {
    ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);
  } else {
    // A signal that is on its way is passed on.
    ptrace(PTRACE_SYSCALL, thread, nullptr, event == 0 ? signal : 0);
  }
  return false;
}

bool KillTracer::Entered(pid_t thread) {
  __ptrace_syscall_info info{};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) <= 0 ||
      info.op != PTRACE_SYSCALL_INFO_ENTRY) {
    return false;
  }
  SystemCall call;
  call.number = info.entry.nr;
  std::copy_n(info.entry.args, call.arguments.size(), call.arguments.begin());
  std::string words = EffectOf(process_, call);
  if (words.empty()) {
    if (which_ == Calls::kEffects) return false;
    words = "call " + std::to_string(call.number);
  }
  const std::string& name = ThreadOf(thread).name;
  const KillPoint here{name, ++counts_[name]};
  seen_.push_back({here, std::move(words)});
  if (here != point_) return false;
  killed_ = true;
  kill(process_, SIGKILL);
  return true;
}

}  // namespace uplinkd::lab
