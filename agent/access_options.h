// AccessOptions: where the agent serves, and what it needs to know who calls.
//
// The part of the command line that is about access. What cannot be right (TCP
// without mutual TLS) is refused here, with words that say what would be.
#ifndef UPLINKD_AGENT_ACCESS_OPTIONS_H_
#define UPLINKD_AGENT_ACCESS_OPTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
}

namespace uplinkd {

inline constexpr std::string_view kDefaultListen =
    "unix:///run/uplinkd/uplinkd.sock";
// The group of the socket, if there is one of that name.
inline constexpr std::string_view kDefaultSocketGroup = "uplinkd";

struct TcpAddress {
  std::string host;  // an address, not a name
  std::uint16_t port = 0;

  std::string Text() const;  // "192.0.2.1:9870", "[::1]:9870"
};

struct TlsFiles {
  std::string certificate;  // of the agent, and what vouches for it
  std::string key;
  std::string client_ca;  // what must vouch for clients
};

struct AccessOptions {
  std::vector<std::string> sockets;  // paths of Unix sockets
  std::string socket_group;          // "": kDefaultSocketGroup, if it exists
  std::string reader_group;          // "": none
  std::vector<TcpAddress> tcp;
  TlsFiles tls;       // set if there is a TCP address
  std::string roles;  // the file; likewise
};

void AddAccessOptions(CLI::App& app, std::vector<std::string>& listen,
                      AccessOptions& access);

// Takes the addresses of --listen, or the default one, and looks whether it all
// goes together.
Result<void> CompleteAccess(const std::vector<std::string>& listen,
                            AccessOptions& access);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_ACCESS_OPTIONS_H_
