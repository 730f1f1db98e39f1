#include "tests/lab/arrivals.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <random>
#include <thread>

#include "tests/lab/lab.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::lab {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

class Run {
 public:
  explicit Run(const ArrivalOptions& options) : options_(options) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    for (const pollfd& socket : sockets_) close(socket.fd);
  }

  std::vector<Seconds> Go() {
    const Clock::time_point begin = Clock::now();
    const Clock::time_point last = begin + options_.duration;
    const Clock::time_point end = last + options_.patience;
    Clock::time_point next = begin + Pause();
    while (Clock::now() < end && (next < last || !sockets_.empty())) {
      while (next < last && next <= Clock::now()) {
        Begin();
        next += Pause();
      }
      Wait(next < last ? next : end);
    }
    for (const Clock::time_point since : since_) {
      took_.emplace_back(Clock::now() - since);
    }
    return std::move(took_);
  }

 private:
  Clock::duration Pause() {
    return std::chrono::duration_cast<Clock::duration>(
        Seconds(pause_(random_)));
  }

  void Begin() {
    const int fd =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(kFilePort);
    inet_pton(AF_INET, kServerAddress, &server.sin_addr);
    // In progress; how it ends is seen when the socket becomes readable.
    static_cast<void>(
        connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server));
    sockets_.push_back({fd, POLLIN, 0});
    since_.push_back(Clock::now());
  }

  void Wait(Clock::time_point until) {
    const auto patience =
        std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    const int timeout =
        static_cast<int>(std::clamp<std::int64_t>(patience.count(), 0, 20));
    if (poll(sockets_.data(), sockets_.size(), timeout) <= 0) return;
    for (std::size_t i = sockets_.size(); i-- > 0;) {
      if (sockets_[i].revents != 0 && AtEnd(sockets_[i].fd)) End(i);
    }
  }

  // Reads what is there. Ended by the server, or not to be had.
  static bool AtEnd(int fd) {
    thread_local std::array<char, 65536> buffer{};
    while (true) {
      const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got == 0) return true;
      if (got < 0) return errno != EAGAIN;
    }
  }

  void End(std::size_t i) {
    took_.emplace_back(Clock::now() - since_[i]);
    close(sockets_[i].fd);
    sockets_.erase(sockets_.begin() + static_cast<std::ptrdiff_t>(i));
    since_.erase(since_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  const ArrivalOptions& options_;
  std::mt19937 random_{options_.seed};
  std::exponential_distribution<double> pause_{options_.per_second};
  std::vector<pollfd> sockets_;
  std::vector<Clock::time_point> since_;  // of each socket
  std::vector<Seconds> took_;
};

}  // namespace

std::vector<Seconds> RunArrivals(const Namespace& where,
                                 const ArrivalOptions& options,
                                 std::chrono::milliseconds after,
                                 const std::function<void()>& at) {
  std::vector<Seconds> took;
  std::thread arrivals([&] { where.Run([&] { took = Run(options).Go(); }); });
  if (at) {
    std::this_thread::sleep_for(after);
    at();
  }
  arrivals.join();
  return took;
}

Seconds Mean(const std::vector<Seconds>& durations) {
  Seconds sum{};
  for (const Seconds duration : durations) sum += duration;
  return durations.empty() ? sum : sum / static_cast<double>(durations.size());
}

}  // namespace uplinkd::lab
