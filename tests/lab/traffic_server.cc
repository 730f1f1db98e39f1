#include "tests/lab/traffic_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

namespace uplinkd::lab {
namespace {

struct Client {
  std::uint16_t port = 0;  // of ours that it came to
  std::string peer;        // its address, as a line
  std::size_t sent = 0;    // of a file
};

// IPv4 addresses as they are written there, too.
std::string AddressLine(const sockaddr_in6& address) {
  constexpr std::string_view kMapped = "::ffff:";
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(AF_INET6, &address.sin6_addr, buffer.data(), buffer.size());
  std::string text = buffer.data();
  if (text.starts_with(kMapped)) text = text.substr(kMapped.size());
  return text + "\n";
}

Result<int> Listen(int type, std::uint16_t port) {
  const int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const int off = 0;
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      (type == SOCK_STREAM && listen(fd, 4096) != 0)) {
    const int error = errno;
    close(fd);
    return Fail(ErrorCode::kUnavailable, std::strerror(error), error);
  }
  return fd;
}

std::uint16_t LocalPort(int fd) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);
}

void AnswerDatagrams(int fd) {
  std::array<char, 2048> buffer{};
  while (true) {
    sockaddr_in6 peer{};
    socklen_t size = sizeof peer;
    const ssize_t count = recvfrom(fd, buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&peer), &size);
    if (count < 0) return;
    const std::string line = AddressLine(peer);
    sendto(fd, line.data(), line.size(), MSG_NOSIGNAL,
           reinterpret_cast<sockaddr*>(&peer), size);
  }
}

// Handles what is readable or writable; false when the client is done.
bool Attend(int fd, Client& client) {
  static std::array<char, 65536> zeros{};
  thread_local std::array<char, 65536> buffer{};
  if (client.port == kSourcePort) {
    const ssize_t sent =
        send(fd, zeros.data(), zeros.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 || errno == EAGAIN;
  }
  if (client.port == kFilePort) {
    const std::size_t left = kFileBytes - client.sent;
    const ssize_t sent = send(fd, zeros.data(), std::min(left, zeros.size()),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN;
    client.sent += static_cast<std::size_t>(sent);
    return client.sent < kFileBytes;
  }
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count <= 0) return count < 0 && errno == EAGAIN;
  if (client.port == kDiscardPort) return true;
  const auto lines = std::count(buffer.data(), buffer.data() + count, '\n');
  std::string answer;
  for (std::ptrdiff_t i = 0; i < lines; ++i) answer += client.peer;
  // A few short lines always fit in the socket's buffer.
  return send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(answer.size());
}

// Whether the service begins by itself.
bool Speaks(std::uint16_t port) {
  return port == kSourcePort || port == kFilePort;
}

class Clients {
 public:
  explicit Clients(int epoll) : epoll_(epoll) {}
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  ~Clients() {
    for (const auto& [fd, client] : clients_) close(fd);
  }

  void Accept(int listener) {
    while (true) {
      sockaddr_in6 peer{};
      socklen_t size = sizeof peer;
      const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&peer),
                             &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const Client client{LocalPort(fd), AddressLine(peer)};
      epoll_event event{};
      event.events = Speaks(client.port) ? EPOLLOUT : EPOLLIN;
      event.data.fd = fd;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      clients_[fd] = client;
    }
  }

  void Attend(int fd) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) return;
    if (lab::Attend(fd, found->second)) return;
    close(fd);
    clients_.erase(found);
  }

 private:
  int epoll_;
  std::map<int, Client> clients_;
};

}  // namespace

Result<std::unique_ptr<TrafficServer>> TrafficServer::Start(
    const Namespace& where) {
  std::unique_ptr<TrafficServer> server(new TrafficServer());
  server->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  server->stop_ = eventfd(0, EFD_CLOEXEC);
  Result<int> failed = 0;
  where.Run([&] {
    for (const std::uint16_t port :
         {kEchoPort, kSourcePort, kDiscardPort, kFilePort}) {
      const Result<int> fd = Listen(SOCK_STREAM, port);
      if (!fd) failed = fd;
      server->listeners_.push_back(fd.value_or(-1));
    }
    const Result<int> fd = Listen(SOCK_DGRAM, kUdpEchoPort);
    if (!fd) failed = fd;
    server->listeners_.push_back(fd.value_or(-1));
  });
  if (!failed) return tl::unexpected(failed.error());
  server->thread_ = std::thread([raw = server.get()] { raw->Serve(); });
  return server;
}

TrafficServer::~TrafficServer() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    const ssize_t written = write(stop_, &one, sizeof one);
    static_cast<void>(written);
    thread_.join();
  }
  for (const int fd : listeners_) close(fd);
  close(stop_);
  close(epoll_);
}

void TrafficServer::Serve() {
  std::vector<int> watched = listeners_;
  watched.push_back(stop_);
  for (const int fd : watched) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  Clients clients(epoll_);
  std::array<epoll_event, 64> events{};
  while (true) {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events.at(static_cast<std::size_t>(i)).data.fd;
      if (fd == stop_) return;
      if (fd == listeners_.back()) {
        AnswerDatagrams(fd);
      } else if (std::find(listeners_.begin(), listeners_.end(), fd) !=
                 listeners_.end()) {
        clients.Accept(fd);
      } else {
        clients.Attend(fd);
      }
    }
  }
}

}  // namespace uplinkd::lab
