// SpecSource: the file of --spec, followed for as long as the agent runs.
//
// Whatever replaces the file is read soon afterwards and handed to the engine.
// What cannot be followed (bad content, an empty file, no file) is refused with
// its faults in the log and the conditions, and the last good spec stays. Its
// thread is its own: a slow disk delays no pass.
#ifndef UPLINKD_AGENT_SPEC_SOURCE_H_
#define UPLINKD_AGENT_SPEC_SOURCE_H_

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/engine.h"
#include "agent/file_signature.h"
#include "agent/file_watch.h"

namespace uplinkd {

class SpecSource {
 public:
  struct Options {
    std::string path;
    // An empty file means: take everything of ours out of the kernel, and
    // follow nothing. A missing file never does.
    bool allow_empty = false;
    // From the first sign of a change until the file is read.
    std::chrono::milliseconds settle{200};
    // For how long the file may be missing before that is told: git removes a
    // file before it writes the next.
    std::chrono::milliseconds grace{3000};
    // The file whose spec the engine has taken up already, as it was before it
    // was read. Nothing: it is read soon after the beginning.
    std::optional<FileSignature> taken_up = std::nullopt;
  };

  // Begins to follow the file; one that was taken up is read again once it is
  // another one, and not before: until then what clients apply stands beside
  // it. `engine` must outlive this.
  SpecSource(Options options, Engine& engine);
  ~SpecSource();
  SpecSource(const SpecSource&) = delete;
  SpecSource& operator=(const SpecSource&) = delete;

  // Any thread: reads the file now, and tells what is wrong with it.
  void Reread();

 private:
  void Notice();
  void WaitForIt();
  void WaitUntilReadable();
  void Read();
  void Refuse(const std::vector<std::string>& faults);

  Options options_;
  Engine& engine_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_{context_};
  bool settling_ = false;             // the timer runs for Notice()
  std::unique_ptr<FileWatch> watch_;  // null: only Reread() reads
  std::thread thread_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SPEC_SOURCE_H_
