#include "tests/chaos/talks.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/lab/lab.h"

namespace uplinkd::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPause{20};
// No more are asked while so many are not answered: a line that is dead for
// long must not fill the socket.
constexpr std::uint64_t kMostUnanswered = 50;
// Of a new connection: two SYNs may be lost.
constexpr milliseconds kPatience{4000};

bool MayTryLater(int error) {
  return error == EAGAIN || error == EINTR;
}

std::uint16_t PortOf(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// Its end is told to nobody: a socket under repair sends nothing (tcp(7)).
void Silence(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on);
}

// Its end is one packet, which is not sent again.
void EndAtOnce(int fd) {
  const linger at_once{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace

Talks::Talks() : thread_([this] { Loop(); }) {}

Talks::~Talks() {
  stop_ = true;
  thread_.join();
}

void Talks::Add(Talk talk) {
  const std::lock_guard lock(mutex_);
  talks_.push_back(std::move(talk));
}

std::size_t Talks::size() {
  const std::lock_guard lock(mutex_);
  return talks_.size();
}

std::vector<std::uint16_t> Talks::Keep(
    const std::function<bool(const Talk&)>& stays) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint16_t> ports;
  talks_.remove_if([&](const Talk& talk) {
    if (stays(talk)) return false;
    ports.push_back(PortOf(talk.connection.fd()));
    Silence(talk.connection.fd());
    return true;
  });
  return ports;
}

void Talks::Loop() {
  while (!stop_) {
    {
      const std::lock_guard lock(mutex_);
      for (Talk& talk : talks_) {
        if (talk.fault.empty()) Turn(talk);
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

void Talks::Turn(Talk& talk) {
  const int fd = talk.connection.fd();
  if (talk.asked - talk.answered < kMostUnanswered) {
    if (send(fd, "?\n", 2, MSG_NOSIGNAL | MSG_DONTWAIT) == 2) {
      ++talk.asked;
    } else if (!MayTryLater(errno)) {
      talk.fault = std::string("send: ") + std::strerror(errno);
      return;
    }
  }
  std::array<char, 1024> buffer{};
  while (talk.fault.empty()) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      Note(talk, buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      talk.fault = "closed";
    } else if (MayTryLater(errno)) {
      return;
    } else {
      talk.fault = std::string("recv: ") + std::strerror(errno);
    }
  }
}

void Talks::Note(Talk& talk, const char* text, std::size_t size) {
  talk.rest.append(text, size);
  while (true) {
    const std::size_t end = talk.rest.find('\n');
    if (end == std::string::npos) return;
    ++talk.answered;
    const std::string answer = talk.rest.substr(0, end);
    talk.rest.erase(0, end + 1);
    if (answer != talk.answer) talk.fault = "now from " + answer;
  }
}

void Talks::Await(const std::function<bool(const Talk&)>& matters,
                  milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    for (Talk& talk : talks_) talk.goal = talk.asked;
  }
  const auto deadline = steady_clock::now() + patience;
  while (steady_clock::now() < deadline) {
    {
      const std::lock_guard lock(mutex_);
      if (std::ranges::none_of(talks_, [&](const Talk& talk) {
            return matters(talk) && FateOf(talk) == Fate::kSilent;
          })) {
        return;
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

Talks::Fate Talks::FateOf(const Talk& talk) {
  if (!talk.fault.empty()) return Fate::kEnded;
  return talk.answered >= talk.goal ? Fate::kAnswers : Fate::kSilent;
}

Callers::Callers(const lab::Namespace& where)
    : thread_([this, &where] { where.Run([this] { Loop(); }); }) {}

Callers::~Callers() {
  stop_ = true;
  thread_.join();
}

Callers::Tally Callers::Take(
    const std::function<void(const Tally&)>& meanwhile) {
  const std::lock_guard lock(mutex_);
  meanwhile(tally_);
  return std::exchange(tally_, {});
}

void Callers::Loop() {
  while (!stop_) {
    {
      const std::lock_guard lock(mutex_);
      Result<lab::Connection> connection = lab::Connection::OpenHere(
          {.source = lab::ClientAddress(0), .patience = kPatience});
      const Result<std::string> answer =
          connection ? connection->Ask() : tl::unexpected(connection.error());
      ++tally_.calls;
      if (connection) EndAtOnce(connection->fd());
      if (!answer) {
        tally_.failures.push_back(answer.error().message);
        if (connection) {
          tally_.ports.push_back(PortOf(connection->fd()));
          Silence(connection->fd());
        }
      }
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace uplinkd::chaos
