// EventLog: what happened lately, also over a restart.
//
// Watches what the engine publishes from a thread of its own, as hooks do, and
// keeps the passes that changed or found something, the connections that were
// cut, and what became of each uplink; of the latter it writes the line of the
// log, too. The file events.json in the state directory is replaced as a whole
// when there is news, but not more often than every kPace; a crash costs the
// last of them. A disk that is slow or full costs nothing but the file.
#ifndef UPLINKD_AGENT_EVENT_LOG_H_
#define UPLINKD_AGENT_EVENT_LOG_H_

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/bulletin.h"
#include "agent/hooks.h"
#include "agent/log_limiter.h"
#include "agent/save_fault.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

class EventLog {
 public:
  static constexpr std::size_t kMost = 1000;
  // Lines of a plan that are kept; how many more there were is noted.
  static constexpr int kMostLines = 20;
  static constexpr std::chrono::seconds kPace{2};
  // An event that is like one of so many before it, in the same minute, takes
  // its place and counts.
  static constexpr std::size_t kLookBack = 8;

  // Takes up the events of the last run and begins to watch. `bulletin` must
  // outlive it.
  EventLog(const std::string& state_dir, Bulletin& bulletin);
  // Writes what is not on disk yet.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // ---- any thread ----

  // The newest `count`, oldest first.
  std::vector<EventPointer> Latest(std::size_t count) const;
  // Why they are not on disk, if the last attempt failed.
  SaveFault unsaved() const;
  // Those that are asked for, oldest first.
  v1::EventsResponse Find(const v1::EventsRequest& request) const;

 private:
  void Restore();
  void Watch();
  void Note(const Bulletin::News& news);
  bool IsNews(const HookEvent& happened);
  void Fold(v1::Event& event);  // with mutex_
  void Tell(const HookEvent& happened, const v1::Event& pass);
  void Keep(v1::Event event);
  void Save();

  std::string directory_;
  std::string path_;
  std::unique_ptr<Bulletin::Subscription> news_;
  mutable std::mutex mutex_;
  std::deque<EventPointer> events_;  // guarded by mutex_
  SaveFault fault_;                  // guarded by mutex_
  // Of the thread.
  v1::Status before_;
  std::map<std::string, bool> up_;  // by uplink, as it was told last
  // When each uplink came up or went down, as far as that is known.
  std::map<std::string, google::protobuf::Timestamp> since_;
  LogLimiter limiter_{"changes of uplinks"};
  bool unsaved_ = false;
  std::thread thread_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_EVENT_LOG_H_
