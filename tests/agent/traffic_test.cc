#include "agent/traffic.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RateMeter, TakesTheFirstRateAsItIs) {
  RateMeter meter;
  meter.Sample(1000, seconds(10), seconds(5));
  EXPECT_EQ(meter.per_second(), 0);
  meter.Sample(3000, seconds(12), seconds(5));
  EXPECT_DOUBLE_EQ(meter.per_second(), 1000);
}

TEST(RateMeter, AveragesOverTheWindow) {
  RateMeter meter;
  std::uint64_t count = 0;
  int second = 0;
  const auto run = [&](int times, std::uint64_t rate) {
    for (int i = 0; i < times; ++i) {
      meter.Sample(count += rate, seconds(++second), seconds(4));
    }
  };
  run(20, 100);
  EXPECT_NEAR(meter.per_second(), 100, 1e-9);
  // One time constant covers 1 - 1/e of a step.
  run(4, 1100);
  EXPECT_NEAR(meter.per_second(), 100 + 1000 * (1 - 1 / 2.718281828), 1e-6);
  run(60, 0);
  EXPECT_NEAR(meter.per_second(), 0, 0.01);
}

TEST(RateMeter, StartsOverWhenTheCounterGoesBack) {
  RateMeter meter;
  meter.Sample(5000, seconds(1), seconds(1));
  meter.Sample(9000, seconds(2), seconds(1));
  meter.Sample(100, seconds(3), seconds(1));
  EXPECT_EQ(meter.per_second(), 0);
  meter.Sample(400, seconds(4), seconds(1));
  EXPECT_DOUBLE_EQ(meter.per_second(), 300);
}

TEST(RateMeter, IgnoresASampleOfTheSameInstant) {
  RateMeter meter;
  meter.Sample(0, seconds(1), seconds(1));
  meter.Sample(100, seconds(2), seconds(1));
  meter.Sample(999, seconds(2), seconds(1));
  EXPECT_DOUBLE_EQ(meter.per_second(), 100);
}

TEST(TrafficMeter, KnowsTheUplinksThatItFollows) {
  TrafficMeter meter;
  meter.Follow({"wan1", "wan2"}, milliseconds(500));
  meter.LinkSeen("wan1", 3, {1000, 100}, seconds(1));
  meter.LinkSeen("wan1", 3, {3000, 150}, seconds(2));
  meter.LinkSeen("stranger", 4, {1, 1}, seconds(2));
  meter.ConnectionsSeen("wan2", 12);
  ASSERT_EQ(meter.traffic().size(), 2U);
  const LinkTraffic& wan1 = *meter.traffic().at("wan1").link;
  EXPECT_EQ(wan1.receive_bytes, 3000U);
  EXPECT_EQ(wan1.transmit_bytes, 150U);
  EXPECT_DOUBLE_EQ(wan1.receive_bytes_per_second, 2000);
  EXPECT_DOUBLE_EQ(wan1.transmit_bytes_per_second, 50);
  EXPECT_EQ(meter.traffic().at("wan2").connections, 12U);
}

TEST(TrafficMeter, AnotherLinkUnderTheNameMakesNoRate) {
  TrafficMeter meter;
  meter.Follow({"wan1"}, seconds(1));
  meter.LinkSeen("wan1", 3, {1000, 0}, seconds(1));
  meter.LinkSeen("wan1", 9, {5000000, 0}, seconds(2));
  EXPECT_EQ(meter.traffic().at("wan1").link->receive_bytes_per_second, 0);
}

// A total that fell would look like a restart of the agent.
TEST(TrafficMeter, TotalsNeverFallWhileTheUplinkStays) {
  TrafficMeter meter;
  meter.Follow({"wan1"}, seconds(1));
  const auto received = [&meter] {
    return meter.traffic().at("wan1").link->receive_bytes;
  };
  meter.LinkSeen("wan1", 3, {1000, 0}, seconds(1));
  meter.LinkSeen("wan1", 3, {1500, 0}, seconds(2));
  EXPECT_EQ(received(), 1500U);
  // Another link, which has carried much for others.
  meter.LinkSeen("wan1", 4, {9000, 0}, seconds(3));
  EXPECT_EQ(received(), 1500U);
  meter.LinkSeen("wan1", 4, {9070, 0}, seconds(4));
  EXPECT_EQ(received(), 1570U);
  // It cannot be read for a while; its driver starts over.
  meter.LinkMissing("wan1");
  EXPECT_EQ(received(), 1570U);
  meter.LinkSeen("wan1", 4, {9100, 0}, seconds(5));
  EXPECT_EQ(received(), 1600U);
  meter.LinkSeen("wan1", 4, {10, 0}, seconds(6));
  EXPECT_EQ(received(), 1610U);
  // Another spec that has it still.
  meter.Follow({"wan1", "wan2"}, seconds(1));
  meter.LinkSeen("wan1", 4, {15, 0}, seconds(7));
  EXPECT_EQ(received(), 1615U);
  // One without it: whatever comes under the name later is another uplink.
  meter.Follow({"wan2"}, seconds(1));
  meter.Follow({"wan1"}, seconds(1));
  meter.LinkSeen("wan1", 4, {20, 0}, seconds(8));
  EXPECT_EQ(received(), 20U);
}

