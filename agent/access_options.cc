#include "agent/access_options.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace uplinkd {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kTcp = "tcp://";
// sizeof(sockaddr_un::sun_path) without the final NUL.
constexpr std::size_t kLongestSocketPath = 107;

tl::unexpected<Error> Wrong(std::string_view listen, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              "--listen " + std::string(listen) + ": " + why);
}

// The path of "unix:///path" or "unix:/path".
Result<std::string> SocketPath(std::string_view listen) {
  std::string_view path = listen.substr(kUnix.size());
  if (path.starts_with("//")) path.remove_prefix(2);
  if (!path.starts_with('/')) {
    return Wrong(listen, "expected an absolute path, such as " +
                             std::string(kDefaultListen));
  }
  if (path.size() > kLongestSocketPath) {
    return Wrong(listen,
                 "the path of a Unix socket has at most 107 characters");
  }
  return std::string(path);
}

bool IsAddress(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return port;
}

Result<TcpAddress> ParseTcp(std::string_view listen) {
  const std::string_view rest = listen.substr(kTcp.size());
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos) {
    std::string host(rest.substr(0, colon));
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto port = ParsePort(rest.substr(colon + 1));
    const bool six = host.find(':') != std::string::npos;
    if (port && IsAddress(host) && six == bracketed) {
      return TcpAddress{std::move(host), *port};
    }
  }
  return Wrong(listen,
               "expected an address and a port, such as tcp://192.0.2.1:9870 "
               "or tcp://[::]:9870; names are not resolved");
}

Result<void> TakeListen(const std::string& listen, AccessOptions& access) {
  if (listen.starts_with(kUnix)) {
    Result<std::string> path = SocketPath(listen);
    if (!path) return tl::unexpected(path.error());
    access.sockets.push_back(*std::move(path));
    return {};
  }
  if (listen.starts_with(kTcp)) {
    Result<TcpAddress> address = ParseTcp(listen);
    if (!address) return tl::unexpected(address.error());
    access.tcp.push_back(*std::move(address));
    return {};
  }
  return Wrong(listen, "expected a Unix socket, such as " +
                           std::string(kDefaultListen) +
                           ", or tcp://ADDRESS:PORT, with mutual TLS");
}

}  // namespace

std::string TcpAddress::Text() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void AddAccessOptions(CLI::App& app, std::vector<std::string>& listen,
                      AccessOptions& access) {
  app.add_option("--listen", listen,
                 "Serve here: unix:///PATH, or tcp://ADDRESS:PORT with mutual "
                 "TLS; may be given more than once "
                 "[unix:///run/uplinkd/uplinkd.sock]")
      ->type_name("ADDRESS")
      ->expected(1)
      ->take_all();
  app.add_option("--socket-group", access.socket_group,
                 "Group of the Unix sockets: its members are operators, as "
                 "root is [uplinkd, if there is such a group]")
      ->type_name("GROUP");
  app.add_option("--reader-group", access.reader_group,
                 "Group whose members may look, but change nothing. Anybody "
                 "may connect to the Unix sockets then")
      ->type_name("GROUP");
  const auto file = [&app](const char* flag, std::string& value,
                           const char* description) {
    app.add_option(flag, value, description)->type_name("FILE");
  };
  file("--tls-certificate", access.tls.certificate,
       "For TCP: the agent's certificate (PEM), with the intermediate ones "
       "after it. These files are read again when they change");
  file("--tls-key", access.tls.key, "For TCP: its private key");
  file("--tls-client-ca", access.tls.client_ca,
       "For TCP: the authorities that vouch for clients");
  file("--roles", access.roles,
       "For TCP: which certificate names are readers and operators (YAML)");
}

Result<void> CompleteAccess(const std::vector<std::string>& listen,
                            AccessOptions& access) {
  for (const std::string& address : listen) {
    if (Result<void> taken = TakeListen(address, access); !taken) return taken;
  }
  if (listen.empty()) {
    access.sockets.emplace_back(SocketPath(kDefaultListen).value());
  }
  const std::array<std::pair<const char*, const std::string*>, 4> needed = {{
      {"--tls-certificate", &access.tls.certificate},
      {"--tls-key", &access.tls.key},
      {"--tls-client-ca", &access.tls.client_ca},
      {"--roles", &access.roles},
  }};
  for (const auto& [flag, value] : needed) {
    if (!access.tcp.empty() && value->empty()) {
      return Wrong("tcp://" + access.tcp.front().Text(),
                   std::string("serving over TCP needs mutual TLS: give ") +
                       flag + " as well");
    }
    if (access.tcp.empty() && !value->empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  std::string(flag) +
                      " is for TCP: give --listen tcp://ADDRESS:PORT as well");
    }
  }
  return {};
}

}  // namespace uplinkd
