// Schedule: when the next pass is due. Pure; time comes in as an argument.
//
// Triggers are coalesced for a few milliseconds; a poll looks at the chains
// (they have no events); a periodic full pass with jitter trusts nothing. A
// failed pass is retried with back-off, 100 ms doubling to 60 s. Meanwhile the
// polls rest; an event is still answered, at most once per poll interval; a
// new spec is answered at once. FightDetector (fight.h) tells when repairs that
// succeed must slow down as well.
#ifndef UPLINKD_RECONCILER_SCHEDULE_H_
#define UPLINKD_RECONCILER_SCHEDULE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace uplinkd {

// What made a pass due; a label of the metrics. The first is the strongest:
// where several fold into one pass, it gives the name.
enum class Trigger {
  kSpec,
  kEvent,
  kHealth,
  kHint,
  kRetry,
  kPeriodic,
  kLoad,
  kPoll,
  kDrain,  // somebody drains an uplink, or no longer
};
std::string_view TriggerName(Trigger trigger);  // "spec"

struct ScheduleOptions {
  std::chrono::milliseconds coalesce{2};
  std::chrono::milliseconds poll{1000};
  std::chrono::milliseconds full{30000};  // +- 10 % jitter
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds last_retry{60000};
  int repeats_at_once = 50;  // in a row; the next ones back off
};

class Schedule {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  // The first pass, a full one, is due at once.
  Schedule(const ScheduleOptions& options, std::uint64_t jitter_seed);

  // Something happened at `now`.
  void Notice(Trigger trigger, Time now);

  // A pass ended at `now`. `failed`: back off. `again_at_once`: a conflict, or
  // something was changed and is to be verified; bounded. `full`: it was a
  // sweeping pass. Everything noticed before is answered by it.
  void PassEnded(Time now, bool failed, bool again_at_once, bool full);

  struct Due {
    Time at{};
    Trigger trigger = Trigger::kPoll;
    bool full = false;
    friend auto operator<=>(const Due&, const Due&) = default;
  };
  // The next pass. Always set: at the latest the poll is due.
  Due Next() const;

 private:
  struct Noticed {
    Time at{};
    Trigger trigger = Trigger::kPoll;
  };

  Time BackOff() const;
  Time Jittered(Time interval);

  ScheduleOptions options_;
  std::uint64_t jitter_state_;
  std::optional<Noticed> noticed_;
  Time next_poll_{};
  Time next_full_{};
  Time not_before_{};          // while failing: no event is answered earlier
  std::optional<Time> retry_;  // after a failure or a conflict
  int failures_ = 0;           // in a row
  int repeats_ = 0;  // consecutive passes that asked for another at once
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SCHEDULE_H_
