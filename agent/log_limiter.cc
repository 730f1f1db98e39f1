#include "agent/log_limiter.h"

#include <string>

#include "agent/logging.h"

namespace uplinkd {

bool LogLimiter::MaySpeak(Time now) {
  if (!TakeToken(now)) {
    ++left_out_;
    return false;
  }
  TellLeftOut();
  return true;
}

void LogLimiter::Settle(Time now) {
  if (left_out_ > 0 && TakeToken(now)) TellLeftOut();
}

void LogLimiter::TellLeftOut() {
  if (left_out_ == 0) return;
  Log(spdlog::level::warn,
      std::to_string(left_out_) + " " + lines_ + " were not logged",
      {{"event", "omission"}, {"omitted", left_out_}, {"what", lines_}});
  left_out_ = 0;
}

}  // namespace uplinkd
