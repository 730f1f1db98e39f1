// Process: programs run inside a namespace, in the foreground or background.
//
// A background process is killed when its object goes, and by the kernel when
// the test process dies. Not for production code.
#ifndef UPLINKD_TESTS_LAB_PROCESS_H_
#define UPLINKD_TESTS_LAB_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/lab/namespace.h"

namespace uplinkd::lab {

struct ProcessOptions {
  std::vector<std::string> arguments = {};  // [0] is looked up in PATH
  std::map<std::string, std::string> environment = {};  // added to ours
  std::string output_file = "";  // of standard output and error; "": inherited
  int input_fd = -1;             // standard input; -1: /dev/null
};

class Process {
 public:
  // Starts the program in `where`. Fails if it cannot fork; a program that
  // cannot be executed exits with 127.
  static Result<Process> Start(const Namespace& where, ProcessOptions options);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  // SIGKILL, if it still runs

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int number) const;
  // The exit code, 128 + signal, or -1 if it still runs after `patience`.
  int Wait(std::chrono::milliseconds patience);

 private:
  explicit Process(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  int exit_code_ = -1;  // once it was waited for
};

struct CommandResult {
  int exit_code = -1;
  std::string output;  // standard output and error

  bool Ok() const { return exit_code == 0; }
};

// Runs a program to its end.
CommandResult Command(const Namespace& where,
                      std::vector<std::string> arguments);
// Runs a shell script to its end; it stops at the first command that fails.
CommandResult Shell(const Namespace& where, const std::string& script);

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_PROCESS_H_