TEST(TrafficMeter, NewConnectionsPerSecondAreOfTheEstimatorsWindow) {
  TrafficMeter meter;
  meter.Follow({"wan1"}, seconds(1));
  std::uint64_t given = 0;
  for (int i = 0; i < 10; ++i) {
    meter.FatesSeen({{"wan1", given += 7}}, seconds(i));
  }
  EXPECT_NEAR(meter.traffic().at("wan1").new_connections_per_second, 7, 0.01);
  for (int i = 10; i < 20; ++i) meter.FatesSeen({{"wan1", given}}, seconds(i));
  EXPECT_NEAR(meter.traffic().at("wan1").new_connections_per_second, 0, 0.01);
  EXPECT_NEAR(meter.traffic().at("wan1").achieved_share, 1, 1e-9);
}

TEST(TrafficMeter, AMissingLinkHasNoRate) {
  TrafficMeter meter;
  meter.Follow({"wan1"}, seconds(1));
  meter.LinkSeen("wan1", 3, {0, 0}, seconds(1));
  meter.LinkSeen("wan1", 3, {800, 0}, seconds(2));
  meter.LinkMissing("wan1");
  EXPECT_EQ(meter.traffic().at("wan1").link->receive_bytes_per_second, 0);
  EXPECT_EQ(meter.traffic().at("wan1").link->receive_bytes, 800U);
}

TEST(TrafficMeter, ASharedLinkTellsNothingOfItsUplinks) {
  TrafficMeter meter;
  meter.Follow({"wan1"}, seconds(1));
  meter.LinkSeen("wan1", 3, {1000, 0}, seconds(1));
  meter.LinkShared("wan1");
  EXPECT_FALSE(meter.traffic().at("wan1").link);
  meter.LinkSeen("wan1", 3, {2000, 0}, seconds(2));
  meter.LinkMissing("wan1");
  EXPECT_FALSE(meter.traffic().at("wan1").link);
  // Alone again: from here on, and not since it last was alone.
  meter.Follow({"wan1"}, seconds(1));
  meter.LinkSeen("wan1", 3, {9000, 0}, seconds(3));
  EXPECT_EQ(meter.traffic().at("wan1").link->receive_bytes, 9000U);
  EXPECT_EQ(meter.traffic().at("wan1").link->receive_bytes_per_second, 0);
}

TEST(TrafficMeter, ForgetsUplinksThatAreGone) {
  TrafficMeter meter;
  meter.Follow({"wan1", "wan2"}, seconds(1));
  meter.ConnectionsSeen("wan1", 5);
  meter.Follow({"wan1"}, seconds(1));
  EXPECT_EQ(meter.traffic().size(), 1U);
  EXPECT_EQ(meter.traffic().at("wan1").connections, 5U);
}

TEST(TrafficMeter, CountsTheFatesGivenSinceItLooks) {
  TrafficMeter meter;
  meter.Follow({"wan1", "wan2"}, seconds(1));
  const auto fates = [&meter](const std::string& uplink) {
    return meter.traffic().at(uplink).new_connections;
  };
  meter.FatesSeen({{"wan1", 1000}, {"wan2", 0}}, seconds(1));
  EXPECT_EQ(fates("wan1"), 0U);
  meter.FatesSeen({{"wan1", 1030}, {"wan2", 10}}, seconds(2));
  EXPECT_EQ(fates("wan1"), 30U);
  EXPECT_EQ(fates("wan2"), 10U);
  EXPECT_DOUBLE_EQ(meter.traffic().at("wan1").achieved_share, 0.75);
  // wan1's chain was made anew and gave 5 fates since; wan2's is gone.
  meter.FatesSeen({{"wan1", 5}, {"wan2", 0}}, seconds(3));
  EXPECT_EQ(fates("wan1"), 35U);
  EXPECT_EQ(fates("wan2"), 10U);
}

TEST(TrafficMeter, SharesAreOfTheLastHalfMinute) {
  TrafficMeter meter;
  meter.Follow({"wan1", "wan2"}, seconds(1));
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  for (int i = 0; i < 60; ++i) {
    meter.FatesSeen({{"wan1", first += 9}, {"wan2", second += 1}}, seconds(i));
  }
  EXPECT_NEAR(meter.traffic().at("wan1").achieved_share, 0.9, 1e-9);
  for (int i = 60; i < 300; ++i) {
    meter.FatesSeen({{"wan1", first += 2}, {"wan2", second += 2}}, seconds(i));
  }
  EXPECT_NEAR(meter.traffic().at("wan1").achieved_share, 0.5, 0.01);
  // Nothing new for long: no share to speak of.
  for (int i = 300; i < 3000; ++i) {
    meter.FatesSeen({{"wan1", first}, {"wan2", second}}, seconds(i));
  }
  EXPECT_EQ(meter.traffic().at("wan1").achieved_share, 0);
}

TEST(NextLook, CostsAtMostHalfAPercent) {
  EXPECT_EQ(NextLook(seconds(10), seconds(10) + milliseconds(1), seconds(5)),
            seconds(15) + milliseconds(1));
  EXPECT_EQ(NextLook(seconds(10), seconds(10) + milliseconds(200), seconds(5)),
            seconds(50) + milliseconds(200));
}

}  // namespace
}  // namespace uplinkd
