#include "reconciler/linux/nl_watch.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

#include "reconciler/linux/nl_socket.h"

namespace uplinkd {

Result<NlWatch> NlWatch::Open(int group) {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     NETLINK_ROUTE));
  // Unbound, it would be deaf; see Monitor.
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  if (!fd ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) !=
          0 ||
      setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                 sizeof(group)) != 0) {
    return tl::unexpected(NetlinkError(errno));
  }
  return NlWatch(std::move(fd));
}

bool NlWatch::Quiet() {
  bool quiet = true;
  while (true) {
    std::byte any{};
    const ssize_t size = recv(fd_.get(), &any, sizeof(any), MSG_TRUNC);
    if (size < 0 && errno == EINTR) continue;
    // ENOBUFS stands for events that found no room.
    if (size < 0 && errno != ENOBUFS) return quiet;
    quiet = false;
  }
}

}  // namespace uplinkd
