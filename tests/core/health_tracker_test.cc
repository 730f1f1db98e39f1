// The verdict over an uplink, from rounds of probes.
#include "reconciler/health_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/builders.h"
#include "tests/core/generators.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using testing::Ip;
using testing::Random;

constexpr HealthState kUnknown = HealthState::kUnknown;
constexpr HealthState kUp = HealthState::kUp;
constexpr HealthState kDegraded = HealthState::kDegraded;
constexpr HealthState kDown = HealthState::kDown;

Health WithProbes(std::size_t count, std::uint32_t quorum = 1) {
  Health health;
  for (std::uint32_t i = 1; i <= count; ++i) {
    health.probes.push_back(IcmpProbe{Address::FromIpv4(0xc0000200 + i)});
  }
  health.quorum = quorum;
  return health;
}

ProbeResult Good(std::chrono::nanoseconds latency = 20ms) {
  return {true, latency, ""};
}

ProbeResult Bad(std::string fault = "no answer within 750ms") {
  return {false, {}, std::move(fault)};
}

// The results of one round: '+' answered, '-' did not.
std::vector<ProbeResult> Round(const std::string& marks) {
  std::vector<ProbeResult> results;
  for (const char mark : marks) results.push_back(mark == '+' ? Good() : Bad());
  return results;
}

// One state per round of a single probe: "+-" and so on.
std::vector<HealthState> After(HealthTracker& tracker,
                               const std::string& rounds) {
  std::vector<HealthState> states;
  for (const char mark : rounds) {
    tracker.RoundEnded(Round({mark}));
    states.push_back(tracker.report().verdict.state);
  }
  return states;
}

TEST(HealthTracker, KnowsTheLossOfEachProbeByItself) {
  HealthTracker tracker(WithProbes(2));
  for (const char* round : {"++", "+-", "+-"}) tracker.RoundEnded(Round(round));
  const std::vector<ProbeStanding>& probes = tracker.report().probes;
  EXPECT_EQ(probes[0].loss, 0U);
  EXPECT_EQ(probes[1].loss, 1000U);  // 2 of 20
  EXPECT_EQ(probes[0].answered, 3U);
  EXPECT_EQ(probes[1].answered, 1U);
  EXPECT_EQ(probes[1].unanswered, 2U);
  // Another way has lost nothing yet, but what was asked was asked.
  tracker.PathChanged();
  EXPECT_EQ(probes[1].loss, 0U);
  EXPECT_EQ(probes[1].unanswered, 2U);
}

// ---- the round trip ----

std::optional<std::chrono::nanoseconds> AfterRounds(
    HealthTracker& tracker, const std::vector<int>& milliseconds) {
  for (const int count : milliseconds) {
    tracker.RoundEnded({count < 0 ? Bad() : Good(count * 1ms)});
  }
  return tracker.report().round_trip;
}

TEST(HealthTracker, TheRoundTripIsTheMedianOfFiveRounds) {
  HealthTracker tracker(WithProbes(1));
  EXPECT_EQ(AfterRounds(tracker, {20, 30, 10, 20}), std::nullopt);
  EXPECT_EQ(AfterRounds(tracker, {25}), 20ms);
  // Two late answers, or lost ones, do not move it; the third does.
  EXPECT_EQ(AfterRounds(tracker, {500, -1, 500}), 25ms);
  EXPECT_EQ(AfterRounds(tracker, {500}), 500ms);
}

TEST(HealthTracker, TheRoundTripIsThatOfThePresentPath) {
  HealthTracker tracker(WithProbes(1));
  EXPECT_EQ(AfterRounds(tracker, {20, 20, 20, 20, 20}), 20ms);
  tracker.PathChanged();
  EXPECT_EQ(tracker.report().round_trip, std::nullopt);
  EXPECT_EQ(AfterRounds(tracker, {40, 40, 40, 40}), std::nullopt);
  EXPECT_EQ(AfterRounds(tracker, {40}), 40ms);
  // A line that was down may come back as another one.
  EXPECT_EQ(AfterRounds(tracker, {-1, -1, 30, 30}), 40ms);
  EXPECT_EQ(AfterRounds(tracker, {30, 30, 30, 30}), std::nullopt);
  EXPECT_EQ(AfterRounds(tracker, {30}), 30ms);
}

TEST(HealthTracker, KnowsNothingBeforeTheFirstVerdict) {
  HealthTracker tracker(WithProbes(1));
  EXPECT_EQ(tracker.report().verdict, HealthVerdict{});
  EXPECT_EQ(tracker.report().probes.front().name, "icmp 192.0.2.1");
  EXPECT_EQ(tracker.report().probes.front().last, std::nullopt);
  EXPECT_EQ(tracker.report().latency, std::nullopt);
  // One failed round is no verdict; the second is.
  EXPECT_FALSE(tracker.RoundEnded(Round("-")));
  EXPECT_EQ(tracker.report().verdict.state, kUnknown);
  EXPECT_TRUE(tracker.RoundEnded(Round("-")));
  EXPECT_EQ(tracker.report().verdict.state, kDown);
}

