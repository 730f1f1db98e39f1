// Schedule: when the next pass is due. Pure; time comes in as an argument.
//
// Triggers are coalesced for a few milliseconds; a poll looks at the chains
// (they have no events); a periodic full pass with jitter trusts nothing; a
// failed pass is retried with back-off, 100 ms doubling to 60 s. Repeated
// repairs of the same object slow down as well (two owners are fighting).
#ifndef UPLINKD_RECONCILER_SCHEDULE_H_
#define UPLINKD_RECONCILER_SCHEDULE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace uplinkd {

// What made a pass due; a label of the metrics.
enum class Trigger { kSpec, kEvent, kHint, kPoll, kPeriodic, kRetry };
std::string_view TriggerName(Trigger trigger);  // "spec"

struct ScheduleOptions {
  std::chrono::milliseconds coalesce{5};
  std::chrono::milliseconds poll{1000};
  std::chrono::milliseconds full{30000};  // +- 10 % jitter
  std::chrono::milliseconds first_retry{100};
  std::chrono::milliseconds last_retry{60000};
};

class Schedule {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  Schedule(const ScheduleOptions& options, std::uint64_t jitter_seed);

  // Something happened at `now`.
  void Notice(Trigger trigger, Time now);

  // A pass ended at `now`. `failed`: back off. `again_at_once`: a conflict, or
  // drift is known to remain. `full`: it was a sweeping pass.
  void PassEnded(Time now, bool failed, bool again_at_once, bool full);

  struct Due {
    Time at{};
    Trigger trigger = Trigger::kPoll;
    bool full = false;
  };
  // The next pass. Always set: at the latest the poll is due.
  Due Next() const;

  // Consecutive failed passes.
  int failures() const { return failures_; }

 private:
  ScheduleOptions options_;
  std::uint64_t jitter_state_;
  std::optional<Due> noticed_;
  Time next_poll_{};
  Time next_full_{};
  Time not_before_{};
  std::optional<Time> retry_;
  int failures_ = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SCHEDULE_H_
