#include "tests/lab/traffic_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/lab/socket_address.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

tl::unexpected<Error> Failed(const std::string& call) {
  const int error = errno;
  return Fail(ErrorCode::kUnavailable, call + ": " + std::strerror(error),
              error);
}

void SetPatience(int fd, milliseconds patience) {
  timeval time{};
  time.tv_sec = patience.count() / 1000;
  time.tv_usec = patience.count() % 1000 * 1000;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

}  // namespace

Result<Connection> Connection::OpenHere(const Endpoint& endpoint) {
  const SocketAddress destination(endpoint.destination, endpoint.port);
  const int family = destination.family();
  const bool tcp = endpoint.transport == Transport::kTcp;
  Connection connection(
      socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  const int fd = connection.fd();
  if (fd < 0) return Failed("socket");
  SetPatience(fd, endpoint.patience);
  const int on = 1;
  if (tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!endpoint.source.empty()) {
    const SocketAddress source(endpoint.source, 0);
    if (bind(fd, source.get(), source.size()) != 0) return Failed("bind");
  }
  if (connect(fd, destination.get(), destination.size()) != 0) {
    return Failed("connect");
  }
  return connection;
}

Result<Connection> Connection::Open(const Namespace& where,
                                    const Endpoint& endpoint) {
  Result<Connection> connection = Connection(-1);
  where.Run([&] { connection = OpenHere(endpoint); });
  return connection;
}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

Result<std::string> Connection::Ask() {
  if (send(fd_, "?\n", 2, MSG_NOSIGNAL) != 2) return Failed("send");
  std::string answer;
  while (!answer.ends_with('\n')) {
    std::array<char, 64> buffer{};
    const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count < 0) return Failed("recv");
    if (count == 0) return Fail(ErrorCode::kUnavailable, "recv: closed");
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
  answer.pop_back();
  return answer;
}

Result<std::vector<Connection>> OpenMany(const Namespace& where,
                                         const Endpoint& endpoint, int count) {
  std::vector<Connection> connections;
  Result<void> failed;
  where.Run([&] {
    for (int i = 0; i < count && failed; ++i) {
      Result<Connection> connection = Connection::OpenHere(endpoint);
      if (connection) {
        connections.push_back(std::move(*connection));
      } else {
        failed = tl::unexpected(connection.error());
      }
    }
  });
  if (!failed) return tl::unexpected(failed.error());
  return connections;
}

Result<std::vector<std::string>> AskAll(std::vector<Connection>& connections) {
  std::vector<std::string> answers;
  answers.reserve(connections.size());
  for (Connection& connection : connections) {
    Result<std::string> answer = connection.Ask();
    if (!answer) return tl::unexpected(answer.error());
    answers.push_back(std::move(*answer));
  }
  return answers;
}

std::map<std::string, int> Tally(const std::vector<std::string>& answers) {
  std::map<std::string, int> tally;
  for (const std::string& answer : answers) ++tally[answer];
  return tally;
}

Downloads::Downloads(const Namespace& where, const Endpoint& endpoint,
                     int count) {
  Result<std::vector<Connection>> opened = OpenMany(where, endpoint, count);
  if (opened) connections_ = std::move(*opened);
  thread_ = std::thread([this] {
    std::vector<pollfd> watched;
    for (const Connection& connection : connections_) {
      watched.push_back({connection.fd(), POLLIN, 0});
    }
    std::vector<char> buffer(1 << 18);
    while (!stop_) {
      if (poll(watched.data(), watched.size(), 20) <= 0) continue;
      for (const pollfd& ready : watched) {
        if ((ready.revents & POLLIN) == 0) continue;
        const ssize_t got =
            recv(ready.fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0) bytes_ += static_cast<std::uint64_t>(got);
      }
    }
  });
}

Downloads::~Downloads() {
  stop_ = true;
  thread_.join();
}

ConnectionStream::ConnectionStream(const Namespace& where, Endpoint endpoint)
    : thread_([this, &where, endpoint = std::move(endpoint)] {
        where.Run([&] { Loop(endpoint); });
      }) {}

ConnectionStream::~ConnectionStream() {
  Stop();
}

void ConnectionStream::Stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void ConnectionStream::Loop(const Endpoint& endpoint) {
  while (!stop_) {
    const auto start = steady_clock::now();
    Result<Connection> connection = Connection::OpenHere(endpoint);
    const Result<std::string> answer =
        connection ? connection->Ask() : tl::unexpected(connection.error());
    const auto took =
        std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
    ++connections_;
    slowest_ = std::max(slowest_, took);
    if (answer) {
      ++sources_[*answer];
    } else {
      failures_.push_back(answer.error().message);
    }
  }
}

}  // namespace uplinkd::lab
