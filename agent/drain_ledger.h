// DrainLedger: the uplinks that operators drain, until when, also on disk.
//
// One JSON file, drains.json in the state directory. A deadline is counted by
// the monotonic clock while the agent runs, and as a StoredEnd over its
// restarts. For one thread.
#ifndef UPLINKD_AGENT_DRAIN_LEDGER_H_
#define UPLINKD_AGENT_DRAIN_LEDGER_H_

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/moment.h"
#include "agent/save_fault.h"
#include "agent/stored_end.h"
#include "reconciler/failover.h"
#include "reconciler/result.h"

namespace uplinkd::v1 {
class Drains;
}  // namespace uplinkd::v1

namespace uplinkd {

class DrainLedger {
 public:
  using WallTime = std::chrono::system_clock::time_point;

  explicit DrainLedger(const std::string& state_dir);

  // Takes up the drains of the last run. Fails as ReadMessageFile() does;
  // nothing is drained then.
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

  // Forgets the drains of all other uplinks; if that cannot be saved, it is
  // unsaved().
  Result<void> KeepOnly(const std::set<std::string>& uplinks);
  // The deadline of `uplink` has passed and what was left is cut. Kept as
  // KeepOnly() is.
  Result<void> NoteOver(const std::string& uplink);

  // Saves what could not be saved so far, if anything.
  Result<void> SaveAgain();
  const SaveFault& unsaved() const { return unsaved_; }

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
    StoredEnd end;
    std::chrono::nanoseconds monotonic{};
    bool over = false;
  };
  using Drains = std::map<std::string, std::optional<Deadline>>;  // by uplink

  Result<void> Save(const Drains& drains);

  std::string directory_;
  std::string path_;
  Drains drains_;
  SaveFault unsaved_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_DRAIN_LEDGER_H_
