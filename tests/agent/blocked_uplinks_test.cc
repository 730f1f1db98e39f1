#include "agent/blocked_uplinks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// A pass over wan1 and wan2 that refused these.
Report ReportOf(const std::map<std::string, std::string>& refused) {
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
  EXPECT_FALSE(blocked.PassEnded(seconds(1), {}, ReportOf({})));
  EXPECT_TRUE(blocked.PassEnded(seconds(1), {},
                                ReportOf({{"wan2", "no such device"}})));
  EXPECT_THAT(blocked.LeftOut(seconds(1)),
              ElementsAre(Pair("wan2", "no such device")));
  EXPECT_EQ(blocked.NextTry(), seconds(1) + milliseconds(100));
}

TEST(BlockedUplinks, TriesAgainEverMoreSeldomUpToAMinute) {
  BlockedUplinks blocked;
  BlockedUplinks::Time now = seconds(1);
  std::vector<BlockedUplinks::Time> waits;
  for (int i = 0; i < 13; ++i) {
    blocked.PassEnded(now, {}, ReportOf({{"wan2", "no"}}));
    const auto next = blocked.NextTry().value();
    waits.push_back(next - now);
    now = next;
    EXPECT_THAT(blocked.LeftOut(now), IsEmpty());
  }
  EXPECT_EQ(waits[0], milliseconds(100));
  EXPECT_EQ(waits[1], milliseconds(200));
  EXPECT_EQ(waits[9], milliseconds(51200));
  EXPECT_EQ(waits[12], seconds(60));
}

TEST(BlockedUplinks, ForgetsOneThatWasTriedAndTaken) {
  BlockedUplinks blocked;
  blocked.PassEnded(seconds(1), {}, ReportOf({{"wan2", "no"}}));
  EXPECT_FALSE(
      blocked.PassEnded(seconds(2), blocked.LeftOut(seconds(2)), ReportOf({})));
  EXPECT_THAT(blocked.all(), IsEmpty());
}

TEST(BlockedUplinks, KeepsOneThatWasLeftOut) {
  BlockedUplinks blocked;
  blocked.PassEnded(seconds(1), {}, ReportOf({{"wan2", "no"}}));
  EXPECT_FALSE(
      blocked.PassEnded(seconds(1), blocked.LeftOut(seconds(1)), ReportOf({})));
  EXPECT_EQ(blocked.all().size(), 1U);
}

TEST(BlockedUplinks, TriesAtOnceWhenTheFactsChange) {
  BlockedUplinks blocked;
  blocked.PassEnded(seconds(1), {}, ReportOf({{"wan2", "no"}}));
  for (int i = 0; i < 5; ++i) {
    blocked.PassEnded(blocked.NextTry().value(), {},
                      ReportOf({{"wan2", "no"}}));
  }
  const BlockedUplinks::Time now = *blocked.NextTry() - milliseconds(10);
  Report changed = ReportOf({});
  changed.uplinks[1].gateway = testing::Ip("198.51.100.9");
  EXPECT_TRUE(blocked.PassEnded(now, blocked.LeftOut(now), changed));
  EXPECT_THAT(blocked.LeftOut(now), IsEmpty());
  // A new refusal starts from a short wait.
  changed.refused = {{"wan2", "still no"}};
  blocked.PassEnded(now, {}, changed);
  EXPECT_EQ(blocked.NextTry(), now + milliseconds(100));
}

TEST(BlockedUplinks, AFailedReadOrAConflictTellsNothing) {
  BlockedUplinks blocked;
  blocked.PassEnded(seconds(1), {}, ReportOf({{"wan2", "no"}}));
  Report unread;
  unread.failed_phase = PassPhase::kObserve;
  EXPECT_FALSE(blocked.PassEnded(seconds(2), {}, unread));
  Report conflict = ReportOf({});
  conflict.result = PassResult::kConflict;
  blocked.PassEnded(seconds(2), {}, conflict);
  EXPECT_EQ(blocked.all().size(), 1U);
}

TEST(BlockedUplinks, ForgetsAnUplinkThatIsNoLongerInTheSpec) {
  BlockedUplinks blocked;
  blocked.PassEnded(seconds(1), {}, ReportOf({{"wan2", "no"}}));
  Report without = ReportOf({});
  without.uplinks.pop_back();
  blocked.PassEnded(seconds(1), blocked.LeftOut(seconds(1)), without);
  EXPECT_THAT(blocked.all(), IsEmpty());
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
