#include "agent/probe_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

namespace uplinkd {
namespace {

tl::unexpected<Error> FaultOf(int error, const std::string& doing) {
  const ErrorCode code = error == EPERM || error == EACCES
                             ? ErrorCode::kPermissionDenied
                             : ErrorCode::kUnavailable;
  return Fail(code,
              doing + (doing.empty() ? "" : ": ") +
                  std::generic_category().message(error),
              error);
}

}  // namespace

tl::unexpected<Error> SocketFault(const std::string& doing) {
  return FaultOf(errno, doing);
}

sockaddr_in SocketAddress(const Address& address, std::uint16_t port) {
  sockaddr_in socket_address{};
  socket_address.sin_family = AF_INET;
  socket_address.sin_port = htons(port);
  socket_address.sin_addr.s_addr = htonl(address.ipv4());
  return socket_address;
}

Result<UniqueFd> OpenPinned(const ProbePath& path, int type, int protocol) {
  UniqueFd fd(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return SocketFault("cannot open a socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, path.link.data(),
                 static_cast<socklen_t>(path.link.size())) != 0) {
    return SocketFault("cannot use " + path.link);
  }
  if (setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &path.mark,
                 sizeof(path.mark)) != 0) {
    return SocketFault("cannot set the mark");
  }
  const sockaddr_in source = SocketAddress(path.source, 0);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&source),
           sizeof(source)) != 0) {
    return SocketFault("cannot use " + path.source.ToString());
  }
  return fd;
}

Result<void> ConnectTo(int fd, const Address& target, std::uint16_t port) {
  const sockaddr_in address = SocketAddress(target, port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0 &&
      errno != EINPROGRESS) {
    return SocketFault("");
  }
  return {};
}

Result<void> ConnectionOutcome(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    return SocketFault("");
  }
  if (error != 0) return FaultOf(error, "");
  return {};
}

}  // namespace uplinkd
