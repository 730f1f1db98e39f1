// StoppedThread: one thread of another process that stands still, as one does
// that waits for a kernel that never answers. The others go on.
//
// Use and destroy it in the thread that made it. Header-only, for the tests.
#ifndef UPLINKD_TESTS_LAB_STOPPED_THREAD_H_
#define UPLINKD_TESTS_LAB_STOPPED_THREAD_H_

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace uplinkd::lab {

class StoppedThread {
 public:
  // Of the process `pid`, the thread that has this name. Stopped() says whether
  // that worked.
  StoppedThread(pid_t pid, const std::string& name) : thread_(Find(pid, name)) {
    if (thread_ < 0 || ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0) {
      return;
    }
    AwaitSleep(pid);
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
  static pid_t Find(pid_t pid, const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator(Tasks(pid))) {
      std::ifstream file(task.path() / "comm");
      std::string found;
      if (std::getline(file, found) && found == name) {
        return std::atoi(task.path().filename().c_str());
      }
    }
    return -1;
  }

  static std::string Tasks(pid_t pid) {
    return "/proc/" + std::to_string(pid) + "/task";
  }

  // One that works may hold a lock that others need.
  void AwaitSleep(pid_t pid) const {
    const std::string path =
        Tasks(pid) + "/" + std::to_string(thread_) + "/stat";
    for (int i = 0; i < 1000; ++i) {
      std::ifstream file(path);
      const std::string text(std::istreambuf_iterator<char>(file), {});
      if (text.find(") S ") != std::string::npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  pid_t thread_ = -1;
  bool stopped_ = false;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_STOPPED_THREAD_H_
