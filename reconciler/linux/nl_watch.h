// NlWatch: did anything of one kind change in the meantime?
//
// Made for the length of one read and thrown away. Monitor is the one that
// lives long and wakes the agent.
#ifndef UPLINKD_RECONCILER_LINUX_NL_WATCH_H_
#define UPLINKD_RECONCILER_LINUX_NL_WATCH_H_

#include <utility>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

class NlWatch {
 public:
  // Listens to one rtnetlink multicast group (RTNLGRP_...) from now on, in the
  // calling thread's network namespace.
  static Result<NlWatch> Open(int group);

  // True: nothing was heard since the last call, or since Open().
  bool Quiet();

 private:
  explicit NlWatch(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NL_WATCH_H_
