#include "reconciler/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <set>

namespace uplinkd {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using Time = Schedule::Time;

// A schedule whose first full pass ended well at 100 s.
Schedule Settled() {
  Schedule schedule({}, 1);
  schedule.PassEnded(100s, false, false, true);
  return schedule;
}

TEST(Schedule, BeginsWithAFullPassAtOnce) {
  const Schedule::Due due = Schedule({}, 1).Next();
  EXPECT_EQ(due.at, 0s);
  EXPECT_EQ(due.trigger, Trigger::kPeriodic);
  EXPECT_TRUE(due.full);
}

TEST(Schedule, APassIsNamedAfterTheStrongestThatItAnswers) {
  Schedule schedule({}, 1);
  schedule.Notice(Trigger::kSpec, 5s);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{0s, Trigger::kSpec, true}));
  schedule.PassEnded(100s, true, false, false);
  schedule.Notice(Trigger::kHealth, 100s + 99ms);
  EXPECT_EQ(schedule.Next().trigger, Trigger::kHealth);
}

TEST(Schedule, PollsAfterEachPass) {
  Schedule schedule = Settled();
  EXPECT_EQ(schedule.Next(), (Schedule::Due{101s, Trigger::kPoll, false}));
  schedule.PassEnded(101s, false, false, false);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{102s, Trigger::kPoll, false}));
}

TEST(Schedule, AnswersAnEventAfterTwoMilliseconds) {
  Schedule schedule = Settled();
  schedule.Notice(Trigger::kEvent, 100s + 200ms);
  EXPECT_EQ(schedule.Next(),
            (Schedule::Due{100s + 202ms, Trigger::kEvent, false}));
}

TEST(Schedule, FoldsLaterEventsIntoTheFirst) {
  Schedule schedule = Settled();
  schedule.Notice(Trigger::kHint, 100s + 200ms);
  schedule.Notice(Trigger::kEvent, 100s + 201ms);
  schedule.Notice(Trigger::kHint, 100s + 201ms);
  EXPECT_EQ(schedule.Next(),
            (Schedule::Due{100s + 202ms, Trigger::kEvent, false}));
}

TEST(Schedule, AnswersASpecAtOnceWithAFullPass) {
  Schedule schedule = Settled();
  schedule.Notice(Trigger::kEvent, 100s + 200ms);
  schedule.Notice(Trigger::kSpec, 100s + 201ms);
  EXPECT_EQ(schedule.Next(),
            (Schedule::Due{100s + 201ms, Trigger::kSpec, true}));
}

TEST(Schedule, APassAnswersEverythingNoticedBefore) {
  Schedule schedule = Settled();
  schedule.Notice(Trigger::kEvent, 100s + 200ms);
  schedule.PassEnded(100s + 210ms, false, false, false);
  EXPECT_EQ(schedule.Next().trigger, Trigger::kPoll);
}

TEST(Schedule, APollIsMoreThanAPollWhenSomethingWasNoticed) {
  Schedule schedule = Settled();
  schedule.Notice(Trigger::kLoad, 101s - 1ms);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{101s, Trigger::kLoad, false}));
  schedule.Notice(Trigger::kEvent, 101s - 1ms);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{101s, Trigger::kEvent, false}));
}

TEST(Schedule, MakesAFullPassPeriodically) {
  Schedule schedule = Settled();
  Time now = 100s;
  while (!schedule.Next().full) {
    now = schedule.Next().at;
    ASSERT_LT(now, 134s);
    schedule.PassEnded(now, false, false, false);
  }
  const Schedule::Due due = schedule.Next();
  EXPECT_GE(due.at, 127s);
  EXPECT_LE(due.at, 133s);
}

TEST(Schedule, JittersTheFullPassByTenPercent) {
  ScheduleOptions options;
  options.poll = 1h;
  std::set<Time> times;
  Time earliest = 1h;
  Time latest{};
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Schedule schedule(options, seed);
    schedule.PassEnded(0s, false, false, true);
    const Schedule::Due due = schedule.Next();
    EXPECT_EQ(due.trigger, Trigger::kPeriodic);
    times.insert(due.at);
    earliest = std::min(earliest, due.at);
    latest = std::max(latest, due.at);
  }
  EXPECT_GE(earliest, 27s);
  EXPECT_LE(earliest, 27s + 300ms);
  EXPECT_LE(latest, 33s);
  EXPECT_GE(latest, 33s - 300ms);
  EXPECT_GT(times.size(), 500u);
}

