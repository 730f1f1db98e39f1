// PointToPointLine: a line like that of a PPP daemon, which the kernels of test
// machines may not have: a tun link in each of two namespaces, and a thread
// that carries packets between them. Not for production code.
#ifndef UPLINKD_TESTS_LAB_POINT_TO_POINT_H_
#define UPLINKD_TESTS_LAB_POINT_TO_POINT_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "reconciler/linux/unique_fd.h"
#include "tests/lab/namespace.h"

namespace uplinkd::lab {

class PointToPointLine {
 public:
  // Both links are called `name`, and are up; addresses are up to the caller.
  // Fails with the kernel's words.
  static Result<std::unique_ptr<PointToPointLine>> Connect(
      const Namespace& here, const Namespace& there, const std::string& name);
  PointToPointLine(const PointToPointLine&) = delete;
  PointToPointLine& operator=(const PointToPointLine&) = delete;
  ~PointToPointLine();  // both links are gone

 private:
  PointToPointLine(UniqueFd here, UniqueFd there);
  void Carry();

  UniqueFd here_;
  UniqueFd there_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_POINT_TO_POINT_H_
