// Peers: the open connections of clients, and who is behind each.
//
// gRPC tells the service nothing about the other end of a Unix socket. But a
// connection that is handed to it as a descriptor has that number as its name
// ("fd:8192"), so each gets a number here that leads back to its caller.
// Numbers go round: one is not used again before thousands of others were,
// since a request may outlive its connection and must not pass for that of the
// next. Every function may be called from any thread.
//
// Who may be in whose way:
//
// - Root has a pool of its own, and so has the agent's own user. Nobody else
//   can take a place of theirs, nor the last of the numbers.
// - The other users share a pool for each role, so that whoever may do less is
//   never in the way of those who may do more. One user has no more than its
//   share. Two operators together can keep a third one out, but not root.
// - A TCP connection is a stranger until a request of it was admitted: then its
//   TLS handshake is done and its certificate has a role. Strangers have a
//   small pool. Where it is full, the newest comes in and one of the network
//   with the most is cut off, its oldest. So who has no certificate is in the
//   way of none that is admitted. A flood from many networks can cut off
//   newcomers before their first request, and those that make none.
// - Admitted TCP connections are counted by network, not by role.
#ifndef UPLINKD_AGENT_PEERS_H_
#define UPLINKD_AGENT_PEERS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/caller.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// The other end of a TCP connection.
struct TcpEnd {
  std::string host;  // as inet_ntop() writes it
  std::uint16_t port = 0;

  friend bool operator==(const TcpEnd&, const TcpEnd&) = default;
};

// Whom a host counts with where there are limits: itself in IPv4, its /64 in
// IPv6, which may be one machine's alone.
std::string NetworkOf(const std::string& host);

class Peers {
 public:
  // Connections that may be open at once, each 20 kB of memory (measured; see
  // docs/operations.md).
  static constexpr int kMaxOfAUser = 1024;  // root and the agent's own, too
  static constexpr int kMaxOfARole = 1200;
  static constexpr int kMaxStrangers = 32;
  static constexpr int kMaxOverTcp = 1200;
  static constexpr int kMaxOfANetwork = 256;
  static constexpr int kMaxTcpStrangers = 64;
  static constexpr int kMaxTcpStrangersOfANetwork = 16;

  // Half of them are for connections: more than twice as many as there may be,
  // so that numbers have a long way to go round.
  static constexpr int kDescriptors = 32768;

  // Raises this process's limit of open files to so many, if it may; makes do
  // with fewer.
  explicit Peers(int descriptors = kDescriptors);
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // Takes a connection in: the number that it has from now on, which belongs to
  // whom it is handed to. kResourceExhausted: there are too many.
  Result<int> EnterUnix(UniqueFd connection, const Caller& caller);
  // There are never too many; one that came earlier may be cut off for it.
  Result<int> EnterTcp(UniqueFd connection, const TcpEnd& end);

  // A request of the TCP connection that gRPC calls `peer` was admitted. It is
  // no stranger from now on, if the pool of those has room; else it is served
  // all the same.
  void NoteAdmitted(std::string_view peer);

  // Who is behind the connection that gRPC calls `peer`. Nobody, without a
  // role, if there is no such connection by Unix socket.
  Caller Find(std::string_view peer) const;

 private:
  enum class Pool { kRoot, kOwn, kOperators, kReaders, kStrangers, kTcp };
  struct Peer {
    std::uint64_t cookie = 0;  // the kernel's name for this very socket
    Pool pool = Pool::kStrangers;
    std::string share;  // whose places of the pool it takes
    Caller caller;      // of a Unix socket
  };
  struct TcpStranger {
    std::uint64_t cookie = 0;
    std::uint64_t turn = 0;  // a later one is higher
    TcpEnd end;
    std::string network;
  };

  Pool PoolOf(const Caller& caller) const;
  // Below, with mutex_ held.
  Result<void> MakeRoom(const Peer& peer);
  Result<void> CheckRoom(const Peer& peer) const;
  Result<void> CheckNumbers() const;
  void MakeRoomForStranger(const std::string& network);
  Result<int> NextNumber(int connection);

  const std::string own_key_;  // of callers that run as this process does
  int first_number_ = 0;
  int last_number_ = 0;

  mutable std::mutex mutex_;
  int next_number_ = 0;        // guarded by mutex_
  std::map<int, Peer> peers_;  // guarded by mutex_; by number
  // Likewise; a number is in one of the two.
  std::map<int, TcpStranger> tcp_strangers_;
  std::uint64_t turns_ = 0;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PEERS_H_
