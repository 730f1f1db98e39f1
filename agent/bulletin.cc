#include "agent/bulletin.h"

#include <algorithm>
#include <utility>

namespace uplinkd {
namespace {

// How often a waiter asks whether its client is still there.
constexpr std::chrono::milliseconds kGlance{100};

}  // namespace

Bulletin::Subscription::~Subscription() {
  const std::lock_guard lock(bulletin_.mutex_);
  std::erase(bulletin_.subscriptions_, this);
}

std::optional<Bulletin::News> Bulletin::Subscription::Next(
    std::chrono::milliseconds patience) {
  std::unique_lock lock(bulletin_.mutex_);
  bulletin_.changed_.wait_for(lock, patience, [&] {
    return !queue_.empty() || bulletin_.closed_ || cancelled_;
  });
  if (queue_.empty()) return std::nullopt;
  News news = std::move(queue_.front());
  queue_.pop_front();
  news.lost = std::exchange(lost_, 0);
  return news;
}

bool Bulletin::Subscription::over() const {
  const std::lock_guard lock(bulletin_.mutex_);
  return queue_.empty() && (bulletin_.closed_ || cancelled_);
}

void Bulletin::Subscription::Cancel() {
  {
    const std::lock_guard lock(bulletin_.mutex_);
    cancelled_ = true;
  }
  bulletin_.changed_.notify_all();
}

void Bulletin::Publish(StatusPointer status, SnapshotPointer metrics,
                       const EventPointer& event) {
  {
    const std::lock_guard lock(mutex_);
    // Whoever came before there was a status waits for the first one.
    const bool first = status_ == nullptr;
    status_ = std::move(status);
    metrics_ = std::move(metrics);
    if (first || event != nullptr) {
      for (Subscription* subscription : subscriptions_) {
        if (subscription->queue_.size() >= kMaxQueued) {
          subscription->queue_.pop_front();
          ++subscription->lost_;
        }
        subscription->queue_.push_back({status_, event});
      }
    }
  }
  changed_.notify_all();
}

void Bulletin::PublishSpec(TextPointer spec) {
  const std::lock_guard lock(mutex_);
  spec_ = std::move(spec);
}

StatusPointer Bulletin::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

SnapshotPointer Bulletin::metrics() const {
  const std::lock_guard lock(mutex_);
  return metrics_;
}

TextPointer Bulletin::spec() const {
  const std::lock_guard lock(mutex_);
  return spec_;
}

std::unique_ptr<Bulletin::Subscription> Bulletin::Subscribe() {
  const std::lock_guard lock(mutex_);
  if (subscriptions_.size() >= kMaxWatchers) return nullptr;
  // The constructor is private, so make_unique cannot call it.
  std::unique_ptr<Subscription> subscription(new Subscription(*this));
  if (status_ != nullptr) subscription->queue_.push_back({status_, nullptr});
  subscriptions_.push_back(subscription.get());
  return subscription;
}

bool Bulletin::WaitUntil(const std::function<bool(const v1::Status&)>& good,
                         std::chrono::milliseconds patience,
                         const std::function<bool()>& given_up) const {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  while (!closed_ && !given_up()) {
    if (status_ != nullptr && good(*status_)) return true;
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) return false;
    changed_.wait_until(lock, std::min<std::chrono::steady_clock::time_point>(
                                  deadline, now + kGlance));
  }
  return false;
}

void Bulletin::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

bool Bulletin::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace uplinkd
