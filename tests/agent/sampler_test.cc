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
  void Give(std::uint64_t fates) {
    sampler_.FatesSeen({{MarkOf(spec_, spec_.uplinks[0].id), fates}});
  }

  Spec spec_ = TwoUplinkSpec();
  CountedHost host_;
  seconds now_{1000};
  Sampler sampler_{[this] { return now_; }};
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
  const Mark mark = MarkOf(spec_, spec_.uplinks[0].id);
  host_.connections[mark.value] = {3, 1};
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
  const Mark mark = MarkOf(spec_, spec_.uplinks[0].id);
  LookFor(seconds(20));
  Give(5);
  host_.connections[mark.value] = {.all = 5, .busy = 5, .unanswered = 5};
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), ElementsAre(spec_.uplinks[0].name));
  // Not again without another look at the connections.
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), IsEmpty());
}

TEST_F(SamplerTest, SuspectsAtTheFirstLook) {
  const Mark mark = MarkOf(spec_, spec_.uplinks[0].id);
  Give(5);
  host_.connections[mark.value] = {.all = 5, .busy = 5, .unanswered = 5};
  LookFor(seconds(1));
  EXPECT_THAT(sampler_.suspects(), ElementsAre(spec_.uplinks[0].name));
}

TEST_F(SamplerTest, SuspectsNoUplinkForAFewOrOldOnes) {
  const Mark mark = MarkOf(spec_, spec_.uplinks[0].id);
  const auto give = [&](std::uint64_t fates, std::uint64_t unanswered) {
    LookFor(seconds(20));
    Give(fates);
    host_.connections[mark.value] = {
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
  const Mark first = MarkOf(spec_, spec_.uplinks[0].id);
  const Mark second = MarkOf(spec_, spec_.uplinks[1].id);
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  const auto shown = [&] {
    LookFor(seconds(1));
    const auto& traffic = sampler_.meter().traffic();
    return Pair{traffic.at(spec_.uplinks[0].name).connections,
                traffic.at(spec_.uplinks[1].name).connections};
  };
  host_.connections = {{first.value, {.all = 60}},
                       {second.value, {.all = 30}},
                       {0, {.all = 10}}};
  host_.entries = 100;
  EXPECT_EQ(shown(), (Pair{60, 30}));
  Give(20);  // of 120 there are 90: a quarter of each went
  host_.entries = 90;
  EXPECT_EQ(shown(), (Pair{60, 23}));
  host_.entries = 130;  // others came
  EXPECT_EQ(shown(), (Pair{80, 30}));
  host_.entries = 0;
  EXPECT_EQ(shown(), (Pair{0, 0}));
  EXPECT_EQ(host_.counts, 1);
  LookFor(seconds(2));
  EXPECT_EQ(host_.counts, 2);  // and what is counted is the truth again
  EXPECT_EQ(shown(), (Pair{60, 30}));
}

TEST_F(SamplerTest, AnotherSpecIsAReasonToCount) {
  LookFor(seconds(20));
  sampler_.Follow(spec_);
  LookFor(seconds(1));
  EXPECT_EQ(host_.counts, 2);
}

}  // namespace
}  // namespace uplinkd
