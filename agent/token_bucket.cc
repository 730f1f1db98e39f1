#include "agent/token_bucket.h"

#include <algorithm>
#include <utility>

namespace uplinkd {

double TokenBucket::TokensAt(Time now) const {
  const std::chrono::duration<double> passed =
      std::max(now - filled_, Time::zero());
  return std::min(rate_.burst, tokens_ + passed.count() * rate_.per_second);
}

std::optional<TokenBucket::Time> TokenBucket::Take(double tokens, Time now) {
  tokens_ = TokensAt(now);
  filled_ = std::max(filled_, now);
  if (tokens_ >= tokens) {
    tokens_ -= tokens;
    return std::nullopt;
  }
  return std::chrono::ceil<Time>(
      std::chrono::duration<double>((tokens - tokens_) / rate_.per_second));
}

bool TokenBucket::Full(Time now) const {
  return TokensAt(now) >= rate_.burst;
}

std::optional<TokenBucket::Time> TokenBuckets::Take(const std::string& key,
                                                    double tokens,
                                                    TokenBucket::Time now) {
  if (buckets_.size() >= sweep_at_) {
    std::erase_if(buckets_,
                  [&](const auto& it) { return it.second.Full(now); });
    sweep_at_ = std::max<std::size_t>(64, 2 * buckets_.size());
  }
  const auto bucket = buckets_.try_emplace(key, rate_, now).first;
  return bucket->second.Take(tokens, now);
}

}  // namespace uplinkd
