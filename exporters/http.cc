#include "exporters/http.h"

#include <httplib.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "exporters/bounded_tasks.h"
#include "exporters/metrics.h"
#include "exporters/page_files.h"

namespace uplinkd {
namespace {

// A router is scraped by one or two servers; the rest is for slow clients.
constexpr std::size_t kMaxConnections = 64;
// A request is one packet, and an answer fits into the kernel's buffers.
constexpr std::chrono::milliseconds kClientTimeout{500};
// Connections that have sent nothing so far wait in the kernel this long.
constexpr int kSilentSeconds = 5;
// Of them; the kernel takes the least of this and net.core.somaxconn.
constexpr int kBacklog = 4096;

// The page's scripts and styles come from this server alone, it talks to no
// other, and no other page shows it in a frame.
httplib::Headers HeadersOfAnswers() {
  return {
      {"Content-Security-Policy",
       "default-src 'self'; base-uri 'none'; form-action 'none'; "
       "frame-ancestors 'none'; object-src 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      // What another version of the agent served must not be mixed with ours.
      {"Cache-Control", "no-store"},
  };
}

void RefuseWrites(const httplib::Request& request,
                  httplib::Response& response) {
  response.status = 405;
  response.set_header("Allow", "GET, HEAD");
  response.set_content(request.method + " changes things; this only shows\n",
                       "text/plain");
}

struct HostPort {
  std::string host;
  int port = 0;
};

// "127.0.0.1:9871", "[::1]:9871" or ":9871" (every address).
std::optional<HostPort> ParseListen(std::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = listen.substr(0, colon);
  const std::string_view port = listen.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  HostPort result{host.empty() ? "0.0.0.0" : std::string(host), 0};
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return std::nullopt;
  }
  if (result.port < 0 || result.port > 65535) return std::nullopt;
  return result;
}

class HttplibServer final : public MetricsServer {
 public:
  explicit HttplibServer(Sources sources) : sources_(std::move(sources)) {
    server_.new_task_queue = [] { return new BoundedTasks(kMaxConnections); };
    server_.set_read_timeout(kClientTimeout);
    server_.set_write_timeout(kClientTimeout);
    // One answer per connection: an idle one would hold a thread.
    server_.set_keep_alive_max_count(1);
    server_.set_keep_alive_timeout(1);  // for its request; the least there is
    // The library's default also sets SO_REUSEPORT, with which a second
    // program could quietly share the address.
    server_.set_socket_options([this](int fd) {
      const int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
      setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &kSilentSeconds,
                 sizeof(kSilentSeconds));
      listener_ = fd;
    });
    server_.set_default_headers(HeadersOfAnswers());
    server_.set_pre_routing_handler(
        [](const httplib::Request& request, httplib::Response& response) {
          if (request.method == "GET" || request.method == "HEAD") {
            return httplib::Server::HandlerResponse::Unhandled;
          }
          RefuseWrites(request, response);
          return httplib::Server::HandlerResponse::Handled;
        });
    ServeMetrics();
    ServePage();
  }

  ~HttplibServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // False, and why in errno; 0 if that is not known.
  bool Bind(const HostPort& where) {
    errno = 0;
    port_ = where.port;
    const bool bound = where.port == 0
                           ? (port_ = server_.bind_to_any_port(where.host)) > 0
                           : server_.bind_to_port(where.host, where.port);
    // The library listens with a backlog of 5.
    return bound && listen(listener_, kBacklog) == 0;
  }

  void Serve() {
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() only works on a server that runs.
    while (!server_.is_running()) std::this_thread::yield();
  }

  int port() const override { return port_; }

 private:
  void ServeMetrics() {
    server_.Get("/metrics", [this](const httplib::Request&,
                                   httplib::Response& response) {
      const SnapshotPointer snapshot = sources_.metrics();
      if (snapshot == nullptr) {
        response.status = 503;
        response.set_content("no snapshot yet\n", "text/plain");
        return;
      }
      response.set_content(RenderMetrics(*snapshot),
                           "text/plain; version=0.0.4; charset=utf-8");
    });
  }

  void ServePage() {
    server_.Get("/(page/.*)?", [](const httplib::Request& request,
                                  httplib::Response& response) {
      const auto files = PageFiles();
      const auto file = std::ranges::find(files, request.path, &PageFile::path);
      if (file == files.end()) {
        response.status = 404;
        return;
      }
      response.set_content(file->text.data(), file->text.size(),
                           std::string(file->type));
    });
    server_.Get(R"(/state\.json)",
                [this](const httplib::Request&, httplib::Response& response) {
                  std::string text = sources_.live_state();
                  if (text.empty()) {
                    response.status = 503;
                    text = "{}";
                  }
                  response.set_content(text, "application/json");
                });
  }

  Sources sources_;
  httplib::Server server_;
  std::thread thread_;
  int listener_ = -1;  // owned by server_
  int port_ = 0;
};

std::string WhyNotBound(int system_errno) {
  switch (system_errno) {
    case EADDRINUSE: return "another program listens there";
    case EADDRNOTAVAIL: return "this host does not have the address";
    case 0: return "the address is in use or not one of this host";
    default: return std::generic_category().message(system_errno);
  }
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& listen, Sources sources) {
  const std::optional<HostPort> where = ParseListen(listen);
  if (!where) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot serve metrics on \"" + listen +
                    "\": expected ADDRESS:PORT, such as 127.0.0.1:9871");
  }
  auto server = std::make_unique<HttplibServer>(std::move(sources));
  if (!server->Bind(*where)) {
    return Fail(ErrorCode::kUnavailable, "cannot serve metrics on " + listen +
                                             ": " + WhyNotBound(errno) +
                                             "; see --metrics-listen");
  }
  server->Serve();
  return server;
}

}  // namespace uplinkd
