// Loads: the engine levels out connections, without a word about it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using testing::AddressOnLink;
using testing::ConditionStatus;
using testing::FakeMachine;
using testing::Ip;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

// wan1 weighs 4 and wan2 weighs 1.
class EngineLoadsTest : public ::testing::Test {
 protected:
  EngineLoadsTest() { spec_.balance.algorithm = Algorithm::kLeastConnections; }

  EngineOptions Options() {
    EngineOptions options = OptionsFor(machine_, state_.path());
    options.loads = milliseconds(10);
    return options;
  }
  void Begin(RunningEngine& engine) {
    Connections(40, 10);
    engine.Start();
    ASSERT_TRUE(engine->Apply({spec_}));
    ASSERT_TRUE(engine.BecomesInSync(1));
    WaitForCounts(2);
  }

  void Connections(std::uint64_t wan1, std::uint64_t wan2) {
    machine_.WithCounters([&](FakeMachine::Counters& it) {
      it.connections = {{1, {wan1, wan1}}, {2, {wan2, wan2}}};
    });
  }
  int Counts() {
    return machine_.WithCounters(
        [](FakeMachine::Counters& it) { return it.counts; });
  }
  void WaitForCounts(int more) {
    const int before = Counts();
    while (Counts() < before + more) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
  std::vector<Step> Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes; });
  }
  static bool ShareIs(const v1::Status& status, double wan1) {
    return std::abs(status.uplinks(0).intended_share() - wan1) < 0.02;
  }

  Spec spec_ = TwoUplinkSpec();
  TemporaryDirectory state_;
  FakeMachine machine_;
};

TEST_F(EngineLoadsTest, OtherLoadsAreOneCommitOfTheChoice) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  const std::size_t before = Writes().size();
  Connections(40, 0);  // all to the second
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return ShareIs(status, 0); }));
  WaitForCounts(5);
  const std::vector<Step> writes = Writes();
  ASSERT_EQ(writes.size(), before + 1);
  const auto& edit = std::get<EditXtTable>(writes.back().change);
  EXPECT_EQ(edit.table, XtTable::kMangle);
  for (const ChainEdit& one : edit.edits) EXPECT_EQ(one.chain, "UPL-FATE");
}

TEST_F(EngineLoadsTest, NoiseWritesNothing) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  const std::size_t before = Writes().size();
  for (const std::uint64_t noise : {39, 41, 42, 38, 40}) {
    Connections(noise, 10);
    WaitForCounts(3);
  }
  EXPECT_EQ(Writes().size(), before);
}

TEST_F(EngineLoadsTest, OtherSharesAreNoDriftAndNoNews) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  const auto watcher = engine->bulletin().Subscribe();
  ASSERT_TRUE(watcher->Next(milliseconds(0)));  // the first: no event
  // More often than what would be a fight.
  for (int i = 0; i < 20; ++i) {
    const bool even = i % 2 == 0;
    Connections(even ? 40 : 0, even ? 0 : 40);
    ASSERT_TRUE(engine.Becomes([even](const v1::Status& status) {
      return ShareIs(status, even ? 0 : 1);
    }));
  }
  EXPECT_FALSE(watcher->Next(milliseconds(0)));
  const StatusPointer status = engine->bulletin().status();
  EXPECT_EQ(status->corrections(), 0U);
  EXPECT_EQ(ConditionStatus(*status, "DriftDetected"), "False");
  EXPECT_EQ(ConditionStatus(*status, "Programmed"), "True");
  EXPECT_EQ(ConditionStatus(*status, "Degraded"), "False");
  const SnapshotPointer metrics = engine->bulletin().metrics();
  EXPECT_EQ(metrics->passes.at({"changed", "load"}), 20U);
  EXPECT_TRUE(metrics->corrections.empty());
}

TEST_F(EngineLoadsTest, NeitherAreTheyWhereAllUplinksAreOfIpv6) {
  for (Uplink& uplink : spec_.uplinks) {
    uplink.families = UplinkFamilies::kIpv6;
  }
  machine_.With([](FakeKernel& it) {
    Facts facts = TwoUplinkFacts();
    const auto add = [&facts](const std::string& link, const char* address) {
      facts.links[link].addresses.push_back(AddressOnLink(address));
    };
    add("lan0", "fd00:10::1/64");
    add("wan1", "2001:db8:1::2/64");
    add("wan2", "2001:db8:2::2/64");
    facts.links["wan1"].default_route6 = DefaultRoute{Ip("2001:db8:1::1")};
    facts.links["wan2"].default_route6 = DefaultRoute{Ip("2001:db8:2::1")};
    it.SetHost(facts);
  });
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  for (int i = 0; i < 4; ++i) {
    const bool even = i % 2 == 0;
    Connections(even ? 40 : 0, even ? 0 : 40);
    ASSERT_TRUE(engine.Becomes([even](const v1::Status& status) {
      return ShareIs(status, even ? 0 : 1);
    }));
  }
  const StatusPointer status = engine->bulletin().status();
  EXPECT_EQ(status->corrections(), 0U);
  EXPECT_EQ(ConditionStatus(*status, "DriftDetected"), "False");
  EXPECT_TRUE(engine->bulletin().metrics()->corrections.empty());
}

TEST_F(EngineLoadsTest, WhatSomebodyElseDidIsDriftAllTheSame) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  for (int i = 0; i < 3; ++i) {
    const bool even = i % 2 == 0;
    machine_.With([](FakeKernel& it) {
      State ours = it.Ours();
      ours.tables.at(XtTable::kMangle).Edit().chains.at("UPL-OUTPUT").clear();
      it.SetOurs(ours);
    });
    Connections(even ? 40 : 0, even ? 0 : 40);
    ASSERT_TRUE(engine.Becomes([&](const v1::Status& status) {
      return ShareIs(status, even ? 0 : 1) &&
             status.corrections() == static_cast<std::uint64_t>(i) + 1;
    }));
  }
}

TEST_F(EngineLoadsTest, TheSharesInForceAreWhatIsDesired) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Connections(40, 0);
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return ShareIs(status, 0); }));
  EXPECT_TRUE(engine->Diff(std::nullopt)->plan.Empty());
  EXPECT_TRUE(engine->Diff(spec_)->plan.Empty());
}

TEST_F(EngineLoadsTest, NobodyCountsForOtherAlgorithms) {
  spec_.balance.algorithm = Algorithm::kWeightedRandom;
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({spec_}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LE(Counts(), 2);  // the exporter's
}

}  // namespace
}  // namespace uplinkd
