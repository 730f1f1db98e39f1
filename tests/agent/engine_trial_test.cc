// What a spec that waits to be confirmed must not cost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/engine.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/fake_probes.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::minutes;
using testing::ConditionReason;
using testing::FakeMachine;
using testing::FakeProbes;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

Offer OnTrial(Spec spec, std::vector<Probe> checks = {}) {
  return {.spec = std::move(spec),
          .from = "anna",
          .confirm = ConfirmTerms{"trial", minutes(10), std::move(checks)}};
}

Spec OnlyWan1() {
  Spec spec = TwoUplinkSpec();
  spec.uplinks.pop_back();
  return spec;
}

class EngineTrialTest : public ::testing::Test {
 protected:
  EngineOptions Options() {
    EngineOptions options = OptionsFor(machine_, state_.path());
    options.start_probe = probes_.Starter();
    return options;
  }
  // Generation 1 is in sync.
  static void Begin(RunningEngine& engine) {
    engine.Start();
    ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
    ASSERT_TRUE(engine.BecomesInSync(1));
  }

  FakeMachine machine_;
  FakeProbes probes_;
  TemporaryDirectory state_;
};

// Somebody works on that line.
TEST_F(EngineTrialTest, ADrainIsThereAgainWithTheUplink) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Drain("wan2", std::nullopt, kClient));
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
  ASSERT_TRUE(engine->CancelConfirm("trial", "anna"));
  EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
    return status.uplinks_size() == 2 &&
           status.uplinks(1).phase() == "Draining";
  }));
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
  ASSERT_TRUE(engine->Confirm("trial", "anna"));
  EXPECT_THAT(state_.Read("drains.json"), Not(HasSubstr("wan2")));
}

// Whoever came in by it is gone, and cannot say so.
TEST_F(EngineTrialTest, DoesNotConfirmItselfIfItCostsAnUplink) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Spec mistyped = TwoUplinkSpec();
  mistyped.uplinks[1].interface = "wan22";
  ASSERT_TRUE(engine->Apply(OnTrial(mistyped, {ArpProbe{}})));
  EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
    return status.pending_confirm().checks_fault() ==
           "wan2 was ready before this spec, and is not now";
  }));
  ASSERT_TRUE(engine->CancelConfirm("trial", "anna"));
  // One that the spec does without is meant to go.
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1(), {ArpProbe{}})));
  EXPECT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return !status.has_pending_confirm(); }));
  EXPECT_EQ(engine->Get()->spec.uplinks.size(), 1U);
}

TEST_F(EngineTrialTest, AFileThatWasEmptiedMeanwhileIsFollowedAtItsEnd) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
  engine->FollowFile("router.yaml", std::nullopt);
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Accepted") == "ConfirmPending";
  }));
  ASSERT_TRUE(engine->Get());
  ASSERT_TRUE(engine->Confirm("trial", "anna"));
  EXPECT_EQ(engine->Get().error().code, ErrorCode::kNotFound);
}

// A file that was read again has nothing new to ask for.
TEST_F(EngineTrialTest,
       AFileThatIsAsItWasDoesNotTakeThePlaceOfWhatIsConfirmed) {
  RunningEngine engine(Options());
  engine.Start();
  engine->FollowFile("router.yaml", TwoUplinkSpec());
  ASSERT_TRUE(engine.BecomesInSync(1));
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
  engine->FollowFile("router.yaml", TwoUplinkSpec());
  ASSERT_TRUE(engine->Confirm("trial", "anna"));
  EXPECT_EQ(engine->Get()->spec.uplinks.size(), 1U);
  engine->FollowFile("router.yaml", TwoUplinkSpec());
  EXPECT_EQ(engine->Get()->spec.uplinks.size(), 1U);
}

TEST_F(EngineTrialTest, DamagedItIsNotConfirmedInTime) {
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Begin(engine));
    ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
    ASSERT_TRUE(engine.BecomesInSync(2));
  }
  state_.Write("spec.json", "{\"half\": ");
  RunningEngine next(Options());
  ASSERT_TRUE(next->Restore());
  next.Start();
  ASSERT_TRUE(next.BecomesInSync(3));
  EXPECT_EQ(next->Get()->spec.uplinks.size(), 2U);
  EXPECT_EQ(ConditionReason(*next->bulletin().status(), "ConfirmPending"),
            "RolledBack");
  const auto history = next->History({});
  ASSERT_TRUE(history);
  EXPECT_EQ(history->entries(1).outcome(), "rolled-back");
  EXPECT_TRUE(state_.Has("spec.json.corrupt"));
}

// What was never confirmed is nothing to go back to.
TEST_F(EngineTrialTest, IsNoneToRollBackTo) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  ASSERT_TRUE(engine->Apply(OnTrial(OnlyWan1())));
  ASSERT_TRUE(engine->CancelConfirm("trial", "anna"));
  EXPECT_FALSE(engine->Recall(0));
}

}  // namespace
}  // namespace uplinkd
