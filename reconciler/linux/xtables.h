// Xtables: what is ours in the mangle and nat tables of iptables and ip6tables,
// read and edited.
//
// The packet-filter half of LinuxKernel. Reading is one raw dump per table,
// compared with the last one; libiptc only does the edits. Foreign rules, their
// order, their counters and the policies are never written.
//
// It loads no modules: see LoadXtModules().
//
// It belongs to the network namespace of the thread that makes the first call,
// and to that one thread.
#ifndef UPLINKD_RECONCILER_LINUX_XTABLES_H_
#define UPLINKD_RECONCILER_LINUX_XTABLES_H_

#include <chrono>
#include <memory>

#include "reconciler/chain.h"
#include "reconciler/kernel.h"
#include "reconciler/linux/xtables_lock.h"
#include "reconciler/plan.h"
#include "reconciler/result.h"
#include "reconciler/state.h"

namespace uplinkd {

class Xtables {
 public:
  // `lock_timeout`: how long an edit may wait for the xtables lock.
  explicit Xtables(std::chrono::milliseconds lock_timeout);
  ~Xtables();
  Xtables(const Xtables&) = delete;
  Xtables& operator=(const Xtables&) = delete;

  // What is ours in both tables; with `ipv6`, in those of ip6tables as well.
  // Cheap if nothing changed since the last call. A table that does not exist
  // in this namespace yet is empty, and is not created by reading. Fails:
  // kFailedPrecondition (no legacy tables for IPv4 in this kernel; without
  // those for IPv6, they are empty), kPermissionDenied, kAborted (changed under
  // the read too often).
  Result<XtTables> Observe(bool ipv6 = false);
  // As if IPv6 had never been looked at.
  void ForgetIpv6();

  // The same read as the last Observe(), without what is in it. Fails as that
  // does.
  Result<ChainLook> Look();
  // As of the last Observe() or Look().
  ChainLook last_look() const;

  // All edits of one table in one commit, under the xtables lock.
  //   kConflict  what is ours is not `edit.expected`; nothing was written
  //   kFailed    the lock, or the kernel's words; read again before deciding
  Outcome Execute(const EditXtTable& edit);

  // For the waits on it.
  const XtablesLock& lock() const;

 private:
  Result<void> Read(Family family);

  struct Parts;  // keeps the kernel's C headers out of this one
  std::unique_ptr<Parts> parts_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XTABLES_H_
