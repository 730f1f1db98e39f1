#include "agent/drain_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "tests/agent/noon.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Noon;
using ::testing::Pair;
using testing::TemporaryDirectory;

Instant Later(std::chrono::nanoseconds after) {
  Instant later = Noon();
  later.monotonic += after;
  later.moment.wall +=
      std::chrono::duration_cast<system_clock::duration>(after);
  return later;
}

// The machine knows which boot it is in: `elapsed` since noon, and somebody set
// the time of day by `jump`.
Instant InBoot(const std::string& boot, std::chrono::nanoseconds elapsed,
               system_clock::duration jump = {}) {
  Instant now = Later(elapsed);
  now.moment.wall += jump;
  now.moment.uptime = hours(1) + elapsed;
  now.moment.boot = boot;
  return now;
}

class DrainLedgerTest : public ::testing::Test {
 protected:
  // As the next agent finds it, on a machine that started at `now`.
  DrainLedger Restored(const Instant& now) {
    DrainLedger ledger(state_.path());
    const Result<void> restored = ledger.Restore(now);
    EXPECT_TRUE(restored) << restored.error().message;
    return ledger;
  }

  TemporaryDirectory state_;
  DrainLedger ledger_{state_.path()};
};

TEST_F(DrainLedgerTest, DrainsNothingAtFirst) {
  ASSERT_TRUE(ledger_.Restore(Noon()));
  EXPECT_FALSE(ledger_.Contains("wan1"));
  EXPECT_THAT(ledger_.Words(), IsEmpty());
}

TEST_F(DrainLedgerTest, KnowsWithAndWithoutADeadline) {
  EXPECT_EQ(ledger_.Add("wan1", std::nullopt, Noon()).value(), std::nullopt);
  EXPECT_EQ(ledger_.Add("wan2", minutes(5), Noon()).value(),
            Later(minutes(5)).moment.wall);
  EXPECT_THAT(ledger_.Deadlines(),
              ElementsAre(Pair("wan2", Noon().monotonic + minutes(5))));
  EXPECT_THAT(ledger_.Words(),
              ElementsAre(Pair("wan1", "draining"),
                          Pair("wan2", "draining until 2026-11-26T12:05:00Z")));
}

TEST_F(DrainLedgerTest, SurvivesARestartOfTheMachine) {
  ASSERT_TRUE(ledger_.Add("wan1", std::nullopt, Noon()));
  ASSERT_TRUE(ledger_.Add("wan2", minutes(5), Noon()));
  const Instant now{seconds(10), Later(minutes(2)).moment};
  const DrainLedger next = Restored(now);
  EXPECT_TRUE(next.Contains("wan1"));
  EXPECT_THAT(next.Deadlines(),
              ElementsAre(Pair("wan2", seconds(10) + minutes(3))));
  EXPECT_EQ(next.Words(), ledger_.Words());
}

TEST_F(DrainLedgerTest, ADeadlineThatPassedMeanwhileIsDueAtOnce) {
  ASSERT_TRUE(ledger_.Add("wan2", minutes(5), Noon()));
  const Instant now = Later(hours(48));
  EXPECT_LE(Restored(now).Deadlines().at("wan2"), now.monotonic);
}

TEST_F(DrainLedgerTest, AgainWithAnotherDeadlineIsTheLaterWord) {
  ASSERT_TRUE(ledger_.Add("wan2", minutes(5), Noon()));
  ASSERT_TRUE(ledger_.NoteOver("wan2"));
  ASSERT_TRUE(ledger_.Add("wan2", minutes(9), Noon()));
  EXPECT_THAT(ledger_.Deadlines(),
              ElementsAre(Pair("wan2", Noon().monotonic + minutes(9))));
  ASSERT_TRUE(ledger_.Add("wan2", std::nullopt, Noon()));
  EXPECT_THAT(ledger_.Deadlines(), IsEmpty());
  EXPECT_TRUE(Restored(Noon()).Contains("wan2"));
}

TEST_F(DrainLedgerTest, ADeadlineThatIsOverStaysOver) {
  ASSERT_TRUE(ledger_.Add("wan2", minutes(5), Noon()));
  ASSERT_TRUE(ledger_.NoteOver("wan2"));
  const DrainLedger next = Restored(Later(hours(1)));
  EXPECT_TRUE(next.Contains("wan2"));
  EXPECT_THAT(next.Deadlines(), IsEmpty());
  EXPECT_THAT(next.Words().at("wan2"),
              HasSubstr("what was left at 2026-11-26T12:05:00Z was cut"));
}

TEST_F(DrainLedgerTest, ForgetsOneOrThoseThatAreGoneOrAll) {
  for (const char* uplink : {"wan1", "wan2", "wan3"}) {
    ASSERT_TRUE(ledger_.Add(uplink, std::nullopt, Noon()));
  }
  ASSERT_TRUE(ledger_.Remove("wan1"));
  ASSERT_TRUE(ledger_.Remove("wan9"));
  EXPECT_FALSE(Restored(Noon()).Contains("wan1"));
  ASSERT_TRUE(ledger_.KeepOnly({"wan1", "wan2"}));
  EXPECT_TRUE(Restored(Noon()).Contains("wan2"));
  EXPECT_FALSE(Restored(Noon()).Contains("wan3"));
  ASSERT_TRUE(ledger_.Forget());
  EXPECT_FALSE(state_.Has("drains.json"));
  EXPECT_THAT(ledger_.Words(), IsEmpty());
}

