#include "tests/lab/process.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// argv and envp as the kernel wants them, made before the fork: after it, the
// child, which has its parent's memory until it is another program, may only
// make system calls.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(
    const std::map<std::string, std::string>& added) {
  std::vector<std::string> lines;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry;
    if (added.contains(line.substr(0, line.find('=')))) continue;
    lines.push_back(line);
  }
  for (const auto& [name, value] : added) {
    lines.emplace_back(name).append("=").append(value);
  }
  return lines;
}

struct Standard {
  int input = -1;
  int output = -1;  // -1: inherited
};

[[noreturn]] void Become(const Namespace& where, const Standard& standard,
                         char** arguments, char** environment) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (setns(where.fd(), CLONE_NEWNET) != 0) _exit(126);
  dup2(standard.input, STDIN_FILENO);
  if (standard.output >= 0) {
    dup2(standard.output, STDOUT_FILENO);
    dup2(standard.output, STDERR_FILENO);
  }
  execvpe(arguments[0], arguments, environment);
  _exit(127);
}

Result<pid_t> Fork(const Namespace& where, std::vector<std::string> arguments,
                   std::vector<std::string> environment,
                   const Standard& standard) {
  std::vector<char*> argument_pointers = Pointers(arguments);
  std::vector<char*> environment_pointers = Pointers(environment);
  // A fork would copy the page tables of a program that is sanitized, which
  // takes longer than what most children do.
  const pid_t pid = vfork();
  if (pid < 0) {
    return Fail(ErrorCode::kResourceExhausted, "vfork", errno);
  }
  if (pid == 0) {
    Become(where, standard, argument_pointers.data(),
           environment_pointers.data());
  }
  return pid;
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

Result<Process> Process::Start(const Namespace& where, ProcessOptions options) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int output = -1;
  if (!options.output_file.empty()) {
    output = open(options.output_file.c_str(),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }
  const Standard standard{options.input_fd >= 0 ? options.input_fd : null,
                          output};
  const Result<pid_t> pid = Fork(where, std::move(options.arguments),
                                 Environment(options.environment), standard);
  close(null);
  if (output >= 0) close(output);
  if (!pid) return tl::unexpected(pid.error());
  return Process(*pid);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), exit_code_(other.exit_code_) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(exit_code_, other.exit_code_);
  return *this;
}

Process::~Process() {
  if (pid_ < 0 || exit_code_ >= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Process::Running() {
  return Wait(milliseconds(0)) < 0;
}

void Process::Signal(int number) const {
  if (pid_ > 0 && exit_code_ < 0) kill(pid_, number);
}

int Process::Wait(milliseconds patience) {
  if (exit_code_ >= 0) return exit_code_;
  const auto deadline = steady_clock::now() + patience;
  while (true) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = ExitCode(status);
      return exit_code_;
    }
    if (steady_clock::now() >= deadline) return -1;
    std::this_thread::sleep_for(milliseconds(2));
  }
}

CommandResult Command(const Namespace& where,
                      std::vector<std::string> arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {-1, std::strerror(errno)};
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const Result<pid_t> pid =
      Fork(where, std::move(arguments), Environment({}), {null, ends[1]});
  close(null);
  close(ends[1]);
  CommandResult result;
  if (pid) {
    result.output = ReadAll(ends[0]);
    int status = 0;
    while (waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
    }
    result.exit_code = ExitCode(status);
  }
  close(ends[0]);
  return result;
}

CommandResult Shell(const Namespace& where, const std::string& script) {
  return Command(where, {"sh", "-ec", script});
}

}  // namespace uplinkd::lab
