// Statistics: counters of the kernel, for the exporter and for
// least-connections.
//
// Every call is one request to the kernel and its answer; nothing is cached
// and nothing is written. Belongs to the network namespace of the thread that
// opened it, and to one thread at a time, which need not be the one that owns
// the Kernel.
#ifndef UPLINKD_RECONCILER_LINUX_STATISTICS_H_
#define UPLINKD_RECONCILER_LINUX_STATISTICS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "reconciler/result.h"

struct nlmsghdr;

namespace uplinkd {

// Bytes since the link was made, as the driver counts them.
struct LinkCounters {
  std::uint64_t receive_bytes = 0;
  std::uint64_t transmit_bytes = 0;
};

// Of one link, by its number, from an answer of rtnetlink's.
std::optional<std::pair<int, LinkCounters>> DecodeLinkCounters(
    nlmsghdr* message);

struct ConntrackUsage {
  std::uint64_t entries = 0;
  std::uint64_t limit = 0;
};

struct ConnectionCount {
  std::uint64_t all = 0;
  // Of these; see conntrack_entry.h.
  std::uint64_t busy = 0;
  std::uint64_t unanswered = 0;

  friend auto operator<=>(const ConnectionCount&,
                          const ConnectionCount&) = default;
};
// By masked connection mark.
using ConnectionCounts = std::map<std::uint32_t, ConnectionCount>;

class Statistics {
 public:
  // Fails with the errno of the socket calls.
  static Result<std::unique_ptr<Statistics>> Open();
  ~Statistics();
  Statistics(const Statistics&) = delete;
  Statistics& operator=(const Statistics&) = delete;

  // By ifindex; a link that cannot be read, since it is gone, is absent. The
  // cost does not depend on how many other links there are.
  std::map<int, LinkCounters> ReadLinks(const std::set<int>& links);

  // Live connections of both families by `connection mark & mask`, 0 included.
  // One walk of the whole conntrack table: about 1 us per connection, and 15 ns
  // per bucket (nf_conntrack_buckets: 4 ms for the 262144 of a large machine).
  Result<ConnectionCounts> CountConnections(std::uint32_t mask);

  // How full the conntrack table is. Cheap: no walk.
  Result<ConntrackUsage> ReadConntrackUsage();

 private:
  struct Sockets;
  explicit Statistics(std::unique_ptr<Sockets> sockets);

  std::unique_ptr<Sockets> sockets_;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_STATISTICS_H_
