#include "exporters/bounded_tasks.h"

#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

namespace uplinkd {
namespace {

constexpr std::chrono::milliseconds kMakeRoomEvery{20};

}  // namespace

void BoundedTasks::enqueue(std::function<void()> work) {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return busy_ < at_most_; };
  while (!has_room()) {
    lock.unlock();
    make_room_();
    lock.lock();
    ended_.wait_for(lock, kMakeRoomEvery, has_room);
  }
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
