// Options: the agent's command line.
//
// Parsed once, in main. What cannot be right (an unknown flag, a TCP address
// without mutual TLS) is refused, with words that say what would be right.
#ifndef UPLINKD_AGENT_OPTIONS_H_
#define UPLINKD_AGENT_OPTIONS_H_

#include <span>
#include <string>
#include <tl/expected.hpp>

#include "agent/access_options.h"

namespace uplinkd {

// The agent's exit statuses.
inline constexpr int kExitOk = 0;
inline constexpr int kExitCannotRun = 1;  // another agent, no socket, ...
inline constexpr int kExitBadInput = 2;   // the command line or the spec file

struct AgentOptions {
  AccessOptions access;
  std::string metrics_listen = "127.0.0.1:9871";  // "": no metrics
  std::string state_dir = "/var/lib/uplinkd";
  std::string spec_file;     // "": the spec comes from disk or a client
  bool allow_empty = false;  // an empty spec file takes everything of ours away
  std::string log_level = "info";
  bool log_json = false;
  std::string hooks_dir = "/etc/uplinkd/hooks.d";  // "": no hooks
  std::string iproute2_dir = "/etc/iproute2";  // "": names are not registered
};

// Why the process ends without running: --help, --version or a mistake.
struct EarlyExit {
  int status = kExitOk;
  std::string text;  // for standard output if status is 0, else for the error
};

// `arguments` without the program's name.
tl::expected<AgentOptions, EarlyExit> ParseOptions(
    std::span<const char* const> arguments);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_OPTIONS_H_
