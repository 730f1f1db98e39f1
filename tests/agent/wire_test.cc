#include "agent/wire.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>

namespace uplinkd {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::chrono::hours kYear{24 * 365};

google::protobuf::Duration Duration(std::int64_t whole, std::int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(whole);
  duration.set_nanos(nanos);
  return duration;
}

google::protobuf::Timestamp Time(std::int64_t whole) {
  google::protobuf::Timestamp time;
  time.set_seconds(whole);
  return time;
}

TEST(Wire, DurationsAndTimesSurvive) {
  for (const nanoseconds duration :
       {nanoseconds(0), nanoseconds(1), nanoseconds(-1), nanoseconds(1500),
        nanoseconds(100 * kYear), nanoseconds(-100 * kYear)}) {
    EXPECT_EQ(FromProto(ToProto(duration)), duration);
    const system_clock::time_point time(duration);
    EXPECT_EQ(FromProto(ToProto(time)), time);
  }
}

// A message can say more than fits; what it says stays long, and of its sign.
TEST(Wire, WhatIsBeyondAllBoundsStaysFarAway) {
  // 2^64 / 10^9 and one: as nanoseconds it would come round to a second.
  for (const std::int64_t whole :
       {kMost, std::int64_t{18446744075}, std::int64_t{315576000000}}) {
    EXPECT_GT(FromProto(Duration(whole, 999999999)), 100 * kYear) << whole;
    EXPECT_LT(FromProto(Duration(-whole, -999999999)), -100 * kYear) << whole;
    EXPECT_GT(FromProto(Time(whole)).time_since_epoch(), 100 * kYear) << whole;
  }
  EXPECT_LT(FromProto(Duration(kLeast, 0)), -100 * kYear);
  EXPECT_LT(FromProto(Time(kLeast)).time_since_epoch(), -100 * kYear);
}

// So that a moment of this century can be compared with it.
TEST(Wire, TheFarthestTimesHaveADistanceFromNow) {
  const auto now = system_clock::now();
  EXPECT_GT(FromProto(Time(kMost)) - now, nanoseconds(0));
  EXPECT_LT(FromProto(Time(kLeast)) - now, nanoseconds(0));
}

}  // namespace
}  // namespace uplinkd
