#include "reconciler/linux/instance.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "reconciler/linux/unique_fd.h"

namespace uplinkd {
namespace {

constexpr std::string_view kName = "uplinkd";

// " (process 1234)", or "" if the holder does not tell.
std::string HolderText(const sockaddr_un& address, socklen_t length) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return "";
  const UniqueFd owner(fd);
  ucred holder{};
  socklen_t size = sizeof(holder);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &size) != 0 ||
      holder.pid <= 0) {
    return "";
  }
  return " (process " + std::to_string(holder.pid) + ")";
}

}  // namespace

Result<Instance> Instance::Take() {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) {
    return Fail(ErrorCode::kInternal,
                std::string("cannot open a Unix socket: ") + strerror(errno),
                errno);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The first byte of the path stays 0: that makes the name abstract.
  kName.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
  const socklen_t length = static_cast<socklen_t>(
      offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) ==
      0) {
    // Only so that the next one can ask who we are. Connections are never
    // accepted; when the queue is full, the question stays unanswered.
    listen(fd.get(), SOMAXCONN);
    return Instance(std::move(fd));
  }
  const int error = errno;
  if (error == EADDRINUSE) {
    return Fail(ErrorCode::kAlreadyExists,
                "another uplinkd" + HolderText(address, length) +
                    " runs in this network namespace (the abstract socket "
                    "@uplinkd is taken)",
                error);
  }
  return Fail(ErrorCode::kInternal,
              std::string("cannot bind the abstract socket @uplinkd: ") +
                  strerror(error),
              error);
}

Result<bool> Instance::IsTaken() {
  // /proc/net would show the namespace of the process's first thread.
  std::ifstream sockets("/proc/thread-self/net/unix");
  if (!sockets) {
    return Fail(ErrorCode::kFailedPrecondition,
                "cannot read /proc/thread-self/net/unix", errno);
  }
  // The path is the last column; an abstract name is shown with a "@".
  const std::string ending = " @" + std::string(kName);
  for (std::string line; std::getline(sockets, line);) {
    if (line.ends_with(ending)) return true;
  }
  return false;
}

}  // namespace uplinkd
