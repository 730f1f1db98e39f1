// The engine while it is paused: it looks, and keeps its hands off the kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "agent/engine.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::ConditionReason;
using testing::ConditionStatus;
using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class EnginePauseTest : public ::testing::Test {
 protected:
  void Begin(RunningEngine& engine) {
    engine.Start();
    ASSERT_TRUE(engine->Apply({.spec = TwoUplinkSpec()}));
    ASSERT_TRUE(engine.BecomesInSync(1));
  }
  // Somebody removes rules of ours.
  void Disturb() {
    machine_.With([](FakeKernel& it) {
      std::erase_if(it.rules, [](const PolicyRule& rule) {
        return rule.priority > kMarkPriority;
      });
    });
    machine_.Poke();
  }
  std::size_t Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes.size(); });
  }
  static bool Sees(RunningEngine& engine) {
    return engine.Becomes([](const v1::Status& status) {
      return ConditionReason(status, "DriftDetected") == "NotRepaired";
    });
  }

  TemporaryDirectory state_;
  FakeMachine machine_;
};

TEST_F(EnginePauseTest, LooksAndRepairsNothingUntilItIsResumed) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Pause(minutes(10), "alice", "by hand"));
  const std::size_t writes = Writes();
  Disturb();
  ASSERT_TRUE(Sees(engine));
  const StatusPointer status = engine->bulletin().status();
  EXPECT_EQ(ConditionStatus(*status, "Paused"), "True");
  EXPECT_EQ(ConditionReason(*status, "Programmed"), "Paused");
  EXPECT_EQ(status->corrections(), 0U);
  EXPECT_FALSE(engine->bulletin().metrics()->pending.empty());
  EXPECT_EQ(Writes(), writes);
  EXPECT_EQ(engine->Resume("alice").value(), true);
  EXPECT_TRUE(engine.BecomesInSync(1));
  EXPECT_GT(Writes(), writes);
  EXPECT_EQ(ConditionStatus(*engine->bulletin().status(), "Paused"), "False");
  EXPECT_EQ(engine->Resume("alice").value(), false);
}

TEST_F(EnginePauseTest, GoesOnByItselfWhenTheTimeIsOver) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Pause(milliseconds(300), "alice", ""));
  const std::size_t writes = Writes();
  Disturb();
  ASSERT_TRUE(Sees(engine));
  EXPECT_EQ(Writes(), writes);
  EXPECT_TRUE(engine.BecomesInSync(1));
  EXPECT_GT(Writes(), writes);
  EXPECT_FALSE(state_.Has("pause.json"));
}

TEST_F(EnginePauseTest, RefusesChangesMeanwhileAndSaysHowToGoOn) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Pause(minutes(10), "alice", "by hand"));
  Spec next = TwoUplinkSpec();
  next.revision = "next";
  for (const std::optional<Error>& error :
       {std::optional(engine->Apply({.spec = next}).error()),
        std::optional(engine->Drain("wan1", std::nullopt, kClient).error()),
        std::optional(engine->Undrain("wan1", kClient).error()),
        std::optional(engine->CleanUp(false, kClient).error())}) {
    EXPECT_EQ(error->code, ErrorCode::kFailedPrecondition);
    EXPECT_THAT(error->message, HasSubstr("by alice: by hand; `uplinkctl "
                                          "resume` ends that"));
  }
  EXPECT_EQ(engine->bulletin().status()->generation(), 1U);
  EXPECT_TRUE(engine->CleanUp(true, kClient));
  EXPECT_TRUE(engine->Diff(next));
}

// Else the spec before could not return.
TEST_F(EnginePauseTest, DoesNotBeginWhileASpecWaitsToBeConfirmed) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Spec next = TwoUplinkSpec();
  next.revision = "next";
  ASSERT_TRUE(engine->Apply(
      {.spec = next, .confirm = ConfirmTerms{"night", minutes(10)}}));
  const auto pause = engine->Pause(minutes(1), "alice", "");
  EXPECT_EQ(pause.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(pause.error().message, HasSubstr("uplinkctl confirm night"));
  ASSERT_TRUE(engine->Confirm("night", "alice"));
  EXPECT_TRUE(engine->Pause(minutes(1), "alice", ""));
}

// Nobody would look at a file twice.
TEST_F(EnginePauseTest, FollowsAFileThatChangedMeanwhileAfterwards) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Pause(minutes(10), "alice", ""));
  const std::size_t writes = Writes();
  Spec next = TwoUplinkSpec();
  next.balance.algorithm = Algorithm::kWeightedRandom;
  engine->FollowFile("router.yaml", next);
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return status.generation() == 2; }));
  ASSERT_TRUE(Sees(engine));
  EXPECT_EQ(Writes(), writes);
  ASSERT_TRUE(engine->Resume("alice"));
  EXPECT_TRUE(engine.BecomesInSync(2));
}

// It removes what is ours, which a pause forbids.
TEST_F(EnginePauseTest, AnEmptyFileIsFollowedAfterwardsToo) {
  RunningEngine engine(OptionsFor(machine_, state_.path()));
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Pause(minutes(10), "alice", ""));
  engine->FollowFile("router.yaml", std::nullopt);
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Accepted") == "Paused";
  }));
  ASSERT_TRUE(engine->Get());
  ASSERT_TRUE(engine->Resume("alice"));
  EXPECT_EQ(engine->Get().error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(engine->CleanUp(true, kClient)->plan.Empty());
}

// Else a router that is paused would never be up for its service manager.
TEST_F(EnginePauseTest, IsReadyThoughNotInSync) {
  {
    RunningEngine engine(OptionsFor(machine_, state_.path()));
    ASSERT_NO_FATAL_FAILURE(Begin(engine));
    ASSERT_TRUE(engine->Pause(minutes(10), "alice", ""));
  }
  Disturb();
  std::promise<void> ready;
  EngineOptions options = OptionsFor(machine_, state_.path());
  options.ready = [&ready] { ready.set_value(); };
  RunningEngine next(std::move(options));
  next->Restore();
  next.Start();
  EXPECT_EQ(ready.get_future().wait_for(std::chrono::seconds(5)),
            std::future_status::ready);
}

TEST_F(EnginePauseTest, OutlivesARestart) {
  {
    RunningEngine engine(OptionsFor(machine_, state_.path()));
    ASSERT_NO_FATAL_FAILURE(Begin(engine));
    ASSERT_TRUE(engine->Pause(minutes(10), "alice", ""));
  }
  const std::size_t writes = Writes();
  Disturb();
  RunningEngine next(OptionsFor(machine_, state_.path()));
  next->Restore();
  next.Start();
  ASSERT_TRUE(Sees(next));
  EXPECT_EQ(Writes(), writes);
  ASSERT_TRUE(next->Resume("alice"));
  EXPECT_TRUE(next.BecomesInSync(1));
}

}  // namespace
}  // namespace uplinkd