TEST_F(DrainLedgerTest, WithinABootNoSettingOfTheClockMovesADeadline) {
  for (const auto& jump : {-hours(24), hours(0), hours(24)}) {
    ASSERT_TRUE(ledger_.Add("wan2", minutes(5), InBoot("one", {})));
    const Instant now = InBoot("one", minutes(2), jump);
    EXPECT_THAT(Restored(now).Deadlines(),
                ElementsAre(Pair("wan2", now.monotonic + minutes(3))));
  }
}

TEST_F(DrainLedgerTest, AfterARebootTheTimeOfDayCountsButMakesNoneLonger) {
  ASSERT_TRUE(ledger_.Add("wan2", minutes(5), InBoot("one", {})));
  const auto left = [&](system_clock::duration jump) {
    const Instant now = InBoot("two", minutes(2), jump);
    return Restored(now).Deadlines().at("wan2") - now.monotonic;
  };
  EXPECT_EQ(left({}), minutes(3));
  EXPECT_EQ(left(-hours(24)), minutes(5));
  EXPECT_LE(left(hours(24)), minutes(0));
}

TEST_F(DrainLedgerTest, AFileMayNameAnyTime) {
  for (const char* deadline : {"9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
                               "2262-04-11T23:47:16Z"}) {
    state_.Write("drains.json",
                 std::string(R"({"uplinks": {"wan2": {"deadline": ")") +
                     deadline +
                     R"(", "most": "315576000000s", "boot": "one", )" +
                     R"("uptime": "-315576000000s"}}})");
    for (const char* boot : {"one", "two", ""}) {
      const DrainLedger next = Restored(InBoot(boot, {}, -hours(490000)));
      EXPECT_EQ(next.Deadlines().size(), 1U);
      EXPECT_THAT(next.Words().at("wan2"), HasSubstr("draining until "));
    }
  }
}

TEST_F(DrainLedgerTest, SavesLaterWhatItCouldNotSave) {
  const std::string directory = state_ / "made";
  DrainLedger ledger(directory);
  ASSERT_TRUE(ledger.Add("wan1", std::nullopt, Noon()));
  ASSERT_TRUE(ledger.Add("wan2", minutes(5), Noon()));
  std::filesystem::rename(directory, state_ / "away");
  state_.Write("made", "a file in the place of the directory");
  EXPECT_FALSE(ledger.KeepOnly({"wan2"}));
  ASSERT_TRUE(ledger.unsaved());
  EXPECT_THAT(ledger.unsaved()->message, HasSubstr("made"));
  EXPECT_FALSE(ledger.SaveAgain());
  EXPECT_FALSE(ledger.Contains("wan1"));
  std::filesystem::remove(directory);
  EXPECT_TRUE(ledger.SaveAgain());
  EXPECT_FALSE(ledger.unsaved());
  DrainLedger next(directory);
  ASSERT_TRUE(next.Restore(Noon()));
  EXPECT_FALSE(next.Contains("wan1"));
  EXPECT_TRUE(next.Contains("wan2"));
}

TEST_F(DrainLedgerTest, WhatCannotBeSavedDoesNotHold) {
  state_.Write("file", "");
  DrainLedger ledger(state_ / "file");
  EXPECT_FALSE(ledger.Add("wan1", std::nullopt, Noon()));
  EXPECT_FALSE(ledger.Contains("wan1"));
}

TEST_F(DrainLedgerTest, ATornFileDrainsNothingAndIsKeptAside) {
  state_.Write("drains.json", "{\"uplinks\": {");
  const Result<void> restored = ledger_.Restore(Noon());
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(restored.error().message, HasSubstr("drains.json"));
  EXPECT_TRUE(state_.Has("drains.json.corrupt"));
  EXPECT_THAT(ledger_.Words(), IsEmpty());
  ASSERT_TRUE(ledger_.Add("wan1", std::nullopt, Noon()));
  EXPECT_TRUE(Restored(Noon()).Contains("wan1"));
}

// As somebody may have written it by hand.
TEST_F(DrainLedgerTest, ADeadlineAsFarAsItGetsIsInTheFuture) {
  state_.Write("drains.json",
               R"({"uplinks": {"wan1": {"deadline": "9999-12-31T23:59:59Z"},)"
               R"( "wan2": {"deadline": "0001-01-01T00:00:00Z"}}})");
  const DrainLedger ledger = Restored(Noon());
  const Failover::Deadlines deadlines = ledger.Deadlines();
  // No drain is asked for longer than that.
  EXPECT_EQ(deadlines.at("wan1"), Noon().monotonic + kMaxDrainDeadline);
  EXPECT_LT(deadlines.at("wan2"), Noon().monotonic);
}

}  // namespace
}  // namespace uplinkd
