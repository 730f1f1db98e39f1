// Peers: the open connections of clients, and who is behind each.
//
// gRPC tells the service nothing about the other end of a Unix socket. But a
// connection that is handed to it as a descriptor has that number as its name
// ("fd:8192"), so each gets a number here that leads back to its caller.
// Numbers go round: one is not used again before thousands of others were,
// since a request may outlive its connection and must not pass for that of the
// next. Every function may be called from any thread.
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

class Peers {
 public:
  // Connections that may be open at once, each 20 kB of memory (measured; see
  // docs/operations.md). Apart by role, so that whoever may do less is never in
  // the way of those who may do more; apart by address, so that one host is not
  // in the way of another.
  static constexpr int kMaxOfARole = 1200;
  static constexpr int kMaxStrangers = 32;
  static constexpr int kMaxOverTcp = 1200;
  static constexpr int kMaxOfAnAddress = 256;

  // Raises this process's limit of open files to what the above needs, if it
  // may.
  Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // Takes a connection in: the number that it has from now on, which belongs to
  // whom it is handed to. kResourceExhausted: there are too many.
  Result<int> EnterUnix(UniqueFd connection, const Caller& caller);
  Result<int> EnterTcp(UniqueFd connection, const std::string& address);

  // Who is behind the connection that gRPC calls `peer`. Nobody, without a
  // role, if there is no such connection by Unix socket.
  Caller Find(std::string_view peer) const;

 private:
  struct Peer {
    std::uint64_t cookie = 0;  // the kernel's name for this very socket
    std::string group;         // who it is counted with
    Caller caller;
  };

  Result<int> Enter(UniqueFd connection, int most, Peer peer);
  // In the groups whose names begin with `group`.
  Result<void> MakeRoom(const std::string& group, int most);
  Result<int> NextNumber(int connection);

  int first_number_ = 0;
  int last_number_ = 0;

  mutable std::mutex mutex_;
  int next_number_ = 0;        // guarded by mutex_
  std::map<int, Peer> peers_;  // guarded by mutex_; by number
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PEERS_H_
