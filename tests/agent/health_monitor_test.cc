// The rounds of probes: who is asked, when, and what becomes of it.
#include "agent/health_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "tests/agent/fake_probes.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using testing::FakeProbes;
using testing::FastHealth;
using testing::Ip;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::UnorderedElementsAre;
using Line = FakeProbes::Line;

ProbePath PathOf(const std::string& link) {
  return {link, 3, Ip("198.51.100.2"), Ip("198.51.100.1"), 0xff};
}

WatchedUplinks One(const std::string& link = "wan1") {
  return {{link, {FastHealth(), PathOf(link)}}};
}

class HealthMonitorTest : public ::testing::Test {
 protected:
  // For slow machines; what holds, holds much sooner.
  static bool Becomes(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (!holds()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  HealthState StateOf(const std::string& uplink) const {
    const HealthReports reports = monitor_.Reports();
    const auto report = reports.find(uplink);
    return report == reports.end() ? HealthState::kUnknown
                                   : report->second.verdict.state;
  }

  bool BecomesState(HealthState state, const std::string& uplink = "wan1") {
    return Becomes([&] { return StateOf(uplink) == state; });
  }

  FakeProbes probes_;
  std::atomic<int> changes_ = 0;
  HealthMonitor monitor_{probes_.Starter(), [this] { ++changes_; }};
};

TEST_F(HealthMonitorTest, AsksEveryProbeOfTheRoundByThePath) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.probes.push_back(IcmpProbe{Ip("192.0.2.1")});
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  const std::vector<ProbeOrder> orders = probes_.Orders();
  ASSERT_GE(orders.size(), 2U);
  EXPECT_EQ(orders[0].probe, Probe(ArpProbe{}));
  EXPECT_EQ(orders[1].probe, Probe(IcmpProbe{Ip("192.0.2.1")}));
  EXPECT_EQ(orders[0].path, PathOf("wan1"));
  EXPECT_EQ(orders[0].timeout, 10ms);
  EXPECT_EQ(monitor_.Reports().at("wan1").latency, 5ms);
}

TEST_F(HealthMonitorTest, TellsOfEachChangeOnce) {
  monitor_.Watch(One());
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  EXPECT_TRUE(Becomes([&] { return changes_ == 1; }));
  probes_.Set("wan1", Line::kDead);
  ASSERT_TRUE(BecomesState(HealthState::kDown));
  EXPECT_TRUE(Becomes([&] { return changes_ == 2; }));
  probes_.Set("wan1", Line::kAlive);
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  EXPECT_TRUE(Becomes([&] { return changes_ == 3; }));
}

TEST_F(HealthMonitorTest, RoundsFollowEachOtherByTheInterval) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.interval = 100ms;
  const auto began = std::chrono::steady_clock::now();
  monitor_.Watch(uplinks);
  ASSERT_TRUE(Becomes([&] { return probes_.Orders().size() == 4; }));
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_GE(took, 300ms);
  // A refusal comes at once; the next round does not.
  probes_.Set("wan1", Line::kRefuses);
  const std::size_t before = probes_.Orders().size();
  std::this_thread::sleep_for(250ms);
  EXPECT_LE(probes_.Orders().size(), before + 3);
}

TEST_F(HealthMonitorTest, ASuspectIsAskedUntilItIsCleared) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.interval = 1h;
  uplinks["wan1"].health.up = 1;
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  // It answers: once is enough.
  const std::size_t before = probes_.Orders().size();
  monitor_.Suspect("wan1");
  monitor_.Suspect("wan9");  // nobody
  ASSERT_TRUE(Becomes([&] { return probes_.Orders().size() > before; }));
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(probes_.Orders().size(), before + 1);
  EXPECT_EQ(StateOf("wan1"), HealthState::kUp);
  // It does not: down after the usual number of rounds, hours early.
  probes_.Set("wan1", Line::kRefuses);
  monitor_.Suspect("wan1");
  ASSERT_TRUE(BecomesState(HealthState::kDown));
  const std::size_t rounds = probes_.Orders().size();
  EXPECT_EQ(rounds, before + 1 + uplinks["wan1"].health.down);
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(probes_.Orders().size(), rounds);
}

// The timeout may be as long as the interval; rounds still do not overlap.
TEST_F(HealthMonitorTest, ARoundEndsBeforeTheNextOneBegins) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.timeout = uplinks["wan1"].health.interval;
  probes_.Set("wan1", Line::kDead);
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kDown));
  EXPECT_EQ(monitor_.Reports().at("wan1").verdict.reason,
            "0 of 1 probes answered (arp gateway: silent)");
}

TEST_F(HealthMonitorTest, UplinksDoNotWaitForEachOther) {
  WatchedUplinks uplinks = One();
  uplinks.merge(One("wan2"));
  uplinks["wan2"].health.interval = uplinks["wan2"].health.timeout = 1h;
  probes_.Set("wan2", Line::kDead);
  monitor_.Watch(uplinks);
  EXPECT_TRUE(BecomesState(HealthState::kUp));
  EXPECT_EQ(StateOf("wan2"), HealthState::kUnknown);
}

