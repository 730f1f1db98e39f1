// Health, from a verdict of the probes to the kernel and to the status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <variant>

#include "tests/agent/fake_host.h"
#include "tests/agent/fake_probes.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::ConditionReason;
using testing::FakeMachine;
using testing::FakeProbes;
using testing::FastHealth;
using ::testing::HasSubstr;
using testing::Ip;
using testing::OptionsFor;
using testing::PhaseOf;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;
using Line = FakeProbes::Line;

Spec ProbedSpec() {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kWeightedRandom;
  for (Uplink& uplink : spec.uplinks) uplink.health = FastHealth();
  return spec;
}

class EngineHealthTest : public ::testing::Test {
 protected:
  EngineOptions Options() {
    EngineOptions options = OptionsFor(machine_, state_.path());
    options.start_probe = probes_.Starter();
    return options;
  }

  static bool BecomesPhase(RunningEngine& engine, const std::string& uplink,
                           const std::string& phase) {
    return engine.Becomes([&](const v1::Status& status) {
      return PhaseOf(status, uplink) == phase &&
             ConditionReason(status, "Programmed") == "InSync";
    });
  }

  // Whether a chain that chooses names this uplink's mark chain.
  bool IsChosen(const std::string& mark_chain) {
    const State ours = machine_.With([](FakeKernel& it) { return it.Ours(); });
    const auto mangle = ours.tables.find(XtTable::kMangle);
    if (mangle == ours.tables.end()) return false;
    for (const auto& [name, chain] : mangle->second->chains) {
      if (!name.starts_with("UPL-FATE")) continue;
      for (const ChainRule& rule : chain) {
        const auto* jump = std::get_if<JumpTarget>(&rule.target);
        if (jump != nullptr && jump->chain == mark_chain) return true;
      }
    }
    return false;
  }

  TemporaryDirectory state_;
  FakeMachine machine_;
  FakeProbes probes_;
};

TEST_F(EngineHealthTest, ALineThatIsDeadGetsNoNewConnectionsUntilItAnswers) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({ProbedSpec()}));
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
  EXPECT_TRUE(IsChosen("UPL-MARK-2"));
  probes_.Set("wan2", Line::kDead);
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Down"));
  EXPECT_FALSE(IsChosen("UPL-MARK-2"));
  EXPECT_TRUE(IsChosen("UPL-MARK-1"));
  const StatusPointer status = engine->bulletin().status();
  EXPECT_EQ(ConditionReason(*status, "Degraded"), "UplinkDown");
  EXPECT_EQ(status->uplinks(1).reason(),
            "0 of 1 probes answered (arp gateway: silent)");
  EXPECT_EQ(status->uplinks(1).health().state(), "Down");
  probes_.Set("wan2", Line::kAlive);
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
  EXPECT_TRUE(IsChosen("UPL-MARK-2"));
}

// What a verdict changes is no drift, and nobody fights us.
TEST_F(EngineHealthTest, AVerdictIsNoDrift) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({ProbedSpec()}));
  for (int i = 0; i < 3; ++i) {
    probes_.Set("wan2", Line::kRefuses);
    ASSERT_TRUE(BecomesPhase(engine, "wan2", "Down"));
    probes_.Set("wan2", Line::kAlive);
    ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
  }
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
  const SnapshotPointer metrics = engine->bulletin().metrics();
  // A poll that is due at the same moment may be the one to see it.
  EXPECT_GE((metrics->passes.at({"changed", "health"})), 1U);
}

TEST_F(EngineHealthTest, ProbesGoOnWhenEveryLineIsDown) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({ProbedSpec()}));
  for (const char* link : {"wan1", "wan2"}) probes_.Set(link, Line::kDead);
  ASSERT_TRUE(BecomesPhase(engine, "wan1", "Down"));
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Down"));
  EXPECT_EQ(ConditionReason(*engine->bulletin().status(), "Ready"),
            "UplinkDown");
  for (const char* link : {"wan1", "wan2"}) probes_.Set(link, Line::kAlive);
  ASSERT_TRUE(BecomesPhase(engine, "wan1", "Ready"));
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
}

TEST_F(EngineHealthTest, ProbesFollowTheAddressAndTheMask) {
  RunningEngine engine(Options());
  engine.Start();
  Spec spec = ProbedSpec();
  spec.mark_mask = 0xff00;
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
  const auto last_of = [&](const std::string& link) {
    const std::vector<ProbeOrder> orders = probes_.Orders();
    const auto last =
        std::find_if(orders.rbegin(), orders.rend(),
                     [&](const auto& it) { return it.path.link == link; });
    return last == orders.rend() ? ProbePath{} : last->path;
  };
  ASSERT_TRUE(engine.Becomes([&](const v1::Status&) {
    return last_of("wan2") ==
           ProbePath{"wan2", 4, Ip("203.0.113.2"), Ip("203.0.113.1"), 0xff00};
  }));
  machine_.With([](FakeKernel& it) {
    Facts facts = testing::TwoUplinkFacts();
    testing::AddLink(
        facts, testing::UpLink("wan2", 9, "203.0.113.7/24", "203.0.113.9"));
    it.SetHost(facts);
  });
  machine_.Poke();
  EXPECT_TRUE(engine.Becomes([&](const v1::Status&) {
    return last_of("wan2") ==
           ProbePath{"wan2", 9, Ip("203.0.113.7"), Ip("203.0.113.9"), 0xff00};
  }));
}

TEST_F(EngineHealthTest, APlanOfTheSpecInForceKnowsTheVerdicts) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({ProbedSpec()}));
  probes_.Set("wan2", Line::kDead);
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Down"));
  const Result<Report> plan = engine->Diff(std::nullopt);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(plan->plan.Empty());
}

TEST_F(EngineHealthTest, NothingIsAskedAfterACleanup) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({ProbedSpec()}));
  ASSERT_TRUE(BecomesPhase(engine, "wan2", "Ready"));
  ASSERT_TRUE(engine->CleanUp(false, kClient));
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return status.uplinks().empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const std::size_t asked = probes_.Orders().size();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(probes_.Orders().size(), asked);
}

}  // namespace
}  // namespace uplinkd
