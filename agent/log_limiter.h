// LogLimiter: how many lines of one kind a storm may write.
//
// A token bucket: some lines in a row, then one a second. What was left out is
// counted, and said as soon as a line may be written again. For lines that
// come in storms; what a person asked for, and a new failure, is told without
// asking it. For one thread.
#ifndef UPLINKD_AGENT_LOG_LIMITER_H_
#define UPLINKD_AGENT_LOG_LIMITER_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/token_bucket.h"

namespace uplinkd {

class LogLimiter {
 public:
  using Time = TokenBucket::Time;  // monotonic

  // Lines in a row, and how long it takes until one more may be written.
  static constexpr int kBurst = 20;
  static constexpr std::chrono::seconds kRefill{1};

  // What is left out, in the plural: "passes that changed something".
  explicit LogLimiter(std::string lines) : lines_(std::move(lines)) {}

  // False: do not write this line; it is counted. True: what was left out
  // before it has been said.
  bool MaySpeak(Time now = Now());

  // Says what was left out, if a line may be written. To be called now and
  // then, since after a storm there may be no other line.
  void Settle(Time now = Now());

 private:
  static Time Now() {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  bool TakeToken(Time now) { return !tokens_.Take(1, now); }
  void TellLeftOut();

  std::string lines_;
  TokenBucket tokens_{
      {.burst = kBurst,
       .per_second = 1 / std::chrono::duration<double>(kRefill).count()},
      {}};
  std::uint64_t left_out_ = 0;  // and not told yet
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LOG_LIMITER_H_
