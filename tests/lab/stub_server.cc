#include "tests/lab/stub_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/lab/socket_address.h"

namespace uplinkd::lab {
namespace {

Result<UniqueFd> Listen(const Endpoint& own) {
  const int type = own.transport == Transport::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  const SocketAddress address(own.destination, own.port);
  UniqueFd fd(socket(address.family(), type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), address.get(), address.size()) != 0 ||
      (type == SOCK_STREAM && listen(fd.get(), SOMAXCONN) != 0)) {
    return Fail(ErrorCode::kUnavailable, std::strerror(errno), errno);
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<StubServer>> StubServer::Start(const Namespace& where,
                                                      const Endpoint& own,
                                                      Answer answer) {
  Result<UniqueFd> listener = Fail(ErrorCode::kInternal, "not tried");
  where.Run([&] { listener = Listen(own); });
  if (!listener) return tl::unexpected(listener.error());
  std::unique_ptr<StubServer> server(
      new StubServer(own.transport, std::move(answer)));
  server->listener_ = std::move(*listener);
  server->stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  server->thread_ = std::thread([it = server.get()] { it->Serve(); });
  return server;
}

StubServer::~StubServer() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  // An eventfd takes one more as long as nobody has written 2^64 - 2.
  (void)!write(stop_.get(), &one, sizeof(one));
  thread_.join();
}

void StubServer::Serve() {
  while (true) {
    std::vector<pollfd> waited = {{stop_.get(), POLLIN, 0},
                                  {listener_.get(), POLLIN, 0}};
    for (const auto& [fd, client] : clients_) waited.push_back({fd, POLLIN, 0});
    if (poll(waited.data(), waited.size(), -1) < 0) continue;
    if (waited[0].revents != 0) return;
    if (waited[1].revents != 0) {
      transport_ == Transport::kTcp ? Accept() : AnswerDatagram();
    }
    for (std::size_t i = 2; i < waited.size(); ++i) {
      if (waited[i].revents == 0 || Attend(waited[i].fd)) continue;
      requests_.erase(waited[i].fd);
      clients_.erase(waited[i].fd);
    }
  }
}

void StubServer::AnswerDatagram() {
  std::array<char, 2048> buffer{};
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  const ssize_t got = recvfrom(listener_.get(), buffer.data(), buffer.size(), 0,
                               address, &size);
  if (got < 0) return;
  const auto answer =
      answer_(std::string(buffer.data(), static_cast<std::size_t>(got)));
  if (!answer) return;
  sendto(listener_.get(), answer->data(), answer->size(), MSG_NOSIGNAL, address,
         size);
}

void StubServer::Accept() {
  UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client) return;
  const int fd = client.get();
  clients_[fd] = std::move(client);
}

bool StubServer::Attend(int fd) {
  std::array<char, 2048> buffer{};
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  std::string& request = requests_[fd];
  request.append(buffer.data(), static_cast<std::size_t>(got));
  if (request.find("\r\n\r\n") == std::string::npos) return true;
  const auto answer = answer_(request);
  request.clear();
  if (!answer) return true;
  // An answer of any size, or as much as is wanted.
  for (std::size_t sent = 0; sent < answer->size();) {
    const ssize_t more =
        send(fd, answer->data() + sent, answer->size() - sent, MSG_NOSIGNAL);
    if (more <= 0) break;
    sent += static_cast<std::size_t>(more);
  }
  return false;
}

std::string DnsAnswer(const std::string& query, int response_code,
                      bool with_address) {
  using namespace std::string_literals;
  std::string answer = query;
  answer[2] = static_cast<char>(answer[2] | '\x80');  // a response
  answer[3] = static_cast<char>(response_code);
  if (!with_address) return answer;
  answer[7] = 1;  // answers
  // The name of the question, type A, class IN, a minute, four bytes.
  answer += "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"s;
  answer += "\xc0\x00\x02\x63"s;
  return answer;
}

}  // namespace uplinkd::lab
