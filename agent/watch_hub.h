// WatchHub: the clients that watch, however many, with one thread.
//
// Each has a subscription of the bulletin and at most one message on its way.
// One that does not read keeps that message, and loses the oldest of what waits
// behind it, with a count; nobody waits for it. The thread is woken by a
// subscription of its own, so that the engine publishes and goes on.
#ifndef UPLINKD_AGENT_WATCH_HUB_H_
#define UPLINKD_AGENT_WATCH_HUB_H_

#include <grpcpp/support/server_callback.h>

#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/bulletin.h"
#include "agent/gate.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

class WatchHub {
 public:
  using Stream = grpc::ServerWriteReactor<v1::WatchResponse>;

  // `bulletin` must outlive it.
  explicit WatchHub(Bulletin& bulletin);
  // To be called when the server has ended every stream.
  ~WatchHub();
  WatchHub(const WatchHub&) = delete;
  WatchHub& operator=(const WatchHub&) = delete;

  // A stream for gRPC, which says when it is over. One that was not admitted,
  // or is one too many, ends at once with the reason. Any thread.
  Stream* Watch(Gate::Admission admission);

  // Ends every stream whose admission does not hold any more, with
  // PERMISSION_DENIED. One whose client does not read gets nothing new, and
  // ends when it does. Any thread.
  void Review();

 private:
  class Watcher;

  void Run();
  std::vector<std::shared_ptr<Watcher>> Watchers();
  void Forget(Watcher* watcher);

  Bulletin& bulletin_;
  std::unique_ptr<Bulletin::Subscription> waker_;
  std::mutex mutex_;
  std::map<Watcher*, std::shared_ptr<Watcher>> watchers_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_WATCH_HUB_H_
