#include "agent/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/agent/counted_host.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::seconds;
using testing::CountedHost;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TwoUplinkSpec;

class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() { sampler_.Follow(spec_); }

  // A look each second.
  void LookFor(seconds duration) {
    for (const seconds end = now_ + duration; now_ < end; ++now_) {
      sampler_.Look(host_, {});
    }
  }
  void Give(std::uint64_t fates) { sampler_.FatesSeen({{first_, fates}}); }
  // So many connections of each uplink, and of nobody.
  void Track(std::uint64_t first, std::uint64_t second, std::uint64_t others) {
    host_.connections = {{first_.value, {.all = first}},
                         {second_.value, {.all = second}},
                         {0, {.all = others}}};
    host_.entries = first + second + others;
  }
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  // What is told of both uplinks.
  Pair Told() const {
    const auto& traffic = sampler_.meter().traffic();
    return {traffic.at(spec_.uplinks[0].name).connections,
            traffic.at(spec_.uplinks[1].name).connections};
  }

  Spec spec_ = TwoUplinkSpec();
  Mark first_ = MarkOf(spec_, spec_.uplinks[0].id);
  Mark second_ = MarkOf(spec_, spec_.uplinks[1].id);
  CountedHost host_;
  seconds now_{1000};
  Sampler sampler_{[this] { return now_ + host_.processor_time; }};
};

TEST_F(SamplerTest, CountsConnectionsEveryFiveSecondsWhileTheyComeAndGo) {
  for (int i = 0; i < 20; ++i) {
    ++host_.entries;
    LookFor(seconds(1));
  }
  EXPECT_EQ(host_.counts, 4);
}

TEST_F(SamplerTest, CountsOnceAMinuteWhileNothingSeemsToHappen) {
  LookFor(seconds(60));
  EXPECT_EQ(host_.counts, 1);
  LookFor(seconds(60));
  EXPECT_EQ(host_.counts, 2);
}

TEST_F(SamplerTest, AFateThatWasGivenIsAReasonToCount) {
  LookFor(seconds(20));
  ASSERT_EQ(host_.counts, 1);
  // As many connections came as went.
  host_.connections[first_.value] = {3, 1};
  Give(3);
  LookFor(seconds(1));
  EXPECT_EQ(host_.counts, 2);
  EXPECT_EQ(sampler_.meter().traffic().at(spec_.uplinks[0].name).connections,
            3U);
  LookFor(seconds(20));
  EXPECT_EQ(host_.counts, 2);
}

TEST_F(SamplerTest, KnowsNoTrafficOfUplinksThatShareAnInterface) {
  spec_.uplinks[1].interface = spec_.uplinks[0].interface;
  sampler_.Follow(spec_);
  LookFor(seconds(1));
  for (const auto& [uplink, traffic] : sampler_.meter().traffic()) {
    EXPECT_FALSE(traffic.link) << uplink;
  }
  spec_.uplinks.pop_back();
  sampler_.Follow(spec_);
  EXPECT_TRUE(sampler_.meter().traffic().at(spec_.uplinks[0].name).link);
}

TEST_F(SamplerTest, SuspectsAnUplinkThatGetsNoAnswers) {
  LookFor(seconds(20));
  Give(5);
  host_.connections[first_.value] = {.all = 5, .busy = 5, .unanswered = 5};
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), ElementsAre(spec_.uplinks[0].name));
  // Not again without another look at the connections.
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), IsEmpty());
}

TEST_F(SamplerTest, SuspectsAtTheFirstLook) {
  Give(5);
  host_.connections[first_.value] = {.all = 5, .busy = 5, .unanswered = 5};
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), ElementsAre(spec_.uplinks[0].name));
}

TEST_F(SamplerTest, SuspectsNoUplinkForAFewOrOldOnes) {
  const auto give = [&](std::uint64_t fates, std::uint64_t unanswered) {
    LookFor(seconds(20));
    Give(fates);
    host_.connections[first_.value] = {
        .all = 100, .busy = 100, .unanswered = unanswered};
    LookFor(seconds(1));
    return sampler_.suspects();
  };
  EXPECT_THAT(give(5, 2), IsEmpty());     // one site that is down
  EXPECT_THAT(give(105, 10), IsEmpty());  // on their way, of 100
  EXPECT_THAT(give(106, 3), SizeIs(1));
  // No new ones: what is left hangs for two minutes more.
  ++host_.entries;
  EXPECT_THAT(give(106, 3), IsEmpty());
}

