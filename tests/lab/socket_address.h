// An address as bind() and connect() want it, of either family. Not for
// production code.
#ifndef UPLINKD_TESTS_LAB_SOCKET_ADDRESS_H_
#define UPLINKD_TESTS_LAB_SOCKET_ADDRESS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace uplinkd::lab {

class SocketAddress {
 public:
  SocketAddress(const std::string& address, std::uint16_t port) {
    if (address.find(':') != std::string::npos) {
      six_.sin6_family = AF_INET6;
      six_.sin6_port = htons(port);
      inet_pton(AF_INET6, address.c_str(), &six_.sin6_addr);
      return;
    }
    four_.sin_family = AF_INET;
    four_.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &four_.sin_addr);
  }

  int family() const {
    return four_.sin_family == AF_INET ? AF_INET : AF_INET6;
  }
  const sockaddr* get() const {
    return family() == AF_INET ? reinterpret_cast<const sockaddr*>(&four_)
                               : reinterpret_cast<const sockaddr*>(&six_);
  }
  socklen_t size() const {
    return family() == AF_INET ? sizeof(four_) : sizeof(six_);
  }

 private:
  sockaddr_in four_{};
  sockaddr_in6 six_{};
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_SOCKET_ADDRESS_H_
