#include "agent/probe_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
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

// An address as the kernel has it.
class SocketAddress {
 public:
  SocketAddress(const Address& address, std::uint16_t port) {
    if (address.family() == Family::kIpv6) {
      six_.sin6_family = AF_INET6;
      six_.sin6_port = htons(port);
      std::memcpy(&six_.sin6_addr, address.bytes().data(),
                  sizeof(six_.sin6_addr));
    } else {
      four_.sin_family = AF_INET;
      four_.sin_port = htons(port);
      four_.sin_addr.s_addr = htonl(address.ipv4());
    }
  }

  const sockaddr* get() const {
    return IsIpv6() ? reinterpret_cast<const sockaddr*>(&six_)
                    : reinterpret_cast<const sockaddr*>(&four_);
  }
  socklen_t size() const { return IsIpv6() ? sizeof(six_) : sizeof(four_); }

 private:
  bool IsIpv6() const { return six_.sin6_family == AF_INET6; }

  sockaddr_in four_{};
  sockaddr_in6 six_{};
};

}  // namespace

tl::unexpected<Error> SocketFault(const std::string& doing) {
  return FaultOf(errno, doing);
}

Result<UniqueFd> OpenPinned(const ProbePath& path, Family family, int type,
                            int protocol) {
  const bool six = family == Family::kIpv6;
  const std::optional<Address>& own = six ? path.source6 : path.source;
  if (!own) {
    return Fail(ErrorCode::kNotFound,
                path.link + " has no " + FamilyName(family) + " address");
  }
  UniqueFd fd(socket(six ? AF_INET6 : AF_INET,
                     type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd) return SocketFault("cannot open a socket");
  if (setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, path.link.data(),
                 static_cast<socklen_t>(path.link.size())) != 0) {
    return SocketFault("cannot use " + path.link);
  }
  if (setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &path.mark,
                 sizeof(path.mark)) != 0) {
    return SocketFault("cannot set the mark");
  }
  const SocketAddress source(*own, 0);
  if (bind(fd.get(), source.get(), source.size()) != 0) {
    return SocketFault("cannot use " + own->ToString());
  }
  return fd;
}

Result<void> ConnectTo(int fd, const Address& target, std::uint16_t port) {
  const SocketAddress address(target, port);
  if (connect(fd, address.get(), address.size()) != 0 && errno != EINPROGRESS) {
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