TEST(Schedule, JitterFollowsFromTheSeed) {
  ScheduleOptions options;
  options.poll = 1h;
  Schedule a(options, 7);
  Schedule b(options, 7);
  for (int i = 0; i < 5; ++i) {
    a.PassEnded(1s * i, false, false, true);
    b.PassEnded(1s * i, false, false, true);
  }
  EXPECT_EQ(a.Next(), b.Next());
}

TEST(Schedule, BacksOffFromAFailureUpToAMinute) {
  Schedule schedule = Settled();
  Time now = 200s;
  for (const Time wait : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms,
                          12800ms, 25600ms, 51200ms, 60000ms, 60000ms}) {
    schedule.PassEnded(now, true, false, false);
    EXPECT_EQ(schedule.Next().trigger, Trigger::kRetry);
    EXPECT_EQ(schedule.Next().at, now + wait);
    now = schedule.Next().at;
  }
}

TEST(Schedule, StaysAtTheLastBackOffForever) {
  Schedule schedule = Settled();
  for (int i = 0; i < 200; ++i) schedule.PassEnded(200s, true, false, false);
  EXPECT_EQ(schedule.Next().at, 260s);
}

TEST(Schedule, ASuccessEndsTheBackOff) {
  Schedule schedule = Settled();
  for (int i = 0; i < 5; ++i) schedule.PassEnded(200s, true, false, false);
  schedule.PassEnded(300s, false, false, true);
  EXPECT_EQ(schedule.Next().at, 301s);
  schedule.PassEnded(301s, true, false, false);
  EXPECT_EQ(schedule.Next().at, 301s + 100ms);
}

TEST(Schedule, ASpecCutsThroughTheBackOff) {
  Schedule schedule = Settled();
  for (int i = 0; i < 20; ++i) schedule.PassEnded(200s, true, false, false);
  schedule.Notice(Trigger::kSpec, 201s);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{201s, Trigger::kSpec, true}));
}

TEST(Schedule, AnEventDuringBackOffWaitsForAPollIntervalAtMost) {
  Schedule schedule = Settled();
  for (int i = 0; i < 20; ++i) schedule.PassEnded(200s, true, false, false);
  schedule.Notice(Trigger::kEvent, 200s + 100ms);
  EXPECT_EQ(schedule.Next().trigger, Trigger::kEvent);
  EXPECT_EQ(schedule.Next().at, 201s);
}

TEST(Schedule, AnEventDoesNotCutAShortBackOff) {
  Schedule schedule = Settled();
  schedule.PassEnded(200s, true, false, false);
  schedule.Notice(Trigger::kEvent, 200s + 1ms);
  EXPECT_EQ(schedule.Next().at, 200s + 100ms);
}

TEST(Schedule, AFailedFullPassIsRetriedInFull) {
  Schedule schedule({}, 1);
  schedule.PassEnded(1s, true, false, true);
  EXPECT_EQ(schedule.Next(),
            (Schedule::Due{1s + 100ms, Trigger::kRetry, true}));
}

TEST(Schedule, AConflictIsRetriedAtOnce) {
  Schedule schedule = Settled();
  schedule.PassEnded(101s, false, true, false);
  EXPECT_EQ(schedule.Next(), (Schedule::Due{101s, Trigger::kRetry, false}));
}

TEST(Schedule, RepeatsInARowBackOffAsWell) {
  Schedule schedule = Settled();
  for (int i = 0; i < 50; ++i) {
    schedule.PassEnded(101s, false, true, false);
    EXPECT_EQ(schedule.Next().at, 101s);
  }
  schedule.PassEnded(101s, false, true, false);
  EXPECT_EQ(schedule.Next().at, 101s + 100ms);
  schedule.PassEnded(102s, false, true, false);
  EXPECT_EQ(schedule.Next().at, 102s + 200ms);
  schedule.PassEnded(103s, false, false, false);
  schedule.PassEnded(104s, false, true, false);
  EXPECT_EQ(schedule.Next().at, 104s);
}

TEST(Schedule, TriggersHaveNames) {
  EXPECT_EQ(TriggerName(Trigger::kSpec), "spec");
  EXPECT_EQ(TriggerName(Trigger::kEvent), "event");
  EXPECT_EQ(TriggerName(Trigger::kHealth), "health");
  EXPECT_EQ(TriggerName(Trigger::kHint), "hint");
  EXPECT_EQ(TriggerName(Trigger::kRetry), "retry");
  EXPECT_EQ(TriggerName(Trigger::kPeriodic), "periodic");
  EXPECT_EQ(TriggerName(Trigger::kDrain), "drain");
  EXPECT_EQ(TriggerName(Trigger::kLoad), "load");
  EXPECT_EQ(TriggerName(Trigger::kPoll), "poll");
}

}  // namespace
}  // namespace uplinkd
