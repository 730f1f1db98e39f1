// UniqueFd: a file descriptor that is closed with its owner.
#ifndef UPLINKD_RECONCILER_LINUX_UNIQUE_FD_H_
#define UPLINKD_RECONCILER_LINUX_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace uplinkd {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}  // takes ownership; -1 is none
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_UNIQUE_FD_H_
