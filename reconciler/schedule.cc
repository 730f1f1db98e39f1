#include "reconciler/schedule.h"

#include <algorithm>

namespace uplinkd {
namespace {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators"): the next state and what it gives.
std::uint64_t NextRandom(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

std::string_view TriggerName(Trigger trigger) {
  switch (trigger) {
    case Trigger::kSpec: return "spec";
    case Trigger::kEvent: return "event";
    case Trigger::kHealth: return "health";
    case Trigger::kHint: return "hint";
    case Trigger::kRetry: return "retry";
    case Trigger::kPeriodic: return "periodic";
    case Trigger::kLoad: return "load";
    case Trigger::kPoll: return "poll";
    case Trigger::kDrain: return "drain";
  }
  return "";
}

Schedule::Schedule(const ScheduleOptions& options, std::uint64_t jitter_seed)
    : options_(options), jitter_state_(jitter_seed) {}

void Schedule::Notice(Trigger trigger, Time now) {
  const Time at = trigger == Trigger::kSpec ? now : now + options_.coalesce;
  if (!noticed_) {
    noticed_ = {at, trigger};
    return;
  }
  noticed_->at = std::min(noticed_->at, at);
  noticed_->trigger = std::min(noticed_->trigger, trigger);
}

void Schedule::PassEnded(Time now, bool failed, bool again_at_once, bool full) {
  noticed_.reset();
  retry_.reset();
  next_poll_ = now + options_.poll;
  repeats_ = again_at_once ? repeats_ + 1 : 0;
  if (failed || repeats_ > options_.repeats_at_once) {
    ++failures_;
    retry_ = now + BackOff();
    not_before_ = now + std::min(BackOff(), Time(options_.poll));
    return;
  }
  failures_ = 0;
  not_before_ = now;
  if (again_at_once) retry_ = now;
  if (full) next_full_ = now + Jittered(options_.full);
}

Schedule::Due Schedule::Next() const {
  Due next;
  if (failures_ == 0) {
    next = std::min(Due{next_poll_, Trigger::kPoll, false},
                    Due{next_full_, Trigger::kPeriodic, false});
    if (retry_) next = std::min(next, Due{*retry_, Trigger::kRetry, false});
  } else {
    next = Due{*retry_, Trigger::kRetry, false};
  }
  if (noticed_) {
    const bool spec = noticed_->trigger == Trigger::kSpec;
    const Time at = spec ? noticed_->at : std::max(noticed_->at, not_before_);
    next = std::min(next, Due{at, noticed_->trigger, false});
    // Any pass answers what was noticed before it: a poll must look at all of
    // it, and the name is that of what counts for more.
    next.trigger = std::min(next.trigger, noticed_->trigger);
  }
  next.full = next.trigger == Trigger::kSpec || next_full_ <= next.at;
  return next;
}

Schedule::Time Schedule::BackOff() const {
  Time wait = options_.first_retry;
  for (int i = 1; i < failures_ && wait < options_.last_retry; ++i) wait *= 2;
  return std::min(wait, Time(options_.last_retry));
}

Schedule::Time Schedule::Jittered(Time interval) {
  constexpr std::int64_t kSteps = 2001;  // -10.00 % to +10.00 %
  const auto random = static_cast<std::int64_t>(
      NextRandom(jitter_state_) % static_cast<std::uint64_t>(kSteps));
  return interval + interval / 10000 * (random - kSteps / 2);
}

}  // namespace uplinkd
