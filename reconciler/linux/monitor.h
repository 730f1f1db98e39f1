// Monitor: wakes the loop when something happened that a pass must look at.
//
// Its events are hints, never data: what they say is read again from the
// kernel. A classic BPF program on the socket drops foreign route churn before
// it reaches us, so a full BGP feed in another table costs nothing. IPv4
// routes die without an event when their link or source address goes, so
// links, addresses and rules always count. It never writes to the kernel.
#ifndef UPLINKD_RECONCILER_LINUX_MONITOR_H_
#define UPLINKD_RECONCILER_LINUX_MONITOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "reconciler/linux/link_news.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

class Monitor {
 public:
  // An event socket of the calling thread's network namespace, which sees
  // everything that happens from now on; no table is watched yet. Fails with
  // the errno of the socket calls.
  static Result<std::unique_ptr<Monitor>> Open();

  // Readable when Drain() has something to do. Owned by the Monitor.
  int fd() const { return fd_.get(); }

  // From now on routes of ours, routes of `tables` and default routes of main
  // wake us, and no other route does. IPv6's addresses, routes and rules wake
  // us only if `ipv6`. On failure the old filter stays.
  Result<void> WatchTables(const std::set<std::uint32_t>& tables, bool ipv6);

  // Reads everything that is queued, without blocking. True: something
  // happened that a pass must look at. An overrun counts, since what was lost
  // is unknown.
  bool Drain();

  // How often the kernel had to drop events because we were slow.
  std::uint64_t overruns() const { return overruns_; }

 private:
  explicit Monitor(UniqueFd fd);

  UniqueFd fd_;
  bool ipv6_ = false;
  std::uint64_t overruns_ = 0;
  LinkNews news_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(64 * 1024);
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_MONITOR_H_
