#include "agent/pause_ledger.h"

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
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::HasSubstr;
using testing::Noon;
using testing::TemporaryDirectory;

// As the clocks stand if `elapsed` has passed and somebody set the time of day
// by `jump`.
Instant AfterNoon(std::chrono::nanoseconds elapsed,
                  system_clock::duration jump = {}) {
  Instant now = Noon();
  now.monotonic += elapsed;
  now.moment.wall +=
      std::chrono::duration_cast<system_clock::duration>(elapsed) + jump;
  return now;
}

class PauseLedgerTest : public ::testing::Test {
 protected:
  void Begin() {
    const auto until = ledger_.Begin(minutes(5), "alice", "a modem", Noon());
    ASSERT_TRUE(until) << until.error().message;
    EXPECT_EQ(*until, AfterNoon(minutes(5)).moment.wall);
  }
  PauseLedger Restored(const Instant& now) {
    PauseLedger ledger(state_.path());
    EXPECT_TRUE(ledger.Restore(now));
    return ledger;
  }

  TemporaryDirectory state_;
  PauseLedger ledger_{state_.path()};
};

TEST_F(PauseLedgerTest, IsNotPausedAtFirst) {
  ASSERT_TRUE(ledger_.Restore(Noon()));
  EXPECT_FALSE(ledger_.active());
  EXPECT_FALSE(ledger_.Over(Noon()));
  EXPECT_EQ(ledger_.Words(), "");
  EXPECT_TRUE(ledger_.End());
}

TEST_F(PauseLedgerTest, LastsUntilItsTimeIsOverWhateverTheTimeOfDay) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  EXPECT_EQ(ledger_.Words(),
            "paused until 2026-11-26T12:05:00Z by alice: a modem");
  EXPECT_FALSE(ledger_.Over(AfterNoon(minutes(4), hours(1))));
  EXPECT_TRUE(ledger_.Over(AfterNoon(minutes(5), -hours(1))));
  EXPECT_TRUE(ledger_.active());
  ASSERT_TRUE(ledger_.End());
  EXPECT_FALSE(ledger_.active());
  EXPECT_FALSE(Restored(Noon()).active());
}

TEST_F(PauseLedgerTest, OutlivesARestart) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const PauseLedger next = Restored(AfterNoon(minutes(2)));
  EXPECT_EQ(next.Words(), ledger_.Words());
  EXPECT_FALSE(next.Over(AfterNoon(minutes(4))));
  EXPECT_TRUE(next.Over(AfterNoon(minutes(5))));
  EXPECT_TRUE(Restored(AfterNoon(hours(1))).Over(AfterNoon(hours(1))));
}

TEST_F(PauseLedgerTest, NoClockMakesItLonger) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  const PauseLedger next = Restored(AfterNoon(minutes(1), -hours(24 * 365)));
  EXPECT_FALSE(next.Over(AfterNoon(minutes(5))));
  EXPECT_TRUE(next.Over(AfterNoon(minutes(6))));
}

// A clock that was set while the agent was away, by a day to either side.
TEST_F(PauseLedgerTest, WithinABootNoSettingOfTheClockMovesItsEnd) {
  const auto in_boot = [](const std::string& boot, std::chrono::nanoseconds at,
                          system_clock::duration jump) {
    Instant now = AfterNoon(at, jump);
    now.moment.uptime = hours(1) + at;
    now.moment.boot = boot;
    return now;
  };
  ASSERT_TRUE(ledger_.Begin(minutes(5), "alice", "", in_boot("one", {}, {})));
  for (const auto& jump : {-hours(24), hours(0), hours(24)}) {
    const PauseLedger next = Restored(in_boot("one", minutes(2), jump));
    EXPECT_FALSE(next.Over(in_boot("one", minutes(4), jump)));
    EXPECT_TRUE(next.Over(in_boot("one", minutes(5), jump)));
    // After a reboot nothing is left that could be left alone.
    EXPECT_FALSE(Restored(in_boot("two", minutes(2), jump)).active());
  }
}

TEST_F(PauseLedgerTest, AFileMayNameAnyTime) {
  state_.Write("pause.json",
               R"({"until": "9999-12-31T23:59:59Z",)"
               R"("duration": "315576000000s", "uptime": "315576000000s"})");
  const PauseLedger next = Restored(AfterNoon({}, -hours(490000)));
  EXPECT_FALSE(next.Over(AfterNoon(hours(23))));
  EXPECT_TRUE(next.Over(AfterNoon(kLongestPause)));
  EXPECT_THAT(next.Words(), HasSubstr("paused until "));
}

TEST_F(PauseLedgerTest, EndsInTimeThoughItsFileCannotBeRemoved) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  std::filesystem::rename(state_ / "pause.json", state_ / "kept");
  std::filesystem::create_directories(state_ / "pause.json/in-the-way");
  EXPECT_FALSE(ledger_.Expire());
  EXPECT_FALSE(ledger_.active());
  EXPECT_TRUE(ledger_.unsaved());
  EXPECT_FALSE(ledger_.SaveAgain());
  std::filesystem::remove_all(state_ / "pause.json");
  std::filesystem::rename(state_ / "kept", state_ / "pause.json");
  EXPECT_TRUE(ledger_.SaveAgain());
  EXPECT_FALSE(ledger_.unsaved());
  EXPECT_FALSE(state_.Has("pause.json"));
}

TEST_F(PauseLedgerTest, WhatCannotBeSavedDoesNotHold) {
  state_.Write("file", "");
  PauseLedger ledger(state_ / "file");
  EXPECT_FALSE(ledger.Begin(minutes(5), "alice", "", Noon()));
  EXPECT_FALSE(ledger.active());
}

TEST_F(PauseLedgerTest, ATornFilePausesNothing) {
  state_.Write("pause.json", "{\"until\": ");
  const Result<void> restored = ledger_.Restore(Noon());
  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(restored.error().message, HasSubstr("pause.json"));
  EXPECT_FALSE(ledger_.active());
}

// As somebody may have written it by hand.
TEST_F(PauseLedgerTest, ThatShouldLastForEverLastsADay) {
  state_.Write("pause.json", R"({"until": "9999-12-31T23:59:59Z",)"
                             R"( "duration": "315576000000s"})");
  const PauseLedger ledger = Restored(Noon());
  EXPECT_FALSE(ledger.Over(AfterNoon(kLongestPause - minutes(1))));
  EXPECT_TRUE(ledger.Over(AfterNoon(kLongestPause)));
}

}  // namespace
}  // namespace uplinkd
