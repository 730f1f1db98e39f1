#include "exporters/bounded_tasks.h"

#include <system_error>
#include <thread>
#include <utility>

namespace uplinkd {

void BoundedTasks::enqueue(std::function<void()> work) {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return busy_ < at_most_; });
  ++busy_;
  const auto run = [this, work = std::move(work)] {
    work();
    // Notified under the lock: whoever waits may destroy this at once.
    const std::lock_guard ended(mutex_);
    --busy_;
    ended_.notify_all();
  };
  lock.unlock();
  try {
    std::thread(run).detach();
  } catch (const std::system_error&) {
    run();  // no more threads to be had: the others wait
  }
}

void BoundedTasks::shutdown() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return busy_ == 0; });
}

}  // namespace uplinkd
