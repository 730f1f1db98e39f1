// BoundedTasks: a thread per connection, and never more than a few.
//
// A client that is slow holds its thread until the server's timeout, so there
// are some; and each connection is a file descriptor, which the agent needs for
// other things, so no further one is accepted while all threads are busy: it
// waits in the kernel. No thread is kept without work.
#ifndef UPLINKD_EXPORTERS_BOUNDED_TASKS_H_
#define UPLINKD_EXPORTERS_BOUNDED_TASKS_H_

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

namespace uplinkd {

class BoundedTasks final : public httplib::TaskQueue {
 public:
  explicit BoundedTasks(std::size_t at_most) : at_most_(at_most) {}

  // Called by the thread that accepts, which it holds up while all are busy.
  void enqueue(std::function<void()> work) override;
  // Waits until no work is left.
  void shutdown() override;

 private:
  const std::size_t at_most_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t busy_ = 0;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_BOUNDED_TASKS_H_
