// Lab: a router with several uplinks and the world around it, as namespaces.
//
//                          wan1 +-----------+ 198.19.1.0/24
//                     +---------| provider1 |--------+
//   +--------+ lan0 +--------+  +-----------+   +--------+
//   | client |------| router |                  | server | 203.0.113.10
//   +--------+      +--------+  +-----------+   +--------+
//   192.168.10.0/24   +---------| provider2 |--------+
//                          wan2 +-----------+ 198.19.2.0/24
//
// Uplink N has the address 198.18.N.2 and the gateway 198.18.N.1, so the
// source address that the server sees names the uplink. A provider drops
// packets with a source that is not its customer's, as a real one does, and
// counts them. Each line is shaped in both directions. `main` has a default
// route through every uplink, as DHCP clients leave them: metric 100 * N.
//
// Everything is gone when the object goes. The xtables lock of programs that
// are started from this process is a private file (XTABLES_LOCKFILE).
#ifndef UPLINKD_TESTS_LAB_LAB_H_
#define UPLINKD_TESTS_LAB_LAB_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/lab/namespace.h"
#include "tests/lab/process.h"

namespace uplinkd::lab {

// The speed of a line in Mbit/s as the customer sees it; 0: not shaped.
struct Line {
  int download = 0;
  int upload = 0;
};

struct LabOptions {
  std::vector<Line> lines{{}, {}};  // one provider each, at most 32
  int rp_filter = 2;                // of the router, all links
  // The client's addresses are 192.168.10.2 and the next ones.
  int client_addresses = 1;
  // For measurements: without it the providers do not check sources.
  bool check_sources = true;
};

inline constexpr char kServerAddress[] = "203.0.113.10";
inline constexpr char kRouterLanAddress[] = "192.168.10.1";
inline constexpr char kLanNetwork[] = "192.168.10.0/24";

std::string ClientAddress(int ordinal = 0);  // "192.168.10.2"
// N counts from 1.
std::string UplinkAddress(std::size_t n);  // "198.18.N.2"
std::string GatewayAddress(std::size_t n);
std::string UplinkInterface(std::size_t n);  // "wanN"

class Lab {
 public:
  // Builds everything. Fails with the words of the program that failed, for
  // example when this process is not root.
  static Result<std::unique_ptr<Lab>> Create(const LabOptions& options);
  ~Lab();

  const Namespace& client() const { return client_; }
  const Namespace& router() const { return router_; }
  const Namespace& server() const { return server_; }
  const Namespace& provider(std::size_t n) const { return providers_[n - 1]; }
  std::size_t uplinks() const { return providers_.size(); }

  // A private directory for sockets, state and logs.
  const std::filesystem::path& directory() const { return directory_; }

  // Adds the link and address of uplink N again after it was deleted.
  CommandResult PlugIn(std::size_t n) const;

  // Packets that provider N dropped since their source was not its customer's.
  std::uint64_t WrongSources(std::size_t n) const;
  std::uint64_t WrongSources() const;  // at all providers

 private:
  Lab(Namespace client, Namespace router, Namespace server)
      : client_(std::move(client)),
        router_(std::move(router)),
        server_(std::move(server)) {}

  Result<void> Build();
  std::string LineScript(std::size_t n) const;

  LabOptions options_;
  std::filesystem::path directory_;
  Namespace client_;
  Namespace router_;
  Namespace server_;
  std::vector<Namespace> providers_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_LAB_H_