TEST(HealthTracker, IsUpAfterTheFirstGoodRound) {
  HealthTracker tracker(WithProbes(1));
  EXPECT_TRUE(tracker.RoundEnded(Round("+")));
  EXPECT_EQ(tracker.report().verdict, (HealthVerdict{kUp, ""}));
  EXPECT_FALSE(tracker.RoundEnded(Round("+")));
}

TEST(HealthTracker, GoesDownAndComesBackAfterSoManyRoundsInARow) {
  Health health = WithProbes(1);
  health.down = 3;
  health.up = 4;
  HealthTracker tracker(health);
  EXPECT_EQ(After(tracker, "+--"), (std::vector{kUp, kUp, kUp}));
  EXPECT_EQ(After(tracker, "-"), (std::vector{kDown}));
  EXPECT_EQ(After(tracker, "+++"), (std::vector{kDown, kDown, kDown}));
  EXPECT_EQ(After(tracker, "+-"), (std::vector{kUp, kUp}));
}

TEST(HealthTracker, OneLostRoundDoesNoHarm) {
  HealthTracker tracker(WithProbes(1));
  for (const HealthState state : After(tracker, "+-+-+-+-+-+-")) {
    EXPECT_EQ(state, kUp);
  }
}

// A line, or a target, that answers now and then is not to be trusted again.
TEST(HealthTracker, AFlappingLineStaysDown) {
  HealthTracker tracker(WithProbes(1));
  After(tracker, "+--");
  for (const HealthState state : After(tracker, "+-++-+-++--++-")) {
    EXPECT_EQ(state, kDown);
  }
  EXPECT_EQ(After(tracker, "+++").back(), kUp);
}

TEST(HealthTracker, SoManyProbesMustAnswerAsTheQuorumSays) {
  HealthTracker one(WithProbes(3, 1));
  HealthTracker two(WithProbes(3, 2));
  for (int i = 0; i < 4; ++i) {
    one.RoundEnded(Round("+--"));
    two.RoundEnded(Round("+--"));
  }
  EXPECT_EQ(one.report().verdict.state, kUp);
  EXPECT_EQ(two.report().verdict.state, kDown);
  for (int i = 0; i < 4; ++i) two.RoundEnded(Round("-++"));
  EXPECT_EQ(two.report().verdict.state, kUp);
}

TEST(HealthTracker, SaysWhichProbesFailedAndHow) {
  HealthTracker none(WithProbes(2));
  none.RoundEnded(Round("--"));
  none.RoundEnded({Bad(), Bad("Connection refused")});
  EXPECT_EQ(none.report().verdict.reason,
            "0 of 2 probes answered (icmp 192.0.2.1: no answer within 750ms, "
            "icmp 192.0.2.2: Connection refused)");
  HealthTracker some(WithProbes(3, 2));
  some.RoundEnded(Round("+--"));
  some.RoundEnded({Good(), Bad(), Bad("Connection refused")});
  EXPECT_EQ(some.report().verdict.reason,
            "1 of 3 probes answered where 2 must (icmp 192.0.2.2: no answer "
            "within 750ms, icmp 192.0.2.3: Connection refused)");
  // The words of a verdict stay as long as it does: they are what was logged.
  EXPECT_FALSE(some.RoundEnded(Round("---")));
}

TEST(HealthTracker, RemembersTheLastResultOfEachProbe) {
  HealthTracker tracker(WithProbes(2));
  tracker.RoundEnded({Good(7ms), Bad("Connection refused")});
  EXPECT_EQ(tracker.report().probes[0].last, Good(7ms));
  EXPECT_EQ(tracker.report().probes[1].last, Bad("Connection refused"));
}

// ---- loss ----

Health Lossy() {
  Health health = WithProbes(1);
  health.loss = Limits<Ratio>{2000, 500};
  health.down = 100;
  return health;
}

TEST(HealthTracker, CountsLossOverTheLastRounds) {
  HealthTracker tracker(Lossy());
  After(tracker, "+-+-");
  EXPECT_EQ(tracker.report().loss, 1000U);
  After(tracker, std::string(20, '-'));
  EXPECT_EQ(tracker.report().loss, kWhole);
  After(tracker, std::string(20, '+'));
  EXPECT_EQ(tracker.report().loss, 0U);
}