TEST_F(SamplerTest, EstimatesBetweenCounts) {
  host_.counting_takes = std::chrono::milliseconds(200);
  const auto shown = [&] {
    LookFor(seconds(1));
    return Told();
  };
  Track(60, 30, 10);
  EXPECT_EQ(shown(), (Pair{60, 30}));
  Give(20);  // of 120 there are 90: a quarter of each went
  host_.entries = 90;
  EXPECT_EQ(shown(), (Pair{60, 23}));
  host_.entries = 130;  // others came
  EXPECT_EQ(shown(), (Pair{80, 30}));
  host_.entries = 0;
  EXPECT_EQ(shown(), (Pair{0, 0}));
  EXPECT_EQ(host_.counts, 1);
  host_.entries = 100;
  LookFor(seconds(60));
  EXPECT_EQ(host_.counts, 2);  // and what is counted is the truth again
  EXPECT_EQ(shown(), (Pair{60, 30}));
}

// A new rule's counter begins at 0; what the old one gave stays given.
TEST_F(SamplerTest, EstimatesAcrossAnEditOfTheRules) {
  host_.counting_takes = std::chrono::milliseconds(200);
  Give(1000);
  Track(60, 30, 10);
  LookFor(seconds(1));
  Give(1020);
  Give(5);
  host_.entries = 125;
  LookFor(seconds(1));
  EXPECT_EQ(Told(), (Pair{85, 30}));
  EXPECT_EQ(host_.counts, 1);
}

TEST_F(SamplerTest, WhatWasCutIsGoneFromItsUplinkAloneAndAtOnce) {
  host_.counting_takes = std::chrono::milliseconds(200);
  Track(500, 400, 100);
  LookFor(seconds(1));
  sampler_.NoteCut(second_, 400);
  EXPECT_EQ(Told(), (Pair{500, 0}));
  EXPECT_EQ(sampler_.conntrack().entries, 600U);
  // They come again by the other uplink, and others come without our mark.
  Track(900, 0, 600);
  LookFor(seconds(1));
  EXPECT_EQ(Told(), (Pair{900, 0}));
  EXPECT_EQ(host_.counts, 2);
}

TEST_F(SamplerTest, GrowthWithoutOurMarkIsOfNoUplink) {
  host_.counting_takes = std::chrono::milliseconds(200);
  Track(500, 400, 100);
  LookFor(seconds(1));
  host_.entries = 5000;
  LookFor(seconds(1));
  EXPECT_EQ(Told(), (Pair{500, 400}));
  sampler_.NoteCut(second_, 300);
  EXPECT_EQ(Told(), (Pair{500, 100}));
  sampler_.NoteCut(second_, 300);  // more than were known
  EXPECT_EQ(Told(), (Pair{500, 0}));
}

TEST_F(SamplerTest, ManyCutsInARowDoNotMakeManyCounts) {
  Track(500, 400, 100);
  for (int i = 0; i < 100; ++i) {
    sampler_.NoteCut(first_, 1);
    sampler_.NoteCut(second_, 1);
    sampler_.Look(host_, {});
  }
  EXPECT_EQ(host_.counts, 1);
  ++now_;
  sampler_.Look(host_, {});
  EXPECT_EQ(host_.counts, 2);
  // A cut of nothing is none.
  sampler_.NoteCut(first_, 0);
  LookFor(seconds(3));
  EXPECT_EQ(host_.counts, 2);
  // On a large table they cost more than that.
  host_.counting_takes = std::chrono::milliseconds(200);
  for (int i = 0; i < 100; ++i) {
    sampler_.NoteCut(first_, 1);
    LookFor(seconds(1));
  }
  EXPECT_GE(host_.counts, 6);
  EXPECT_LE(host_.counts, 8);
}

TEST_F(SamplerTest, CountsSoonerWhereMuchIsGone) {
  Track(5000, 4000, 1000);
  LookFor(seconds(1));
  host_.entries = 9950;  // half a percent
  LookFor(seconds(2));
  EXPECT_EQ(host_.counts, 1);
  Track(5000, 3800, 1000);
  LookFor(seconds(1));
  EXPECT_EQ(host_.counts, 2);
  EXPECT_EQ(Told(), (Pair{5000, 3800}));
}

// 5000 connections come each second, and as many go.
TEST_F(SamplerTest, CountingABusyTableCostsLessThanAHundredthOfACore) {
  Track(150'000, 100'000, 0);
  host_.counting_takes = std::chrono::milliseconds(250);
  constexpr int kSeconds = 1200;
  for (std::uint64_t i = 0; i < kSeconds; ++i) {
    Give(i * 5000);
    LookFor(seconds(1));
  }
  EXPECT_LT(host_.processor_time, seconds(kSeconds) / 100);
  EXPECT_GT(host_.counts, kSeconds / 35);
}

TEST_F(SamplerTest, AnotherSpecIsAReasonToCount) {
  LookFor(seconds(20));
  sampler_.Follow(spec_);
  LookFor(seconds(1));
  EXPECT_EQ(host_.counts, 2);
}

}  // namespace
}  // namespace uplinkd
