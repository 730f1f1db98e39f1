// PassLog: what passes did, as log lines.
//
// One line per pass that changed something or failed, its steps below it. A
// storm of changes and a failure that stays the same are not repeated line by
// line: what was left out is counted. A new failure, and what became of a
// request (trigger "spec"), is always told. For one thread.
#ifndef UPLINKD_AGENT_PASS_LOG_H_
#define UPLINKD_AGENT_PASS_LOG_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/log_limiter.h"
#include "agent/tally.h"
#include "reconciler/reconcile.h"
#include "reconciler/schedule.h"

namespace uplinkd {

// The deeds in few words, by object and sign: "chain-rules +14 -3, rules ~1".
std::string SummaryOf(const std::vector<Deed>& deeds);

class PassLog {
 public:
  using Time = LogLimiter::Time;

  // A failure that stays the same is told again after this.
  static constexpr std::chrono::seconds kRemind{60};
  // Failures that are told apart; more of them count as a storm.
  static constexpr std::size_t kMostFailures = 20;

  void Write(const Report& report, const std::vector<Deed>& deeds,
             Trigger trigger, std::uint64_t generation, Time now);

  // A pass whose changes follow from the loads alone: at level debug.
  static void WriteShares(const std::vector<Deed>& deeds,
                          std::uint64_t generation);

  // See LogLimiter::Settle().
  void Settle(Time now) { limiter_.Settle(now); }

 private:
  struct Failure {
    Time told{};
    std::uint64_t untold = 0;  // passes since then
  };

  void NoteInSync(Trigger trigger, std::uint64_t generation, Time now);
  // How many failures like this one were not told, if this one is to be told.
  std::optional<std::uint64_t> NoteFailure(const std::string& words, bool asked,
                                           Time now);

  LogLimiter limiter_{"passes that changed something"};
  std::map<std::string, Failure> failures_;  // since all was in sync, by words
  std::uint64_t failed_ = 0;                 // passes since then
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PASS_LOG_H_
