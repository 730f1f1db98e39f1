// RunProgram: one program, run to its end or to a deadline.
//
// For programs of the operator's that the agent calls. The program gets the
// environment that is given and nothing else, an empty standard input, and a
// process group of its own, which is killed as a whole. Blocks its caller; for
// any thread that may wait.
#ifndef UPLINKD_AGENT_CHILD_PROCESS_H_
#define UPLINKD_AGENT_CHILD_PROCESS_H_

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "reconciler/result.h"

namespace uplinkd {

struct ProgramRun {
  enum class End { kExited, kSignalled, kDeadline, kGivenUp };
  End end = End::kExited;
  int status = 0;      // the exit status, or the number of the signal
  std::string output;  // of both channels, at most kMaxOutput bytes
};

inline constexpr std::size_t kMaxOutput = 4096;

// Ends early if `given_up` says so, which is asked a few times per second.
// Fails with the errno of what could not be started.
Result<ProgramRun> RunProgram(const std::string& path,
                              const std::vector<std::string>& environment,
                              std::chrono::milliseconds deadline,
                              const std::function<bool()>& given_up);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CHILD_PROCESS_H_
