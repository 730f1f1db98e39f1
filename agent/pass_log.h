// PassLog: what passes did, as log lines.
//
// One line per pass that changed something or failed, its steps below it. A
// storm of changes and a failure that stays the same are not repeated line by
// line: what was left out is counted. For one thread.
#ifndef UPLINKD_AGENT_PASS_LOG_H_
#define UPLINKD_AGENT_PASS_LOG_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/tally.h"
#include "reconciler/reconcile.h"
#include "reconciler/schedule.h"

namespace uplinkd {

class PassLog {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic

  // Passes that are told in a row, and how long it takes until one more may.
  static constexpr int kBurst = 20;
  static constexpr std::chrono::seconds kRefill{1};
  // A failure that stays the same is told again after this.
  static constexpr std::chrono::seconds kRemind{60};

  void Write(const Report& report, const std::vector<Deed>& deeds,
             Trigger trigger, std::uint64_t generation, Time now);

 private:
  bool MaySpeak(Time now);
  bool IsNewFailure(const std::string& words, Time now);

  int tokens_ = kBurst;
  Time refilled_{};
  std::uint64_t unspoken_ = 0;
  std::string last_failure_;
  Time last_failure_at_{};
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PASS_LOG_H_
