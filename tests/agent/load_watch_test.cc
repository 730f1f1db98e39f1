#include "agent/load_watch.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/agent/counted_host.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using testing::CountedHost;
using testing::TwoUplinkSpec;

// wan1 weighs 4 and wan2 weighs 1.
class LoadWatchTest : public ::testing::Test {
 protected:
  LoadWatchTest() {
    spec_.balance.algorithm = Algorithm::kLeastConnections;
    watch_.Follow(spec_);
    watch_.PassEnded(Compiled());
  }

  // What a pass makes of the loads in force.
  std::map<std::string, CountedChoice> Compiled() const {
    return {{kBalance,
             WithShares({{"wan1", 4, 4}, {"wan2", 1, 1}}, watch_.loads())}};
  }
  void Connections(std::uint64_t wan1, std::uint64_t wan2) {
    // Idle ones are no load.
    host_.connections = {{1, {wan1 + 500, wan1}}, {2, {wan2, wan2}}};
  }
  void Give(std::size_t uplink, std::uint64_t fates) {
    host_.fates()[MarkOf(spec_, spec_.uplinks[uplink].id)] += fates;
  }
  bool Look() {
    now_ += LoadWatch::kEvery;
    const bool due = watch_.Look(host_);
    if (due) watch_.PassEnded(Compiled());
    return due;
  }

  Spec spec_ = TwoUplinkSpec();
  nanoseconds now_ = std::chrono::seconds(1000);
  CountedHost host_;
  LoadWatch watch_{[this] { return now_; },
                   [this] { return host_.processor_time; }};
};

TEST_F(LoadWatchTest, WatchesOnlyWhileAPolicyAsks) {
  EXPECT_TRUE(watch_.watching());
  spec_.balance.algorithm = Algorithm::kWeightedRandom;
  watch_.Follow(spec_);
  EXPECT_FALSE(watch_.watching());
  EXPECT_FALSE(Look());
  EXPECT_EQ(host_.counts, 0);
  Policy policy;
  policy.name = "bulk";
  policy.algorithm = Algorithm::kLeastConnections;
  spec_.policies = {policy};
  watch_.Follow(spec_);
  EXPECT_TRUE(watch_.watching());
}

TEST_F(LoadWatchTest, LeavesTheWeightsInForceWhileTheyAreRight) {
  Connections(40, 10);
  EXPECT_FALSE(Look());
  EXPECT_TRUE(watch_.loads().empty());
}

TEST_F(LoadWatchTest, PutsOtherLoadsInForceOnceTheyMatter) {
  Connections(40, 0);
  EXPECT_TRUE(Look());
  EXPECT_EQ(watch_.loads().at("wan1").connections, 40U);
  EXPECT_EQ(watch_.loads().at("wan2").connections, 0U);
  // They are in force now: the same again changes nothing.
  EXPECT_FALSE(Look());
  Connections(40, 10);
  EXPECT_TRUE(Look());
}

TEST_F(LoadWatchTest, ExpectsAsManyArrivalsAsThereLatelyWere) {
  Connections(400, 100);
  Look();
  for (int i = 0; i < 40; ++i) {
    Give(0, 10);  // 40 a second
    Look();
  }
  Connections(400, 0);
  Give(0, 10);
  ASSERT_TRUE(Look());
  EXPECT_NEAR(watch_.loads().at("wan1").arrivals, 10, 0.1);
  EXPECT_NEAR(watch_.loads().at("wan2").arrivals, 0, 0.1);
}

TEST_F(LoadWatchTest, FatesFromBeforeTheFirstLookAreNoArrivals) {
  Give(0, 1'000'000);
  Connections(40, 0);
  ASSERT_TRUE(Look());
  EXPECT_EQ(watch_.loads().at("wan1").arrivals, 0);
}

TEST_F(LoadWatchTest, ACounterThatWentBackIsANewOne) {
  Give(0, 1'000'000);
  Connections(40, 10);
  Look();
  host_.fates().clear();
  Give(0, 5);
  Connections(40, 0);
  ASSERT_TRUE(Look());
  EXPECT_NEAR(watch_.loads().at("wan1").arrivals, 5, 0.1);
}

TEST_F(LoadWatchTest, CountsAtEveryLookWhileThatIsCheap) {
  host_.counting_takes = milliseconds(2);
  for (int i = 0; i < 8; ++i) Look();
  EXPECT_EQ(host_.counts, 8);
}

TEST_F(LoadWatchTest, SpendsAtMostOnePercentOfACoreOnCounting) {
  host_.counting_takes = milliseconds(10);
  const nanoseconds began = now_;
  for (int i = 0; i < 400; ++i) Look();
  EXPECT_LE(host_.counts * host_.counting_takes * 100,
            now_ - began + host_.counting_takes * 100);
  EXPECT_GT(host_.counts, 75);  // about once a second
}

TEST_F(LoadWatchTest, AddsTheFatesGivenSinceTheLastCount) {
  host_.counting_takes = milliseconds(10);
  Connections(40, 10);
  EXPECT_FALSE(Look());
  Give(1, 30);
  EXPECT_TRUE(Look());
  EXPECT_EQ(host_.counts, 1);
  EXPECT_EQ(watch_.loads().at("wan1").connections, 40U);
  EXPECT_EQ(watch_.loads().at("wan2").connections, 40U);
}

TEST_F(LoadWatchTest, TakesOffAsManyAsLatelyWent) {
  host_.counting_takes = milliseconds(10);
  Connections(40, 60);
  EXPECT_TRUE(Look());
  // Within a second 40 of the second uplink's go.
  Connections(40, 20);
  while (host_.counts < 2) EXPECT_FALSE(Look());
  // A quarter of a second later it should have 10 left, its part again.
  EXPECT_TRUE(Look());
  EXPECT_EQ(host_.counts, 2);
  EXPECT_EQ(watch_.loads().at("wan2").connections, 10U);
}

TEST_F(LoadWatchTest, KeepsWhatItHasWhileNothingCanBeCounted) {
  host_.broken = true;
  EXPECT_FALSE(Look());
  EXPECT_TRUE(watch_.loads().empty());
  host_.broken = false;
  Connections(40, 0);
  ASSERT_TRUE(Look());
  host_.broken = true;
  EXPECT_FALSE(Look());
  EXPECT_EQ(watch_.loads().at("wan1").connections, 40U);
}

TEST_F(LoadWatchTest, AnotherSpecBeginsWithTheWeights) {
  Connections(40, 0);
  ASSERT_TRUE(Look());
  watch_.Follow(spec_);
  EXPECT_TRUE(watch_.loads().empty());
}

}  // namespace
}  // namespace uplinkd