TEST(HealthTracker, LossHasALimitToBecomeBadAndAnotherToBeGoodAgain) {
  HealthTracker tracker(Lossy());
  // The fourth of twenty is one in five.
  EXPECT_EQ(After(tracker, "+---").back(), kUp);
  EXPECT_EQ(After(tracker, "-").back(), kDegraded);
  EXPECT_EQ(tracker.report().verdict.reason,
            "loses 20% of the probes, 5% or less would be good");
  // 16 rounds later the first of them falls out of the window: 15%, then 10%,
  // which is neither; 5% is good.
  for (const HealthState state : After(tracker, std::string(18, '+'))) {
    EXPECT_EQ(state, kDegraded);
  }
  EXPECT_EQ(tracker.report().loss, 500U + 500U);
  EXPECT_EQ(After(tracker, "+").back(), kUp);
  EXPECT_EQ(tracker.report().verdict.reason, "");
}

TEST(HealthTracker, AFlappingLineIsDegradedWhereLossCounts) {
  Health health = Lossy();
  health.down = 2;
  HealthTracker tracker(health);
  EXPECT_EQ(After(tracker, "+-+-+-+-+-+-").back(), kDegraded);
}

TEST(HealthTracker, WhatWasLostWhileDownIsForgotten) {
  Health health = Lossy();
  health.down = 2;
  HealthTracker tracker(health);
  EXPECT_EQ(After(tracker, "+----------").back(), kDown);
  EXPECT_EQ(After(tracker, "+++").back(), kUp);
  EXPECT_EQ(tracker.report().loss, 0U);
}

TEST(HealthTracker, AnUndemandingQuorumIgnoresADeadTarget) {
  Health health = WithProbes(3, 2);
  health.loss = Limits<Ratio>{2000, 500};
  HealthTracker tracker(health);
  for (int i = 0; i < 50; ++i) tracker.RoundEnded(Round("+-+"));
  EXPECT_EQ(tracker.report().verdict.state, kUp);
  EXPECT_EQ(tracker.report().loss, 0U);
  for (int i = 0; i < 50; ++i) tracker.RoundEnded(Round(i % 3 ? "+-+" : "+--"));
  EXPECT_EQ(tracker.report().verdict.state, kDegraded);
}

// ---- latency ----

Health Slow() {
  Health health = WithProbes(1);
  health.latency = Limits<std::chrono::milliseconds>{300ms, 150ms};
  return health;
}

TEST(HealthTracker, LatencyIsSmoothed) {
  HealthTracker tracker(Slow());
  tracker.RoundEnded({Good(100ms)});
  EXPECT_EQ(tracker.report().latency, 100ms);
  tracker.RoundEnded({Good(200ms)});
  EXPECT_EQ(tracker.report().latency, 125ms);
  tracker.RoundEnded({Bad()});  // no sample
  EXPECT_EQ(tracker.report().latency, 125ms);
}

TEST(HealthTracker, OneSlowAnswerDoesNoHarmAndALastingOneDoes) {
  HealthTracker tracker(Slow());
  tracker.RoundEnded({Good(20ms)});
  tracker.RoundEnded({Good(700ms)});
  EXPECT_EQ(tracker.report().verdict.state, kUp);
  int rounds = 0;
  while (tracker.report().verdict.state == kUp && rounds < 20) {
    tracker.RoundEnded({Good(700ms)});
    ++rounds;
  }
  EXPECT_EQ(tracker.report().verdict.state, kDegraded);
  EXPECT_EQ(rounds, 1);  // 20, 190, 318
  EXPECT_EQ(tracker.report().verdict.reason,
            "takes 318ms to answer, 150ms or less would be good");
  tracker.RoundEnded({Good(200ms)});
  EXPECT_EQ(tracker.report().verdict.state, kDegraded);
  for (int i = 0; i < 5; ++i) tracker.RoundEnded({Good(20ms)});
  EXPECT_EQ(tracker.report().verdict.state, kUp);
}

TEST(HealthTracker, NamesLossAndLatencyTogether) {
  Health health = Lossy();
  health.latency = Slow().latency;
  HealthTracker tracker(health);
  tracker.RoundEnded({Good(400ms)});
  EXPECT_EQ(tracker.report().verdict.reason,
            "takes 400ms to answer, 150ms or less would be good");
  After(tracker, "---");
  // Another reason for the same state is another verdict.
  EXPECT_TRUE(tracker.RoundEnded(Round("-")));
  EXPECT_EQ(tracker.report().verdict.reason,
            "loses 20% of the probes, 5% or less would be good, takes 400ms "
            "to answer, 150ms or less would be good");
}

