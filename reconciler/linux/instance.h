// Instance: at most one writer of our objects per network namespace.
//
// The holder has bound the abstract Unix socket "\0uplinkd". Abstract names
// belong to a network namespace, exactly like the rules and routes that the
// holder writes, and the kernel lets go of the name when the holder dies, so
// there is no stale lock file. The socket serves nobody: it is only there to
// tell the process id of its holder.
#ifndef UPLINKD_RECONCILER_LINUX_INSTANCE_H_
#define UPLINKD_RECONCILER_LINUX_INSTANCE_H_

#include <utility>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// Held for as long as it lives. Movable, not copyable; any thread.
class Instance {
 public:
  // Takes the name in the calling thread's network namespace. kAlreadyExists:
  // another process has it; the message names it.
  static Result<Instance> Take();
  // Whether somebody has it in the calling thread's network namespace. Takes
  // nothing, so it never makes an agent that starts right now refuse.
  static Result<bool> IsTaken();

 private:
  explicit Instance(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_INSTANCE_H_
