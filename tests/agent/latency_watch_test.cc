// Who leads by latency, from reports of health to rankings.
#include "agent/latency_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TwoUplinkSpec;

Spec Ranked() {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kLowestLatency;
  return spec;
}

HealthReports Reports(std::chrono::nanoseconds wan1,
                      std::chrono::nanoseconds wan2) {
  HealthReports reports;
  reports["wan1"].round_trip = wan1;
  reports["wan2"].round_trip = wan2;
  return reports;
}

// wan1 leads.
LatencyWatch Watching() {
  LatencyWatch watch;
  watch.Follow(Ranked());
  watch.PassEnded({{kBalance, {{"wan1", "wan2"}, {"wan1", "wan2"}, "wan1"}}});
  return watch;
}

TEST(LatencyWatch, LooksOnlyWhereItMatters) {
  LatencyWatch watch;
  EXPECT_FALSE(watch.watching());
  watch.Follow(TwoUplinkSpec());
  EXPECT_FALSE(watch.watching());
  EXPECT_FALSE(watch.Look(Reports(30ms, 10ms)));
  EXPECT_THAT(watch.rankings(), IsEmpty());
  watch.Follow(Ranked());
  EXPECT_TRUE(watch.watching());
}

TEST(LatencyWatch, APassIsDueWhenAnotherOneLeads) {
  LatencyWatch watch = Watching();
  EXPECT_FALSE(watch.Look(Reports(10ms, 9ms)));
  EXPECT_TRUE(watch.Look(Reports(30ms, 9ms)));
  EXPECT_THAT(watch.rankings().at(kBalance), ElementsAre("wan2", "wan1"));
  // Until a pass has made it so.
  EXPECT_TRUE(watch.Look(Reports(30ms, 9ms)));
  watch.PassEnded({{kBalance, {{"wan1", "wan2"}, {"wan1", "wan2"}, "wan2"}}});
  EXPECT_FALSE(watch.Look(Reports(30ms, 9ms)));
}

TEST(LatencyWatch, WhereNoneServesNoPassIsDue) {
  LatencyWatch watch = Watching();
  watch.PassEnded({{kBalance, {{"wan1", "wan2"}, {}, ""}}});
  EXPECT_FALSE(watch.Look(Reports(30ms, 9ms)));
  // The first to come back is the sooner one.
  EXPECT_THAT(watch.rankings().at(kBalance), ElementsAre("wan2", "wan1"));
}

TEST(LatencyWatch, ARankingOutlastsAnotherSpec) {
  LatencyWatch watch = Watching();
  ASSERT_TRUE(watch.Look(Reports(30ms, 9ms)));
  Spec spec = Ranked();
  spec.revision = "2";
  watch.Follow(spec);
  EXPECT_THAT(watch.rankings().at(kBalance), ElementsAre("wan2", "wan1"));
  watch.Follow(TwoUplinkSpec());
  EXPECT_THAT(watch.rankings(), IsEmpty());
}

}  // namespace
}  // namespace uplinkd
