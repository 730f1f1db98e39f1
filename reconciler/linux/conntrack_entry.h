// ConntrackEntry: what a message of ctnetlink says about one connection, and
// whether that connection is busy.
//
// A connection lives long after it has last moved anything: an idle one is no
// load. The kernel keeps no time of the last packet, but each packet winds the
// entry's timeout up again, so what has run off since is how long it was idle.
// That needs no byte counters (nf_conntrack_acct) and nothing remembered of an
// entry between two looks.
#ifndef UPLINKD_RECONCILER_LINUX_CONNTRACK_ENTRY_H_
#define UPLINKD_RECONCILER_LINUX_CONNTRACK_ENTRY_H_

#include <cstdint>
#include <optional>

struct nlmsghdr;

namespace uplinkd {

struct ConntrackEntry {
  std::uint32_t mark = 0;
  std::uint32_t status = 0;     // IPS_*
  std::int64_t timeout = 0;     // seconds left
  std::uint8_t protocol = 0;    // IPPROTO_*
  std::uint8_t tcp_state = 0;   // TCP_CONNTRACK_*
  bool unacknowledged = false;  // TCP data that no acknowledgement was seen of
};

// What cannot be found in `message` is 0.
ConntrackEntry DecodeConntrackEntry(nlmsghdr* message);

// What the kernel winds the timeouts up to, in seconds. None: not known.
struct ConntrackTimeouts {
  std::optional<std::int64_t> tcp_established;
  std::optional<std::int64_t> udp;         // until both sides have spoken
  std::optional<std::int64_t> udp_stream;  // once they go on to
};

// Those of the calling thread's namespace.
ConntrackTimeouts ReadConntrackTimeouts();

// Idle for longer than this is not busy. A TCP sender that has lost four
// packets in a row is silent for 3.2 s and not idle at all.
inline constexpr std::int64_t kIdleSeconds = 5;

// Whether a connection is load for its uplink:
//   - TCP that is being set up. A line that is up but dead is full of these.
//   - TCP that is established and has either moved within kIdleSeconds or has
//     data on its way; then its timeout is another, shorter one.
//   - UDP that has moved within kIdleSeconds.
//   - what a flow table carries: its packets wind nothing up.
// Other TCP states are over, other protocols too few to weigh. Where a timeout
// is not known, or is one of a policy of its own (nfct(8)), all are busy that
// might be.
bool IsBusy(const ConntrackEntry& entry, const ConntrackTimeouts& timeouts);

// Whether a TCP connection was asked for and nothing came back yet. UDP does
// not count: much of it is never answered.
bool IsUnanswered(const ConntrackEntry& entry);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_CONNTRACK_ENTRY_H_
