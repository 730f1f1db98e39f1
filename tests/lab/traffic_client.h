// Traffic clients: connections whose fate the server tells.
//
// A Connection asks the echo service which source address it sees. Uplinks
// have one address each, so the answer names the uplink. Not for production
// code.
#ifndef UPLINKD_TESTS_LAB_TRAFFIC_CLIENT_H_
#define UPLINKD_TESTS_LAB_TRAFFIC_CLIENT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/lab/lab.h"
#include "tests/lab/namespace.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::lab {

enum class Transport { kTcp, kUdp };

struct Endpoint {
  std::string source = "";  // "": the kernel's choice
  std::string destination = kServerAddress;
  std::uint16_t port = kEchoPort;
  Transport transport = Transport::kTcp;
  std::chrono::milliseconds patience{3000};
};

class Connection {
 public:
  // Connects from inside `where`. Fails with the kernel's words.
  static Result<Connection> Open(const Namespace& where,
                                 const Endpoint& endpoint);
  // The same by a thread that already is inside.
  static Result<Connection> OpenHere(const Endpoint& endpoint);

  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // One exchange with the echo service: the source address that the server
  // sees, or how it failed within the endpoint's patience.
  Result<std::string> Ask();

  int fd() const { return fd_; }

 private:
  explicit Connection(int fd) : fd_(fd) {}

  int fd_ = -1;
};

// Opens `count` connections one after the other; fails at the first that does.
Result<std::vector<Connection>> OpenMany(const Namespace& where,
                                         const Endpoint& endpoint, int count);

// Asks on each connection; fails at the first that does.
Result<std::vector<std::string>> AskAll(std::vector<Connection>& connections);

// How often each answer came.
std::map<std::string, int> Tally(const std::vector<std::string>& answers);

// Connections to the source service that read as fast as they can, in the
// background, until the object goes.
class Downloads {
 public:
  Downloads(const Namespace& where, const Endpoint& endpoint, int count);
  Downloads(const Downloads&) = delete;
  Downloads& operator=(const Downloads&) = delete;
  ~Downloads();

  std::uint64_t bytes() const { return bytes_; }

 private:
  std::vector<Connection> connections_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::thread thread_;
};

// New connections, one after the other without a pause, in the background:
// each connects, asks once and closes.
class ConnectionStream {
 public:
  ConnectionStream(const Namespace& where, Endpoint endpoint);
  ConnectionStream(const ConnectionStream&) = delete;
  ConnectionStream& operator=(const ConnectionStream&) = delete;
  ~ConnectionStream();

  // Ends the stream. The rest is only valid after this.
  void Stop();
  int connections() const { return connections_; }
  // How each failed one failed.
  const std::vector<std::string>& failures() const { return failures_; }
  std::chrono::milliseconds slowest() const { return slowest_; }
  const std::map<std::string, int>& sources() const { return sources_; }

 private:
  void Loop(const Endpoint& endpoint);

  std::atomic<bool> stop_ = false;
  int connections_ = 0;
  std::vector<std::string> failures_;
  std::chrono::milliseconds slowest_{0};
  std::map<std::string, int> sources_;
  std::thread thread_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_TRAFFIC_CLIENT_H_
