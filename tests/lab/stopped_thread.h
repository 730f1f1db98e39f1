// StoppedThread: one thread of another process that stands still, as one does
// that waits for a kernel that never answers. The others go on.
//
// Use and destroy it in the thread that made it. Header-only, for the tests.
#ifndef UPLINKD_TESTS_LAB_STOPPED_THREAD_H_
#define UPLINKD_TESTS_LAB_STOPPED_THREAD_H_

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace uplinkd::lab {

class StoppedThread {
 public:
  // Of the process `pid`, the thread that has this name. Stopped() says whether
  // that worked.
  StoppedThread(pid_t pid, const std::string& name) {
    const std::filesystem::path tasks =
        "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::string found;
      std::getline(std::ifstream(task.path() / "comm") >> std::ws, found);
      if (found == name) thread_ = std::atoi(task.path().filename().c_str());
    }
    if (thread_ < 0 || ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0) {
      return;
    }
    int status = 0;
    stopped_ = ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0 &&
               waitpid(thread_, &status, __WALL) == thread_ &&
               WIFSTOPPED(status);
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() {
    if (stopped_) ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
  }

  bool Stopped() const { return stopped_; }

 private:
  pid_t thread_ = -1;
  bool stopped_ = false;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_STOPPED_THREAD_H_
