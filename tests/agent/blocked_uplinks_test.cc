#include "agent/blocked_uplinks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A pass over wan1 and wan2 that refused these.
Report ReportOf(const BlockedParts& refused) {
  Report report;
  for (const char* name : {"wan1", "wan2"}) {
    UplinkState uplink;
    uplink.name = name;
    uplink.table = name == std::string("wan1") ? 11 : 12;
    uplink.address = testing::Ip("198.51.100.2");
    uplink.gateway = testing::Ip("198.51.100.1");
    report.uplinks.push_back(uplink);
    report.link_index[name] = 3;
  }
  report.refused = refused;
  if (!refused.empty()) report.result = PassResult::kFailed;
  return report;
}

TEST(BlockedUplinks, LeavesOutWhatWasRefusedAndAsksForAnotherPass) {
  BlockedUplinks blocked;
  EXPECT_FALSE(blocked.PassEnded(ReportOf({})));
  EXPECT_TRUE(blocked.PassEnded(ReportOf({{"wan2", "no such device"}})));
  EXPECT_THAT(blocked.LeftOut(), ElementsAre(Pair("wan2", "no such device")));
}

TEST(BlockedUplinks, KeepsCalmWhileTheSameIsRefused) {
  BlockedUplinks blocked;
  blocked.PassEnded(ReportOf({{"wan2", "no"}}));
  EXPECT_FALSE(blocked.PassEnded(ReportOf({{"wan2", "still no"}})));
  EXPECT_THAT(blocked.LeftOut(), ElementsAre(Pair("wan2", "still no")));
}

TEST(BlockedUplinks, SetsFreeWhatIsNoLongerRefusedAndAsksForAnotherPass) {
  BlockedUplinks blocked;
  blocked.PassEnded(ReportOf({{"wan2", "no"}}));
  EXPECT_TRUE(blocked.PassEnded(ReportOf({})));
  EXPECT_THAT(blocked.all(), IsEmpty());
}

TEST(BlockedUplinks, AFailedReadOrAConflictTellsNothing) {
  BlockedUplinks blocked;
  blocked.PassEnded(ReportOf({{"wan2", "no"}}));
  Report unread;
  unread.result = PassResult::kFailed;
  unread.failed_phase = PassPhase::kObserve;
  EXPECT_FALSE(blocked.PassEnded(unread));
  Report conflict = ReportOf({});
  conflict.result = PassResult::kConflict;
  EXPECT_FALSE(blocked.PassEnded(conflict));
  EXPECT_EQ(blocked.all().size(), 1U);
}

TEST(BlockedUplinks, TellsARefusalFromAFailureOfTheLine) {
  Report report = ReportOf({{"wan2", "no"}});
  report.plan.steps.resize(2);
  report.plan.steps[0].uplinks = {"wan2"};
  report.plan.steps[1].uplinks = {"wan1"};
  report.outcomes.resize(2);
  report.outcomes[0].result = StepResult::kFailed;
  EXPECT_TRUE(OnlyRefused(report));
  report.outcomes[1].result = StepResult::kFailed;
  EXPECT_FALSE(OnlyRefused(report));
  Report unread;
  unread.result = PassResult::kFailed;
  unread.failed_phase = PassPhase::kFacts;
  EXPECT_FALSE(OnlyRefused(unread));
}

TEST(BlockedUplinks, AForeignRouteInTheWayBlocksItsUplink) {
  Report report = ReportOf({});
  ForeignConflict conflict;
  conflict.wanted.key.table = 12;
  conflict.foreign.key.table = 12;
  conflict.foreign.protocol = 4;
  report.plan.conflicts.push_back(conflict);
  const Refusals refusals = RefusalsOf(report);
  ASSERT_EQ(refusals.size(), 1U);
  EXPECT_EQ(refusals.at("wan2").reason, "ForeignConflict");
  EXPECT_THAT(refusals.at("wan2").words, ::testing::HasSubstr("table 12"));
}

}  // namespace
}  // namespace uplinkd
