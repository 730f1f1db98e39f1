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

template <typename Counts>
std::uint64_t SumOf(const Counts& counts) {
  std::uint64_t sum = 0;
  for (const auto& [labels, count] : counts) sum += count;
  return sum;
}

// A series that appears with a 1 is no increase.
TEST(Tally, CountsFromZeroWhatMayHappen) {
  const MetricsSnapshot snapshot = SnapshotOf(Tally());
  EXPECT_EQ(snapshot.passes.at(Labels("failed", "retry")), 0U);
  EXPECT_EQ(snapshot.passes.at(Labels("changed", "drain")), 0U);
  EXPECT_EQ(snapshot.operations.at({"jump", "create", "failed"}), 0U);
  EXPECT_EQ(snapshot.operations.at({"route", "replace", "conflict"}), 0U);
  EXPECT_EQ(snapshot.errors.at(Labels("read", "deadline-exceeded")), 0U);
  EXPECT_EQ(snapshot.errors.at(Labels("remove", "permission-denied")), 0U);
  EXPECT_EQ(snapshot.rollbacks.at("timeout"), 0U);
  // Each is a line of every scrape.
  EXPECT_LE(snapshot.passes.size() + snapshot.operations.size() +
                snapshot.errors.size(),
            150U);
}

TEST(Tally, CountsAddNoSeriesToThoseThatAreThere) {
  Tally tally;
  const std::size_t before = SnapshotOf(tally).operations.size();
  const Report report = TwoSteps(StepResult::kDone, StepResult::kFailed);
  tally.Count(report, DeedsOf(report), {}, Trigger::kDrain);
  const MetricsSnapshot snapshot = SnapshotOf(tally);
  EXPECT_EQ(snapshot.operations.size(), before);
  EXPECT_EQ(snapshot.passes.size(), SnapshotOf(Tally()).passes.size());
  EXPECT_EQ(SumOf(snapshot.operations), 2U);
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
  EXPECT_EQ(SumOf(snapshot.errors), 2U);
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
