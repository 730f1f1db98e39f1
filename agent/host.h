// Host: the agent's door to the machine it runs on.
//
// The kernel that is kept in order, the descriptors that say when to look, and
// the counters for the exporter. One thread, the engine's, uses all of it and
// opens it. The tests have one around a fake kernel.
#ifndef UPLINKD_AGENT_HOST_H_
#define UPLINKD_AGENT_HOST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reconciler/kernel.h"
#include "reconciler/linux/conntrack.h"
#include "reconciler/linux/statistics.h"
#include "reconciler/result.h"
#include "reconciler/schedule.h"
#include "reconciler/trace.h"

namespace uplinkd {

class Host {
 public:
  // Something that becomes readable when a pass may be due.
  struct Wake {
    int fd = -1;  // owned by the host
    Trigger trigger = Trigger::kEvent;
    // Reads all that is queued, without blocking. True: a pass is due.
    std::function<bool()> drain;
  };

  virtual ~Host() = default;

  virtual Kernel& kernel() = 0;
  // Valid as long as the host is.
  virtual std::vector<Wake> wakes() = 0;
  // From now on routes of these tables wake us. See Monitor::WatchTables().
  virtual Result<void> WatchTables(const std::set<std::uint32_t>& tables,
                                   bool ipv6) = 0;

  // See Statistics.
  virtual std::map<int, LinkCounters> ReadLinks(const std::set<int>& links) = 0;
  // Live connections by masked connection mark.
  virtual Result<ConnectionCounts> CountConnections(std::uint32_t mask) = 0;
  virtual Result<ConntrackUsage> ReadConntrackUsage() = 0;

  // See reconciler/linux/route_lookup.h.
  virtual Result<Route> LookUpRoute(const Flow& flow, std::uint32_t mark) = 0;

  // See Conntrack.
  virtual Result<void> ListConnections(const Mark& filter,
                                       const ConnectionHandler& handler) = 0;
  virtual Result<std::uint64_t> CutConnections(const Mark& mark,
                                               Family family) = 0;

  virtual std::uint64_t overruns() const = 0;
};

using HostFactory = std::function<Result<std::unique_ptr<Host>>()>;

// The host of the calling thread's network namespace. Fails if netlink sockets
// cannot be opened, or with kPermissionDenied.
Result<std::unique_ptr<Host>> OpenLinuxHost();

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_HOST_H_
