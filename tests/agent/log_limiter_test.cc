#include "agent/log_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/captured_log.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::CapturedLog;
using testing::JsonLog;

TEST(LogLimiter, LetsABurstThroughAndThenOneASecond) {
  const CapturedLog out;
  LogLimiter limiter("storms");
  for (int i = 0; i < LogLimiter::kBurst; ++i) {
    EXPECT_TRUE(limiter.MaySpeak(seconds(1)));
  }
  EXPECT_FALSE(limiter.MaySpeak(seconds(1)));
  EXPECT_FALSE(limiter.MaySpeak(milliseconds(1999)));
  EXPECT_EQ(out.text(), "");
  EXPECT_TRUE(limiter.MaySpeak(seconds(2)));
  EXPECT_EQ(out.text(), "warning 2 storms were not logged\n");
  EXPECT_FALSE(limiter.MaySpeak(seconds(2)));
}

TEST(LogLimiter, SaysWhatWasLeftOutWithoutAnotherLine) {
  JsonLog out;
  LogLimiter limiter("storms");
  for (int i = 0; i < 100; ++i) (void)limiter.MaySpeak(seconds(1));
  limiter.Settle(seconds(1));  // not yet
  limiter.Settle(seconds(2));
  limiter.Settle(seconds(3));  // nothing more to say
  const std::vector<nlohmann::json> lines = out.Lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["event"], "omission");
  EXPECT_EQ(lines[0]["omitted"], 100 - LogLimiter::kBurst);
  EXPECT_EQ(lines[0]["what"], "storms");
}

}  // namespace
}  // namespace uplinkd
