// The exit codes of uplinkctl; docs/operations.md is their reference.
#ifndef UPLINKD_CLI_EXIT_CODE_H_
#define UPLINKD_CLI_EXIT_CODE_H_

namespace uplinkd {

enum class ExitCode : int {
  kOk = 0,
  // Asked and answered, and the answer is no: it differs, it is not in sync
  // yet, there are findings.
  kNo = 1,
  // Bad input, or refused; nothing was changed by this call.
  kRefused = 2,
  kNoAgent = 3,
};

}  // namespace uplinkd

#endif  // UPLINKD_CLI_EXIT_CODE_H_
