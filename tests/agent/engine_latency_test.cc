// Lowest latency, from answers of probes to the kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/agent/fake_host.h"
#include "tests/agent/fake_probes.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using testing::FakeMachine;
using testing::FakeProbes;
using testing::FastHealth;
using testing::Ip;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class EngineLatencyTest : public ::testing::Test {
 protected:
  EngineLatencyTest() {
    spec_.balance.algorithm = Algorithm::kLowestLatency;
    for (Uplink& uplink : spec_.uplinks) {
      uplink.health = FastHealth();
      uplink.health->probes = {IcmpProbe{Ip("192.0.2.53")}};
    }
  }

  EngineOptions Options() {
    EngineOptions options = OptionsFor(machine_, state_.path());
    options.start_probe = probes_.Starter();
    options.loads = milliseconds(10);
    return options;
  }

  static bool BecomesLeader(RunningEngine& engine, int ordinal) {
    return engine.Becomes([ordinal](const v1::Status& status) {
      return status.uplinks_size() == 2 &&
             status.uplinks(ordinal - 1).intended_share() == 1;
    });
  }

  std::vector<Step> Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes; });
  }

  // More rounds than what would move anything.
  static void WaitForRounds() {
    std::this_thread::sleep_for(15 * FastHealth().interval);
  }

  Spec spec_ = TwoUplinkSpec();
  TemporaryDirectory state_;
  FakeMachine machine_;
  FakeProbes probes_;
};

TEST_F(EngineLatencyTest, TheOneThatAnswersSoonerLeadsByOneCommit) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({spec_}));
  ASSERT_TRUE(BecomesLeader(engine, 1));
  WaitForRounds();
  ASSERT_TRUE(BecomesLeader(engine, 1));
  const std::size_t before = Writes().size();
  probes_.SetLatency("wan1", milliseconds(30));
  ASSERT_TRUE(BecomesLeader(engine, 2));
  const std::vector<Step> writes = Writes();
  ASSERT_EQ(writes.size(), before + 1);
  const auto& edit = std::get<EditXtTable>(writes.back().change);
  for (const ChainEdit& one : edit.edits) EXPECT_EQ(one.chain, "UPL-FATE");
}

TEST_F(EngineLatencyTest, WhatIsNotClearlySoonerWritesNothing) {
  RunningEngine engine(Options());
  engine.Start();
  probes_.SetLatency("wan1", milliseconds(20));
  probes_.SetLatency("wan2", milliseconds(20));
  ASSERT_TRUE(engine->Apply({spec_}));
  WaitForRounds();
  const std::size_t before = Writes().size();
  for (const int wan2 : {17, 25, 18, 20}) {
    probes_.SetLatency("wan2", milliseconds(wan2));
    WaitForRounds();
  }
  EXPECT_EQ(Writes().size(), before);
}

TEST_F(EngineLatencyTest, AnotherLeaderIsNoDrift) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({spec_}));
  for (int i = 0; i < 8; ++i) {
    const int leader = 1 + i % 2;
    probes_.SetLatency("wan1", milliseconds(leader == 1 ? 5 : 30));
    probes_.SetLatency("wan2", milliseconds(leader == 2 ? 5 : 30));
    ASSERT_TRUE(BecomesLeader(engine, leader));
  }
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
  EXPECT_TRUE(engine->Diff(std::nullopt)->plan.Empty());
}

// The one that comes back must win its place anew.
TEST_F(EngineLatencyTest, TheNextBestFollowsAndKeepsThePlace) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({spec_}));
  WaitForRounds();
  probes_.Set("wan1", FakeProbes::Line::kDead);
  ASSERT_TRUE(BecomesLeader(engine, 2));
  probes_.Set("wan1", FakeProbes::Line::kAlive);
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return testing::PhaseOf(status, "wan1") == "Ready";
  }));
  WaitForRounds();
  EXPECT_TRUE(BecomesLeader(engine, 2));
  probes_.SetLatency("wan1", milliseconds(1));
  EXPECT_TRUE(BecomesLeader(engine, 1));
}

}  // namespace
}  // namespace uplinkd
