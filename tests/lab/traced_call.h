// What a system call of another process does: whether anything outside of it
// changes, and in words. For KillTracer; the process must be stopped and traced
// by the calling thread.
#ifndef UPLINKD_TESTS_LAB_TRACED_CALL_H_
#define UPLINKD_TESTS_LAB_TRACED_CALL_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>

namespace uplinkd::lab {

struct SystemCall {
  std::uint64_t number = 0;  // SYS_rename
  std::array<std::uint64_t, 6> arguments{};
};

// "rename /state/spec.json.new", "sendmsg netlink type 24"; "" if it changes
// nothing: it reads, waits, or is about memory alone.
std::string EffectOf(pid_t process, const SystemCall& call);

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_TRACED_CALL_H_