TEST(HealthTracker, TheLatencyIsThatOfTheLastProbeThatIsNeeded) {
  Health health = WithProbes(3, 2);
  HealthTracker tracker(health);
  tracker.RoundEnded({Good(10ms), Bad(), Bad()});
  EXPECT_EQ(tracker.report().latency, std::nullopt);
  tracker.RoundEnded({Good(10ms), Good(500ms), Good(30ms)});
  EXPECT_EQ(tracker.report().latency, 30ms);
}

// ---- another path ----

TEST(HealthTracker, AnotherPathKeepsTheVerdictUntilItHasItsOwn) {
  HealthTracker tracker(WithProbes(1));
  After(tracker, "+--");
  tracker.PathChanged();
  EXPECT_EQ(tracker.report().verdict.state, kDown);
  EXPECT_EQ(tracker.report().probes.front().last, std::nullopt);
  EXPECT_EQ(After(tracker, "+++"), (std::vector{kDown, kDown, kUp}));
  // What was failed on the old path does not count on the new one.
  After(tracker, "-");
  tracker.PathChanged();
  EXPECT_EQ(After(tracker, "-"), (std::vector{kUp}));
  EXPECT_EQ(After(tracker, "-"), (std::vector{kDown}));
}

// ---- laws ----

Health RandomHealth(Random& random) {
  const std::size_t count = random.Between(1, 4);
  Health health =
      WithProbes(count, static_cast<std::uint32_t>(random.Between(1, count)));
  health.down = static_cast<std::uint32_t>(random.Between(1, 4));
  health.up = static_cast<std::uint32_t>(random.Between(1, 5));
  if (random.Chance(50)) health.loss = Limits<Ratio>{2000, 500};
  if (random.Chance(50)) {
    health.latency = Limits<std::chrono::milliseconds>{300ms, 150ms};
  }
  return health;
}

std::vector<ProbeResult> RandomRound(Random& random, std::size_t probes,
                                     unsigned percent) {
  std::vector<ProbeResult> results;
  for (std::size_t i = 0; i < probes; ++i) {
    results.push_back(random.Chance(percent) ? Good(std::chrono::milliseconds(
                                                   random.Between(1, 600)))
                                             : Bad());
  }
  return results;
}

bool IsGood(const Health& health, const std::vector<ProbeResult>& results) {
  return std::ranges::count(results, true, &ProbeResult::answered) >=
         static_cast<std::ptrdiff_t>(health.quorum);
}

// The last rounds alone say whether the state may be what it is.
TEST(HealthTrackerLaw, DownAndUpOnlyAfterSoManyRoundsInARow) {
  Random random(11);
  for (int run = 0; run < 300; ++run) {
    const Health health = RandomHealth(random);
    HealthTracker tracker(health);
    std::uint32_t failed = 0;
    std::uint32_t good = 0;
    for (int i = 0; i < 80; ++i) {
      const HealthVerdict before = tracker.report().verdict;
      const auto results = RandomRound(random, health.probes.size(), 65);
      good = IsGood(health, results) ? good + 1 : 0;
      failed = good == 0 ? failed + 1 : 0;
      const bool changed = tracker.RoundEnded(results);
      const HealthVerdict& now = tracker.report().verdict;
      ASSERT_EQ(changed, now != before);
      ASSERT_EQ(now.reason.empty(), now.state == kUp || now.state == kUnknown);
      if (failed >= health.down) {
        ASSERT_EQ(now.state, kDown);
      } else if (before.state == kDown) {
        ASSERT_EQ(now.state != kDown, good >= health.up);
      } else {
        ASSERT_NE(now.state, kDown);
      }
      if (!health.loss && !health.latency) {
        ASSERT_NE(now.state, kDegraded);
      }
      ASSERT_LE(tracker.report().loss, kWhole);
    }
  }
}

// Whatever happened before, a healthy line is found to be so, and a dead one.
TEST(HealthTrackerLaw, ForgetsInTheEnd) {
  Random random(12);
  for (int run = 0; run < 300; ++run) {
    const Health health = RandomHealth(random);
    HealthTracker tracker(health);
    for (std::uint64_t i = random.Below(60); i > 0; --i) {
      tracker.RoundEnded(RandomRound(random, health.probes.size(), 50));
      if (random.Chance(5)) tracker.PathChanged();
    }
    HealthTracker dead = tracker;
    for (int i = 0; i < 40; ++i) {
      tracker.RoundEnded(std::vector(health.probes.size(), Good(5ms)));
      dead.RoundEnded(std::vector(health.probes.size(), Bad()));
    }
    ASSERT_EQ(tracker.report().verdict, (HealthVerdict{kUp, ""}));
    ASSERT_EQ(tracker.report().loss, 0U);
    ASSERT_EQ(dead.report().verdict.state, kDown);
  }
}

}  // namespace
}  // namespace uplinkd
