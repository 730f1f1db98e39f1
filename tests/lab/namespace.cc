#include "tests/lab/namespace.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace uplinkd::lab {
namespace {

void BringLoopbackUp() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ioctl(fd, SIOCSIFFLAGS, &request);
  close(fd);
}

}  // namespace

Result<Namespace> Namespace::Create() {
  int fd = -1;
  int error = 0;
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    error = errno;
    BringLoopbackUp();
  }).join();
  if (fd < 0) {
    return Fail(ErrorCode::kPermissionDenied,
                std::string("no network namespace: ") + std::strerror(error),
                error);
  }
  return Namespace(fd);
}

Namespace::Namespace(Namespace&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

Namespace& Namespace::operator=(Namespace&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Namespace::~Namespace() {
  if (fd_ >= 0) close(fd_);
}

void Namespace::Run(const std::function<void()>& work) const {
  std::thread([&] {
    // Running `work` anywhere else could touch the machine's own network.
    if (setns(fd_, CLONE_NEWNET) != 0) {
      std::perror("setns");
      std::abort();
    }
    work();
  }).join();
}

std::string Namespace::Path() const {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
}

}  // namespace uplinkd::lab
