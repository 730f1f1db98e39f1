// Conntrack: the connections that the kernel tracks, listed and ended by mark.
//
// Every call is one or a few requests to the kernel and their answers; nothing
// is cached. Belongs to the network namespace of the thread that opened it, and
// to one thread at a time. Statistics has what only counts.
#ifndef UPLINKD_RECONCILER_LINUX_CONNTRACK_H_
#define UPLINKD_RECONCILER_LINUX_CONNTRACK_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "reconciler/ip.h"
#include "reconciler/mark.h"
#include "reconciler/result.h"

namespace uplinkd {

class NlSocket;

// One tracked connection, as who began it sees it.
struct Connection {
  std::uint8_t protocol = 0;  // IPPROTO_*
  Address source;
  Address destination;
  std::uint16_t source_port = 0;  // 0 where the protocol has none
  std::uint16_t destination_port = 0;
  std::uint32_t mark = 0;
  bool replied = false;  // the other side was heard of
  // In both directions; none where the kernel does not account for it (sysctl
  // net.netfilter.nf_conntrack_acct when the connection began).
  std::optional<std::uint64_t> bytes;

  friend auto operator<=>(const Connection&, const Connection&) = default;
};
using ConnectionHandler = std::function<void(const Connection&)>;

class Conntrack {
 public:
  // Fails with the errno of the socket calls.
  static Result<std::unique_ptr<Conntrack>> Open();
  ~Conntrack();
  Conntrack(const Conntrack&) = delete;
  Conntrack& operator=(const Conntrack&) = delete;

  // Calls `handler` with each connection whose mark is `filter.value` under
  // `filter.mask`; the kernel does the choosing. Mark{0, 0}: with all. A
  // connection that comes or goes meanwhile may be missed. About 1 us for each.
  Result<void> List(const Mark& filter, const ConnectionHandler& handler);

  // Ends those of `family` that List() would list, in the kernel, in one
  // request; returns how many there were just before. The next packet of such a
  // connection starts a new one. About 5 us for each.
  //
  // kInvalidArgument: the mark or the mask is 0, or the mark has bits outside
  // of the mask; the kernel would take the first two for "all connections".
  // kInternal: the kernel seems not to heed the mark; nothing was ended.
  Result<std::uint64_t> Cut(const Mark& mark, Family family);

 private:
  explicit Conntrack(std::unique_ptr<NlSocket> socket);

  Result<std::uint64_t> Count(const Mark& mark, Family family);
  Result<bool> RefusesBadFilter(const Mark& mark, Family family);

  std::unique_ptr<NlSocket> socket_;
  bool heeds_filters_ = false;  // when it deletes: it was seen to
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_CONNTRACK_H_
