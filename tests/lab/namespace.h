// Namespace: a network namespace that lives as long as its object.
//
// It has no name in /run/netns: an open descriptor is all that holds it, so it
// and every link in it are gone once the owner is, even if the process was
// killed. Programs reach it by Path(). Not for production code.
#ifndef UPLINKD_TESTS_LAB_NAMESPACE_H_
#define UPLINKD_TESTS_LAB_NAMESPACE_H_

#include <functional>
#include <string>

#include "reconciler/result.h"

namespace uplinkd::lab {

class Namespace {
 public:
  // A new, empty namespace with `lo` up. Needs root.
  static Result<Namespace> Create();

  Namespace(Namespace&& other) noexcept;
  Namespace& operator=(Namespace&& other) noexcept;
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  ~Namespace();

  // Runs `work` inside, on a thread of its own, and waits for it. A socket
  // that `work` makes stays in the namespace.
  void Run(const std::function<void()>& work) const;

  int fd() const { return fd_; }
  // For `ip link set LINK netns PATH`; valid while this object lives.
  std::string Path() const;

 private:
  explicit Namespace(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_NAMESPACE_H_
