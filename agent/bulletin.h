// Bulletin: what the engine publishes and other threads read.
//
// The last status and metrics as immutable values, and events for those who
// watch. Publishing never waits for a reader: a watcher that does not keep up
// loses its oldest events. Every function may be called from any thread.
#ifndef UPLINKD_AGENT_BULLETIN_H_
#define UPLINKD_AGENT_BULLETIN_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "exporters/snapshot.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

using StatusPointer = std::shared_ptr<const v1::Status>;
using EventPointer = std::shared_ptr<const v1::Event>;
using TextPointer = std::shared_ptr<const std::string>;

class Bulletin {
 public:
  // More watchers than this are turned away: they are told one after the other,
  // and what one holds is bounded. The event log is one, the hooks are, and
  // each client that watches.
  static constexpr std::size_t kMaxWatchers = 2048;
  // Events kept for a watcher that does not keep up.
  static constexpr std::size_t kMaxQueued = 64;

  struct News {
    StatusPointer status;
    EventPointer event;      // null in the first one
    std::uint64_t lost = 0;  // events that were dropped just before this one
  };

  // One watcher. Must not outlive the Bulletin. Unsubscribes when it goes.
  class Subscription {
   public:
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

    // The next news, in order; nothing if there is none within `patience`, or
    // it is over.
    std::optional<News> Next(std::chrono::milliseconds patience);
    // Nothing more will come: what is left was taken, and the bulletin was
    // closed or this subscription cancelled.
    bool over() const;
    // Ends it, and whatever waits for it.
    void Cancel();

   private:
    friend class Bulletin;
    explicit Subscription(Bulletin& bulletin) : bulletin_(bulletin) {}

    Bulletin& bulletin_;
    std::deque<News> queue_;  // guarded by bulletin_.mutex_
    std::uint64_t lost_ = 0;  // guarded by bulletin_.mutex_
    bool cancelled_ = false;  // guarded by bulletin_.mutex_
  };

  // Replaces what is published; `event` may be null.
  void Publish(StatusPointer status, SnapshotPointer metrics,
               const EventPointer& event);
  // The spec that is followed from now on, as YAML; null: none.
  void PublishSpec(TextPointer spec);

  StatusPointer status() const;     // null before the first Publish()
  SnapshotPointer metrics() const;  // null before the first Publish()
  TextPointer spec() const;         // null: there is none

  // Starts with the present status, or the first one if there is none yet. Null
  // if there are too many watchers.
  std::unique_ptr<Subscription> Subscribe();

  // Waits until `good` says so of the published status; false if it did not
  // within `patience`, if `given_up` says so, or if the bulletin was closed.
  bool WaitUntil(const std::function<bool(const v1::Status&)>& good,
                 std::chrono::milliseconds patience,
                 const std::function<bool()>& given_up) const;

  // Nobody waits any more; for the end of the process.
  void Close();
  bool closed() const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  StatusPointer status_;                      // guarded by mutex_
  SnapshotPointer metrics_;                   // guarded by mutex_
  TextPointer spec_;                          // guarded by mutex_
  std::vector<Subscription*> subscriptions_;  // guarded by mutex_
  bool closed_ = false;                       // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_BULLETIN_H_
