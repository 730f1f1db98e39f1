// Listener: accepts connections and hands them to gRPC.
//
// In a thread of its own, which waits for nothing else. It knows who is at the
// other end of a Unix socket before gRPC gets it, and keeps the number of
// connections, and how fast they come, within limits.
#ifndef UPLINKD_AGENT_LISTENER_H_
#define UPLINKD_AGENT_LISTENER_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "agent/access_options.h"
#include "agent/local_caller.h"
#include "agent/peers.h"
#include "agent/token_bucket.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// Makes root's process a member of the group that Unix sockets get, as long as
// it has the capability for that: later it may give them to no other group.
Result<void> JoinSocketGroup(const AccessOptions& options);

class Listener {
 public:
  // In the listener's thread.
  struct Handlers {
    std::function<void(int fd)> unix_connection;  // owns `fd` from now on
    std::function<void(int fd)> tcp_connection;   // likewise
    std::function<void()> each_second;
  };

  // `peers` must outlive it.
  explicit Listener(Peers& peers);
  ~Listener();  // as Stop(); removes the sockets
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Makes the sockets' directories and the sockets, replacing those that a
  // dead process left behind; waits for nobody. Fails with kAlreadyExists if
  // somebody serves there, or something that is no socket is there; with
  // kNotFound if there is no such group. Before Start(), which needs it.
  Result<void> Open(const AccessOptions& options);
  void Start(Handlers handlers);
  // Accepts nothing more; what was accepted is none of its business.
  void Stop();

  // The ports of the TCP addresses, in order: of port 0, which one it became.
  std::vector<std::uint16_t> TcpPorts() const;

 private:
  struct Socket {
    UniqueFd fd;
    std::string path;  // of a Unix socket
    RoleGroups groups;
    std::uint64_t inode = 0;  // of the path, as we made it
  };

  Result<void> OpenUnix(const std::string& path, const AccessOptions& options);
  Result<void> OpenTcp(const TcpAddress& address);
  void Run();
  void AcceptSome(const Socket& socket);
  void TakeUnix(UniqueFd connection, const RoleGroups& groups);
  void TakeTcp(UniqueFd connection);
  // Whether the limit of arrivals lets one more of `who` in; logs if not.
  bool MayCome(const std::string& who);

  Peers& peers_;
  TokenBuckets arrivals_;
  std::vector<Socket> sockets_;
  Handlers handlers_;
  UniqueFd stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LISTENER_H_
