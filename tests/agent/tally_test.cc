#include "agent/tally.h"

#include <gtest/gtest.h>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using Labels = std::pair<std::string, std::string>;

// A pass that adds a rule and removes a route.
Report TwoSteps(StepResult first, StepResult second) {
  Report report;
  report.result = PassResult::kChanged;
  Step add;
  add.stage = Stage::kAddRules;
  add.change = AddRule{PolicyRule{}};
  Step remove;
  remove.stage = Stage::kRemoveRoutes;
  remove.change = RemoveRoute{Route{}};
  remove.cause = Cause::kExtra;
  report.plan.steps = {add, remove};
  report.outcomes = {{first, {}}, {second, {}}};
  report.durations[PassPhase::kObserve] = std::chrono::microseconds(300);
  return report;
}

MetricsSnapshot SnapshotOf(const Tally& tally) {
  MetricsSnapshot snapshot;
  tally.WriteTo(snapshot);
  return snapshot;
}

TEST(Tally, CountsPassesByResultAndTrigger) {
  Tally tally;
  tally.Count(Report{}, {}, {}, Trigger::kPoll);
  tally.Count(Report{}, {}, {}, Trigger::kPoll);
  tally.Count(Report{}, {}, {}, Trigger::kEvent);
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.passes.at(Labels("in-sync", "poll")), 2U);
  EXPECT_EQ(snapshot.passes.at(Labels("in-sync", "event")), 1U);
}

TEST(Tally, CountsOperationsByObjectOperationAndResult) {
  Tally tally;
  const Report report = TwoSteps(StepResult::kDone, StepResult::kFailed);
  tally.Count(report, DeedsOf(report), {}, Trigger::kSpec);
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.operations.at({"rule", "create", "done"}), 1U);
  EXPECT_EQ(snapshot.operations.at({"route", "remove", "failed"}), 1U);
  EXPECT_EQ(snapshot.pass_durations.at(PassPhase::kObserve).sum, 0.0003);
}

TEST(Tally, CountsRepairsOnlyIfTheyAreDriftAndDone) {
  Tally tally;
  const Report report = TwoSteps(StepResult::kFailed, StepResult::kDone);
  tally.Count(report, DeedsOf(report), {}, Trigger::kSpec);
  EXPECT_EQ(tally.corrections(), 0U);
  tally.Count(report, DeedsOf(report), DeedsOf(report), Trigger::kEvent);
  EXPECT_EQ(tally.corrections(), 1U);
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.corrections.size(), 1U);
  EXPECT_EQ(snapshot.corrections.at(Labels("route", "extra")), 1U);
}

TEST(Tally, CountsErrorsByOperationAndCode) {
  Tally tally;
  Report report = TwoSteps(StepResult::kFailed, StepResult::kDone);
  report.outcomes[0].error.code = ErrorCode::kPermissionDenied;
  tally.Count(report, DeedsOf(report), {}, Trigger::kSpec);
  Report failed;
  failed.failed_phase = PassPhase::kObserve;
  failed.error = Error{ErrorCode::kAborted, "changed under the read", 0};
  tally.Count(failed, {}, {}, Trigger::kRetry);
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.errors.size(), 2U);
  EXPECT_EQ(snapshot.errors.at(Labels("create", "permission-denied")), 1U);
  EXPECT_EQ(snapshot.errors.at(Labels("read", "aborted")), 1U);
}

TEST(Tally, CountsWhatWasNotMended) {
  const Report report = TwoSteps(StepResult::kSkipped, StepResult::kDone);
  const auto pending = PendingOf(DeedsOf(report));
  EXPECT_EQ(pending.size(), 1U);
  EXPECT_EQ(pending.at(Labels("rule", "missing")), 1U);
}

TEST(Tally, ForgetsUplinksThatAreGoneAndNoOther) {
  Tally tally;
  for (const char* uplink : {"wan1", "wan2"}) {
    tally.CountFailover(uplink);
    tally.CountCut(Cut{.uplink = uplink, .reason = CutReason::kFailover}, 3);
  }
  tally.Follow({"wan1", "wan3"});
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.failovers.size(), 1U);
  EXPECT_EQ(snapshot.failovers.at("wan1"), 1U);
  EXPECT_EQ(snapshot.connections_cut.size(), 1U);
  EXPECT_EQ(snapshot.connections_cut.at(Labels("wan1", "failover")), 3U);
}

TEST(Tally, ADryRunHasNoDeeds) {
  Report report = TwoSteps(StepResult::kDone, StepResult::kDone);
  report.outcomes.clear();
  EXPECT_TRUE(DeedsOf(report).empty());
}

}  // namespace
}  // namespace uplinkd
