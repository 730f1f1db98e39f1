#include "agent/watch_hub.h"

#include <pthread.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/event_log.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

// The waker is cancelled, or the bulletin closed, when there is nothing more to
// wait for.
constexpr std::chrono::hours kLong{1};
constexpr std::chrono::milliseconds kNow{0};

v1::WatchResponse ToResponse(const Bulletin::News& news) {
  v1::WatchResponse response;
  *response.mutable_status() = *news.status;
  if (news.event != nullptr) {
    *response.mutable_event() = *news.event;
    // Each watcher has one on its way, and a plan may have thousands of lines.
    ShortenPlan(*response.mutable_event(), EventLog::kMostLines);
  }
  if (news.lost > 0) {
    response.mutable_event()->set_message(
        std::to_string(news.lost) +
        " events before this one were lost: this client is too slow");
  }
  return response;
}

grpc::Status Revoked() {
  return {grpc::PERMISSION_DENIED, "the caller has no role here any more"};
}

grpc::Status Stopping() {
  return {grpc::UNAVAILABLE, "the agent is stopping"};
}

// Ends at once.
class RefusedStream final : public WatchHub::Stream {
 public:
  explicit RefusedStream(grpc::Status status) { Finish(std::move(status)); }

 private:
  void OnDone() override { delete this; }
};

}  // namespace

// Its functions are called by gRPC's threads and the hub's. gRPC is called
// without the mutex, since it may call back.
class WatchHub::Watcher final : public WatchHub::Stream {
 public:
  Watcher(WatchHub& hub, Gate::Admission admission,
          std::unique_ptr<Bulletin::Subscription> subscription)
      : hub_(hub),
        admission_(std::move(admission)),
        subscription_(std::move(subscription)) {}

  // Sends the next news, unless something is on its way already.
  void Pump() {
    std::optional<grpc::Status> end;
    {
      const std::lock_guard lock(mutex_);
      if (ended_ || response_ != nullptr) return;
      if (cancelled_) {
        end = grpc::Status::CANCELLED;
      } else if (revoked_) {
        end = Revoked();
      } else if (hub_.bulletin_.closed()) {
        end = Stopping();
      } else if (const auto news = subscription_->Next(kNow)) {
        response_ = std::make_unique<v1::WatchResponse>(ToResponse(*news));
      } else {
        return;
      }
      ended_ = end.has_value();
    }
    // Nobody else touches the response until OnWriteDone().
    if (end) {
      Finish(*std::move(end));
    } else {
      StartWrite(response_.get());
    }
  }

  void Review() {
    if (admission_.Holds()) return;
    {
      const std::lock_guard lock(mutex_);
      revoked_ = true;
    }
    Pump();
  }

 private:
  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      response_.reset();
      cancelled_ = cancelled_ || !ok;
    }
    Pump();
  }
  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    Pump();
  }
  void OnDone() override { hub_.Forget(this); }

  WatchHub& hub_;
  const Gate::Admission admission_;
  const std::unique_ptr<Bulletin::Subscription> subscription_;
  std::mutex mutex_;
  std::unique_ptr<v1::WatchResponse>
      response_;            // on its way; guarded by mutex_
  bool cancelled_ = false;  // guarded by mutex_
  bool revoked_ = false;    // guarded by mutex_
  bool ended_ = false;      // guarded by mutex_
};

WatchHub::WatchHub(Bulletin& bulletin)
    : bulletin_(bulletin), waker_(bulletin.Subscribe()) {
  if (waker_ == nullptr) return;  // Watch() gets no subscription either
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "watch-hub");
    Run();
  });
}

WatchHub::~WatchHub() {
  if (!thread_.joinable()) return;
  waker_->Cancel();
  thread_.join();
}

WatchHub::Stream* WatchHub::Watch(Gate::Admission admission) {
  if (!admission) return new RefusedStream(admission.status());
  std::unique_ptr<Bulletin::Subscription> subscription = bulletin_.Subscribe();
  if (subscription == nullptr) {
    return new RefusedStream(
        {grpc::RESOURCE_EXHAUSTED, "too many watchers: at most " +
                                       std::to_string(Bulletin::kMaxWatchers)});
  }
  auto watcher = std::make_shared<Watcher>(*this, std::move(admission),
                                           std::move(subscription));
  {
    const std::lock_guard lock(mutex_);
    watchers_.emplace(watcher.get(), watcher);
  }
  // Roles may have changed between its admission and its being known.
  watcher->Review();
  watcher->Pump();
  return watcher.get();
}

std::vector<std::shared_ptr<WatchHub::Watcher>> WatchHub::Watchers() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, watcher] : watchers_) watchers.push_back(watcher);
  return watchers;
}

void WatchHub::Review() {
  for (const auto& watcher : Watchers()) watcher->Review();
}

void WatchHub::Forget(Watcher* watcher) {
  std::shared_ptr<Watcher> last;  // goes without the mutex
  const std::lock_guard lock(mutex_);
  const auto found = watchers_.find(watcher);
  if (found == watchers_.end()) return;
  last = std::move(found->second);
  watchers_.erase(found);
}

void WatchHub::Run() {
  while (true) {
    const bool news = waker_->Next(kLong).has_value();
    if (!news && waker_->over() && !bulletin_.closed()) return;  // cancelled
    for (const auto& watcher : Watchers()) watcher->Pump();
    if (bulletin_.closed()) return;
  }
}

}  // namespace uplinkd
