#include "exporters/http.h"

#include <httplib.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "exporters/http_address.h"
#include "exporters/http_server.h"
#include "exporters/metrics_text.h"
#include "exporters/page_files.h"

namespace uplinkd {
namespace {

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

// A page of another site can be shown in a browser that reaches this host, and
// make its own name an address of ours: what it then asks for it may read. So
// who reaches this host's loopback address has to call it by an address.
bool MayBeAForeignPage(const httplib::Request& request) {
  const auto [first, last] = request.headers.equal_range("Host");
  return std::any_of(first, last, [](const auto& field) {
    return !IsAddressOrLocalhost(field.second);
  });
}

void RefuseForeignPage(httplib::Response& response) {
  response.status = 421;
  response.set_content(
      "call this host by its address or \"localhost\": by another name a "
      "page of another site could read this\n",
      "text/plain");
}

class HttplibServer final : public MetricsServer {
 public:
  HttplibServer(const ListenAddress& where, Sources sources)
      : where_(where), sources_(std::move(sources)) {
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
        [this](const httplib::Request& request, httplib::Response& response) {
          return Refuses(request, response)
                     ? httplib::Server::HandlerResponse::Handled
                     : httplib::Server::HandlerResponse::Unhandled;
        });
    ServeMetrics();
    ServePage();
  }

  ~HttplibServer() override {
    server_.EndConnections();  // its threads are waited for
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // False, and why in errno; 0 if that is not known.
  bool Bind() {
    if (where_.address) return BindTo(where_.address->ToString());
    // For both families, unless the kernel has but one.
    return BindTo("::") || (errno != EADDRINUSE && BindTo("0.0.0.0"));
  }

  void Serve() {
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // stop() only works on a server that runs.
    while (!server_.is_running()) std::this_thread::yield();
  }

  int port() const override { return port_; }

 private:
  bool BindTo(const std::string& host) {
    errno = 0;
    port_ = where_.port;
    const bool bound = port_ == 0 ? (port_ = server_.bind_to_any_port(host)) > 0
                                  : server_.bind_to_port(host, port_);
    // The library listens with a backlog of 5.
    return bound && listen(listener_, kBacklog) == 0;
  }

  bool Refuses(const httplib::Request& request,
               httplib::Response& response) const {
    if (request.method != "GET" && request.method != "HEAD") {
      RefuseWrites(request, response);
      return true;
    }
    if (IsLoopback(where_) && request.path != "/metrics" &&
        MayBeAForeignPage(request)) {
      RefuseForeignPage(response);
      return true;
    }
    return false;
  }

  void ServeMetrics() {
    server_.Get("/metrics", [this](const httplib::Request&,
                                   httplib::Response& response) {
      const SnapshotPointer snapshot = sources_.metrics();
      if (snapshot == nullptr) {
        response.status = 503;
        response.set_content("no snapshot yet\n", "text/plain");
        return;
      }
      response.set_content(*metrics_text_.Of(snapshot),
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

  const ListenAddress where_;
  const Sources sources_;
  MetricsText metrics_text_;
  HttpServer server_;
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
  const std::optional<ListenAddress> where = ParseListen(listen);
  if (!where) {
    return Fail(ErrorCode::kInvalidArgument,
                "cannot serve metrics on \"" + listen +
                    "\": expected ADDRESS:PORT, such as 127.0.0.1:9871 or "
                    "[::1]:9871; the address is IPv4 or IPv6, not a name, and "
                    "may be left out");
  }
  auto server = std::make_unique<HttplibServer>(*where, std::move(sources));
  if (!server->Bind()) {
    return Fail(ErrorCode::kUnavailable, "cannot serve metrics on " + listen +
                                             ": " + WhyNotBound(errno) +
                                             "; see --metrics-listen");
  }
  server->Serve();
  return server;
}

}  // namespace uplinkd