TEST_F(HealthMonitorTest, WithoutAPathNothingIsAskedAndTheVerdictStays) {
  probes_.Set("wan1", Line::kRefuses);
  monitor_.Watch(One());
  ASSERT_TRUE(BecomesState(HealthState::kDown));
  WatchedUplinks gone = One();
  gone["wan1"].path.reset();
  monitor_.Watch(gone);
  ASSERT_TRUE(Becomes([&] {
    return monitor_.Reports().at("wan1").probes.front().last == std::nullopt;
  }));
  const std::size_t before = probes_.Orders().size();
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(probes_.Orders().size(), before);
  EXPECT_EQ(StateOf("wan1"), HealthState::kDown);
}

TEST_F(HealthMonitorTest, AnotherPathIsAskedAtOnce) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.interval = uplinks["wan1"].health.timeout = 1h;
  probes_.Set("wan1", Line::kDead);
  monitor_.Watch(uplinks);
  ASSERT_TRUE(Becomes([&] { return probes_.Orders().size() == 1; }));
  // The round that waits on the old path is dropped.
  uplinks["wan1"].path->source = Ip("198.51.100.9");
  probes_.Set("wan1", Line::kAlive);
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  EXPECT_EQ(probes_.Orders().back().path.source, Ip("198.51.100.9"));
}

TEST_F(HealthMonitorTest, WhatIsWatchedAsBeforeGoesOn) {
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.interval = uplinks["wan1"].health.timeout = 1h;
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp));
  uplinks.merge(One("wan2"));
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp, "wan2"));
  EXPECT_EQ(StateOf("wan1"), HealthState::kUp);
  const std::vector<ProbeOrder> orders = probes_.Orders();
  EXPECT_EQ(std::ranges::count_if(
                orders, [](const auto& it) { return it.path.link == "wan1"; }),
            1);
}

TEST_F(HealthMonitorTest, OtherProbesBeginAnew) {
  probes_.Set("wan1", Line::kRefuses);
  monitor_.Watch(One());
  ASSERT_TRUE(BecomesState(HealthState::kDown));
  ASSERT_TRUE(Becomes([&] { return changes_ == 1; }));
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.down = 1000;
  monitor_.Watch(uplinks);
  // The old verdict is gone, and whoever acts on it is told.
  ASSERT_TRUE(BecomesState(HealthState::kUnknown));
  EXPECT_TRUE(Becomes([&] { return changes_ == 2; }));
}

TEST_F(HealthMonitorTest, WhatIsNotWatchedAnyMoreIsForgotten) {
  WatchedUplinks uplinks = One();
  uplinks.merge(One("wan2"));
  monitor_.Watch(uplinks);
  ASSERT_TRUE(BecomesState(HealthState::kUp, "wan2"));
  monitor_.Watch(One());
  EXPECT_TRUE(Becomes([&] { return monitor_.Reports().size() == 1; }));
  EXPECT_THAT(monitor_.Reports(), UnorderedElementsAre(Key("wan1")));
  monitor_.Watch({});
  EXPECT_TRUE(Becomes([&] { return monitor_.Reports().empty(); }));
}

TEST_F(HealthMonitorTest, EndsInTheMiddleOfARound) {
  probes_.Set("wan1", Line::kDead);
  WatchedUplinks uplinks = One();
  uplinks["wan1"].health.interval = uplinks["wan1"].health.timeout = 1h;
  monitor_.Watch(uplinks);
  ASSERT_TRUE(Becomes([&] { return probes_.Orders().size() == 1; }));
  monitor_.Stop();
  monitor_.Stop();
  EXPECT_EQ(changes_, 0);
}

// Paths that change faster than rounds end, from a thread of another pace.
TEST_F(HealthMonitorTest, SurvivesARestlessHost) {
  std::mt19937 random(1);
  for (int i = 0; i < 500; ++i) {
    WatchedUplinks uplinks;
    for (const char* link : {"wan1", "wan2", "wan3"}) {
      if (random() % 5 == 0) continue;
      uplinks.merge(One(link));
      uplinks[link].health.interval = 2ms;
      uplinks[link].health.timeout = 1ms;
      if (random() % 3 == 0) uplinks[link].path.reset();
      if (random() % 3 == 0) uplinks[link].path = PathOf(link);
      if (random() % 9 == 0)
        uplinks[link].health.up = random() % 2 == 0 ? 1 : 2;
      probes_.Set(link, static_cast<Line>(random() % 3));
    }
    monitor_.Watch(uplinks);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
  }
  probes_.Set("wan1", Line::kAlive);
  monitor_.Watch(One());
  EXPECT_TRUE(BecomesState(HealthState::kUp));
}

}  // namespace
}  // namespace uplinkd
