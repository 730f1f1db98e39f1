// DrainLedger: the uplinks that operators drain, until when, also on disk.
//
// One JSON file, drains.json in the state directory. A deadline is stored as a
// time of day, since a drain outlives the agent, and counted by the monotonic
// clock while the agent runs: a clock that is set meanwhile changes nothing.
// For one thread.
#ifndef UPLINKD_AGENT_DRAIN_LEDGER_H_
#define UPLINKD_AGENT_DRAIN_LEDGER_H_

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "reconciler/failover.h"
#include "reconciler/result.h"

namespace uplinkd::v1 {
class Drains;
}  // namespace uplinkd::v1

namespace uplinkd {

// One moment, on both clocks.
struct Instant {
  std::chrono::nanoseconds monotonic{};
  std::chrono::system_clock::time_point wall;
};

class DrainLedger {
 public:
  using WallTime = std::chrono::system_clock::time_point;

  explicit DrainLedger(const std::string& state_dir);

  // Takes up the drains of the last run. kFailedPrecondition: the file makes no
  // sense; nothing is drained then, and the file is replaced by the next one.
  Result<void> Restore(const Instant& now);

  // What Restore() makes of the content of the file.
  void TakeUp(const v1::Drains& stored, const Instant& now);

  // On disk when it returns, with the deadline (to the second) if there is one;
  // on failure nothing changed. So do the next two.
  Result<std::optional<WallTime>> Add(
      const std::string& uplink, std::optional<std::chrono::milliseconds> after,
      const Instant& now);
  Result<void> Remove(const std::string& uplink);
  Result<void> Forget();  // all of them

  // Forgets the drains of all other uplinks; if that cannot be saved, only
  // until the next change.
  Result<void> KeepOnly(const std::set<std::string>& uplinks);
  // The deadline of `uplink` has passed and what was left is cut. Kept as
  // KeepOnly() is.
  Result<void> NoteOver(const std::string& uplink);

  bool Contains(const std::string& uplink) const {
    return drains_.contains(uplink);
  }
  // The deadlines that are not over.
  Failover::Deadlines Deadlines() const;
  std::map<std::string, WallTime> WallDeadlines() const;  // by uplink
  // What there is to say of each: "draining until 2026-11-26T12:30:05Z".
  std::map<std::string, std::string> Words() const;

 private:
  struct Deadline {
    WallTime wall;
    std::chrono::nanoseconds monotonic{};
    bool over = false;
  };
  using Drains = std::map<std::string, std::optional<Deadline>>;  // by uplink

  Result<void> Save(const Drains& drains) const;

  std::string directory_;
  std::string path_;
  Drains drains_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_DRAIN_LEDGER_H_
