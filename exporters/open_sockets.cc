#include "exporters/open_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

namespace uplinkd {
namespace {

// A request is one packet, and here before its connection is accepted.
constexpr std::chrono::milliseconds kSlowToAsk{100};
constexpr std::chrono::milliseconds kSlowToTake{1000};

}  // namespace

OpenSockets::Entry::Entry(OpenSockets& all, int fd) : all_(all), fd_(fd) {
  const std::lock_guard lock(all_.mutex_);
  all_.open_[fd_] = {Clock::now()};
  if (all_.ended_) shutdown(fd_, SHUT_RDWR);
}

OpenSockets::Entry::~Entry() {
  {
    // Before the number can become another file's.
    const std::lock_guard lock(all_.mutex_);
    all_.open_.erase(fd_);
  }
  shutdown(fd_, SHUT_RDWR);
  close(fd_);
}

void OpenSockets::Entry::Answering() {
  const std::lock_guard lock(all_.mutex_);
  all_.open_[fd_] = {Clock::now(), true};
}

void OpenSockets::EndSlow(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  for (const auto& [fd, state] : open_) {
    if (now - state.since > (state.answering ? kSlowToTake : kSlowToAsk)) {
      shutdown(fd, SHUT_RDWR);
    }
  }
}

void OpenSockets::EndAll() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const auto& [fd, state] : open_) shutdown(fd, SHUT_RDWR);
}

}  // namespace uplinkd
