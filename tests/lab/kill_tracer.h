// KillTracer: kill -9 at the n-th system call of a running process.
//
// Attaches to all threads of a process (ptrace) and counts the system calls
// that each of them enters from then on, by the thread's name. At the one that
// is asked for the process is killed, before the kernel acts on it. It costs
// milliseconds, unlike a program that is started under strace. Needs root, and
// a kernel of 5.6 or newer. Not for production code.
#ifndef UPLINKD_TESTS_LAB_KILL_TRACER_H_
#define UPLINKD_TESTS_LAB_KILL_TRACER_H_

#include <sys/types.h>

#include <atomic>
#include <compare>
#include <future>
#include <map>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace uplinkd::lab {

// Which system calls count.
enum class Calls {
  // What changes something outside of the process: files, the kernel's tables
  // by netlink or setsockopt, and what is sent to somebody.
  kEffects,
  kAll,
};

// The `ordinal`-th counted call of the threads of this name; 0: none.
struct KillPoint {
  std::string thread;
  int ordinal = 0;

  friend auto operator<=>(const KillPoint&, const KillPoint&) = default;
};

struct TracedCall {
  KillPoint point;
  std::string words;  // "rename /var/lib/uplinkd/spec.json.new"
};
std::ostream& operator<<(std::ostream& stream, const TracedCall& call);

class KillTracer {
 public:
  // Returns once every call counts.
  KillTracer(pid_t process, Calls calls, KillPoint point = {});
  // Lets go of the process.
  ~KillTracer();
  KillTracer(const KillTracer&) = delete;
  KillTracer& operator=(const KillTracer&) = delete;

  bool attached() const { return attached_; }
  bool killed() const { return killed_; }
  // Lets go of the process. The rest is only valid after this.
  void Finish();
  // What was counted, in order; the last one is the one that it was killed at.
  const std::vector<TracedCall>& calls() const { return seen_; }

 private:
  struct Thread {
    std::string name;
    bool stopped_once = false;
  };

  void Run(std::promise<bool> ready);
  bool Seize();
  bool AllStoppedOnce() const;
  Thread& ThreadOf(pid_t thread);
  // True: the process was killed.
  bool Stopped(pid_t thread, int status);
  bool Entered(pid_t thread);

  const pid_t process_;
  const Calls which_;
  const KillPoint point_;
  std::map<pid_t, Thread> threads_;
  std::map<std::string, int> counts_;  // by name of threads
  std::vector<TracedCall> seen_;
  bool attached_ = false;
  std::atomic<bool> killed_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_KILL_TRACER_H_
