#include "agent/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

using Clock = std::chrono::steady_clock;

// How often a program that goes on is looked at.
constexpr std::chrono::milliseconds kLookEvery{100};

tl::unexpected<Error> CannotStart(const std::string& path, int system_errno) {
  return Fail(ErrorCode::kInternal,
              "cannot run " + path + ": " + std::strerror(system_errno),
              system_errno);
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

std::optional<Pipe> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  // Our end alone: the program's writes may wait.
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What posix_spawn() is told to do in the child.
class SpawnOrder {
 public:
  explicit SpawnOrder(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP |
                                               POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes_, 0);
    // The agent blocks and ignores signals that a program relies on.
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
  }
  ~SpawnOrder() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnOrder(const SpawnOrder&) = delete;
  SpawnOrder& operator=(const SpawnOrder&) = delete;

  int Start(const std::string& path, std::vector<std::string> environment,
            pid_t* pid) const {
    std::string program = path;
    std::array<char*, 2> arguments{program.data(), nullptr};
    std::vector<char*> variables;
    variables.reserve(environment.size() + 1);
    for (std::string& variable : environment) {
      variables.push_back(variable.data());
    }
    variables.push_back(nullptr);
    return posix_spawn(pid, path.c_str(), &actions_, &attributes_,
                       arguments.data(), variables.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// Takes what is there; what is too much is read and forgotten, so that the
// program never waits for us. False: nobody will write any more.
bool TakeOutput(int fd, std::string& output) {
  std::array<char, 1024> piece;
  while (true) {
    const ssize_t size = read(fd, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    const std::size_t room = kMaxOutput - output.size();
    output.append(piece.data(), std::min(room, static_cast<std::size_t>(size)));
  }
}

class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}

  // The run if the program has ended by itself.
  std::optional<ProgramRun> Ended() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
    // What it left running belongs to nobody.
    kill(-pid_, SIGKILL);
    ProgramRun run;
    run.end = WIFEXITED(status) ? ProgramRun::End::kExited
                                : ProgramRun::End::kSignalled;
    run.status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    return run;
  }

  ProgramRun Kill(ProgramRun::End why) {
    kill(-pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ProgramRun run;
    run.end = why;
    return run;
  }

 private:
  pid_t pid_;
};

ProgramRun Attend(Child child, int output, Clock::time_point deadline,
                  const std::function<bool()>& given_up) {
  std::string text;
  bool open = true;
  std::optional<ProgramRun> run;
  while (!run) {
    pollfd wanted{open ? output : -1, POLLIN, 0};
    poll(&wanted, 1, static_cast<int>(kLookEvery.count()));
    if (open) open = TakeOutput(output, text);
    run = child.Ended();
    if (run) break;
    if (given_up()) {
      run = child.Kill(ProgramRun::End::kGivenUp);
    } else if (Clock::now() >= deadline) {
      run = child.Kill(ProgramRun::End::kDeadline);
    }
  }
  TakeOutput(output, text);
  run->output = std::move(text);
  return *std::move(run);
}

}  // namespace

Result<ProgramRun> RunProgram(const std::string& path,
                              const std::vector<std::string>& environment,
                              std::chrono::milliseconds deadline,
                              const std::function<bool()>& given_up) {
  std::optional<Pipe> pipe = MakePipe();
  if (!pipe) return CannotStart(path, errno);
  pid_t pid = 0;
  const int failed =
      SpawnOrder(pipe->write.get()).Start(path, environment, &pid);
  if (failed != 0) return CannotStart(path, failed);
  pipe->write = UniqueFd();
  return Attend(Child(pid), pipe->read.get(), Clock::now() + deadline,
                given_up);
}

}  // namespace uplinkd
