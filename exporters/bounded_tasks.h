// BoundedTasks: a thread per connection, and never more than a few.
//
// A client that is slow holds its thread for a while, so there are some; and
// each connection is a file descriptor, which the agent needs for other things,
// so no further one is accepted while all threads are busy: it waits in the
// kernel. No thread is kept without work.
#ifndef UPLINKD_EXPORTERS_BOUNDED_TASKS_H_
#define UPLINKD_EXPORTERS_BOUNDED_TASKS_H_

#include <httplib.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

namespace uplinkd {

class BoundedTasks final : public httplib::TaskQueue {
 public:
  // `make_room` is called again and again, by the thread that accepts, while
  // work waits for a thread; it should end work that takes long.
  BoundedTasks(std::size_t at_most, std::function<void()> make_room)
      : at_most_(at_most), make_room_(std::move(make_room)) {}

  // Called by the thread that accepts, which it holds up while all are busy.
  void enqueue(std::function<void()> work) override;
  // Waits until no work is left.
  void shutdown() override;

 private:
  const std::size_t at_most_;
  const std::function<void()> make_room_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t busy_ = 0;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_EXPORTERS_BOUNDED_TASKS_H_
