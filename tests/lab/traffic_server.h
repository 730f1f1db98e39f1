// TrafficServer: what the lab's server offers on every one of its addresses.
//
//   echo     TCP 7000, UDP 7003: each line or datagram is answered with the
//            source address that the server sees, which names the uplink
//   source   TCP 7001: sends as fast as the line takes it
//   discard  TCP 7002: reads and forgets
//   file     TCP 7004: sends kFileBytes, then closes
//
// One thread and one epoll set in the server's namespace; any number of
// connections. Not for production code.
#ifndef UPLINKD_TESTS_LAB_TRAFFIC_SERVER_H_
#define UPLINKD_TESTS_LAB_TRAFFIC_SERVER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "tests/lab/namespace.h"

namespace uplinkd::lab {

inline constexpr std::uint16_t kEchoPort = 7000;
inline constexpr std::uint16_t kSourcePort = 7001;
inline constexpr std::uint16_t kDiscardPort = 7002;
inline constexpr std::uint16_t kUdpEchoPort = 7003;
inline constexpr std::uint16_t kFilePort = 7004;
inline constexpr std::size_t kFileBytes = 50'000;

class TrafficServer {
 public:
  // Listens when it returns. Fails with what bind() says.
  static Result<std::unique_ptr<TrafficServer>> Start(const Namespace& where);
  ~TrafficServer();  // closes every connection

 private:
  TrafficServer() = default;

  void Serve();

  int epoll_ = -1;
  int stop_ = -1;  // eventfd
  std::vector<int> listeners_;
  std::thread thread_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_TRAFFIC_SERVER_H_
