// TokenBucket: how much of something may happen, so much in a row and so much a
// second; and one for each of many callers. Pure: time comes in as an argument.
#ifndef UPLINKD_AGENT_TOKEN_BUCKET_H_
#define UPLINKD_AGENT_TOKEN_BUCKET_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace uplinkd {

class TokenBucket {
 public:
  using Time = std::chrono::nanoseconds;  // monotonic
  struct Rate {
    double burst = 0;       // tokens of a full bucket
    double per_second = 0;  // how fast it fills
  };

  TokenBucket(Rate rate, Time now)
      : rate_(rate), tokens_(rate.burst), filled_(now) {}

  // Takes `tokens`, at most a full bucket of them, and answers nothing; or
  // takes none and answers how long it will be until there are enough.
  std::optional<Time> Take(double tokens, Time now);
  bool Full(Time now) const;

 private:
  double TokensAt(Time now) const;

  Rate rate_;
  double tokens_;
  Time filled_;
};

// A bucket for each key. One that is full again is forgotten, so that there are
// no more than those that were used lately. For one thread.
class TokenBuckets {
 public:
  explicit TokenBuckets(TokenBucket::Rate rate) : rate_(rate) {}

  std::optional<TokenBucket::Time> Take(const std::string& key, double tokens,
                                        TokenBucket::Time now);
  std::size_t size() const { return buckets_.size(); }

 private:
  TokenBucket::Rate rate_;
  std::map<std::string, TokenBucket> buckets_;
  std::size_t sweep_at_ = 64;  // buckets
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_TOKEN_BUCKET_H_
