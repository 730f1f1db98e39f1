// XtablesLock and LockWatch: the lock file that all iptables programs share.
//
// A commit replaces a whole table, so two writers must not overlap. The kernel
// does not see to that; the programs do, with flock() on /run/xtables.lock (or
// $XTABLES_LOCKFILE). We take the same lock around every edit, and watch the
// same file: a program that closes it may just have written.
#ifndef UPLINKD_RECONCILER_LINUX_XTABLES_LOCK_H_
#define UPLINKD_RECONCILER_LINUX_XTABLES_LOCK_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "reconciler/duration_histogram.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// $XTABLES_LOCKFILE, else /run/xtables.lock.
std::string XtablesLockPath();

// The file stays open between locks: flock() itself makes no inotify events,
// so our own edits do not wake our own LockWatch. One thread.
class XtablesLock {
 public:
  // Unlocks when it goes. Must not outlive its XtablesLock.
  class Held {
   public:
    Held(Held&& other) noexcept;
    Held& operator=(Held&&) = delete;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held();

   private:
    friend class XtablesLock;
    explicit Held(int fd) : fd_(fd) {}
    int fd_;
  };

  // Waits at most `timeout`. Fails: kDeadlineExceeded, naming the program that
  // holds the lock if /proc tells; kPermissionDenied and others if the file
  // cannot be opened.
  Result<Held> Acquire(std::chrono::milliseconds timeout);

  // How long Acquire() waited, once per call that got the lock or gave up.
  const DurationHistogram& waits() const { return waits_; }
  std::uint64_t timeouts() const { return timeouts_; }

 private:
  Result<void> OpenCurrentFile(const std::string& path);

  UniqueFd file_;
  DurationHistogram waits_;
  std::uint64_t timeouts_ = 0;
};

// A hint, not an authority: writers that take no lock are not seen, and a
// program that only lists rules is.
class LockWatch {
 public:
  // Creates the lock file if it is not there, as the programs do.
  static Result<std::unique_ptr<LockWatch>> Open();

  // Readable when Drain() has something to read. Owned by the watch.
  int fd() const { return inotify_.get(); }

  // Reads all that is queued, without blocking. True: some program closed the
  // lock file, or the file was replaced (the new one is watched from then on).
  bool Drain();

 private:
  explicit LockWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}
  Result<void> Arm();

  UniqueFd inotify_;
  int watch_ = -1;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XTABLES_LOCK_H_
