// PauseLedger: whether the agent keeps its hands off the kernel, until when and
// at whose word, also on disk.
//
// One JSON file, pause.json in the state directory. Its end is kept by the
// clocks as that of a drain; no pause lasts longer than it was meant to,
// whatever the clock says. For one thread.
#ifndef UPLINKD_AGENT_PAUSE_LEDGER_H_
#define UPLINKD_AGENT_PAUSE_LEDGER_H_

#include <chrono>
#include <optional>
#include <string>

#include "agent/moment.h"
#include "agent/save_fault.h"
#include "reconciler/result.h"

namespace uplinkd::v1 {
class PauseState;
}  // namespace uplinkd::v1

namespace uplinkd {

// A pause that is forgotten must end.
inline constexpr std::chrono::hours kLongestPause{24};

class PauseLedger {
 public:
  using WallTime = std::chrono::system_clock::time_point;

  explicit PauseLedger(const std::string& state_dir);

  // Takes up the pause of the last run. Fails as ReadMessageFile() does; there
  // is no pause then.
  Result<void> Restore(const Instant& now);

  // What Restore() makes of the content of the file.
  void TakeUp(const v1::PauseState& stored, const Instant& now);

  // Takes the place of the present pause. On disk when it returns, with its end
  // (to the second); on failure nothing changed. `duration` is positive and at
  // most kLongestPause.
  Result<WallTime> Begin(std::chrono::milliseconds duration,
                         const std::string& from, const std::string& reason,
                         const Instant& now);
  // It is no error that there is no pause. On failure it goes on.
  Result<void> End();
  // Its time is over, so it ends; on failure the file is still there, and that
  // is unsaved().
  Result<void> Expire();

  // Removes what could not be removed so far, if anything.
  Result<void> SaveAgain();
  const SaveFault& unsaved() const { return unsaved_; }

  bool active() const { return pause_.has_value(); }
  // Its time is over, but Expire() was not called.
  bool Over(const Instant& now) const {
    return pause_ && now.monotonic >= pause_->monotonic;
  }
  // "paused until 2026-11-26T12:30:05Z by client: a new modem"; "" if it is
  // not.
  std::string Words() const;

 private:
  struct Pause {
    WallTime until;
    std::chrono::nanoseconds monotonic{};
    std::string from;
    std::string reason;
  };

  std::string directory_;
  std::string path_;
  std::optional<Pause> pause_;
  SaveFault unsaved_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PAUSE_LEDGER_H_
