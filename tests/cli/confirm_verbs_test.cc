// apply --confirm-within, confirm, cancel, history and rollback, against an
// agent whose answers are scripted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class ConfirmVerbsTest : public ScriptedAgentTest {
 protected:
  ConfirmVerbsTest() {
    Write("office.yaml", kGoodSpec);
    agent_.apply.set_generation(8);
    agent_.apply.set_in_sync(true);
    v1::ConfirmStatus& confirm = *agent_.apply.mutable_pending_confirm();
    confirm.set_id("night");
    confirm.set_generation(8);
    confirm.set_return_to(7);
    confirm.mutable_deadline()->set_seconds(1764000000);
  }
};

TEST_F(ConfirmVerbsTest, ApplySaysWhatIsToBeDoneNext) {
  const auto result =
      Ask("apply -f office.yaml --confirm-within 10m --confirm-id night");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(agent_.apply_request.confirm_within().seconds(), 600);
  EXPECT_EQ(agent_.apply_request.confirm_id(), "night");
  EXPECT_THAT(result.out, AllOf(HasSubstr("generation 7 at 2025-11-24T16:00"),
                                HasSubstr("  uplinkctl confirm night\n"),
                                HasSubstr("  uplinkctl cancel night")));
}

TEST_F(ConfirmVerbsTest, ApplyMakesAnIdOfItsOwn) {
  ASSERT_EQ(Ask("apply -f office.yaml --confirm-within 1m").exit_code, 0);
  const std::string first = agent_.apply_request.confirm_id();
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{8}"));
  ASSERT_EQ(Ask("apply -f office.yaml --confirm-within 1m").exit_code, 0);
  EXPECT_NE(agent_.apply_request.confirm_id(), first);
}

TEST_F(ConfirmVerbsTest, TheIdIsKnownEvenIfTheAnswerIsLost) {
  agent_.status = {grpc::INTERNAL, "RST_STREAM"};
  for (const char* verb : {"apply -f office.yaml", "rollback"}) {
    const auto result = Ask(std::string(verb) + " --confirm-within 1m");
    EXPECT_EQ(result.exit_code, 3) << verb;
    EXPECT_EQ(result.out, "") << verb;
    const std::string id = std::string(verb) == "rollback"
                               ? agent_.rollback_request.confirm_id()
                               : agent_.apply_request.confirm_id();
    EXPECT_EQ(result.err,
              "the id to confirm by is " + id +
                  "\nuplinkctl: the answer was lost (RST_STREAM), and the "
                  "request may have been done: see \"uplinkctl status\"\n")
        << verb;
  }
  agent_.status = grpc::Status::OK;
  EXPECT_EQ(Ask("apply -f office.yaml --confirm-within 1m --dry-run").err, "");
}

// A script must not take it for armed.
TEST_F(ConfirmVerbsTest, ApplyFailsIfNothingWaitsToBeConfirmed) {
  agent_.apply.clear_pending_confirm();
  agent_.apply.set_unchanged(true);
  const auto result = Ask("apply -f office.yaml --confirm-within 10m");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("nothing waits to be confirmed"));
  EXPECT_EQ(Ask("apply -f office.yaml").exit_code, 0);
  // One that its checks have confirmed meanwhile was armed.
  agent_.apply.set_unchanged(false);
  EXPECT_EQ(Ask("apply -f office.yaml --confirm-within 10m").exit_code, 0);
}

TEST_F(ConfirmVerbsTest, ApplyWithoutItAsksForNothingOfTheKind) {
  ASSERT_EQ(Ask("apply -f office.yaml --expect-generation 7").exit_code, 0);
  EXPECT_FALSE(agent_.apply_request.has_confirm_within());
  EXPECT_EQ(agent_.apply_request.confirm_id(), "");
  EXPECT_EQ(agent_.apply_request.expected_generation(), 7U);
}

TEST_F(ConfirmVerbsTest, ApplyHandsOnItsChecks) {
  const auto result =
      Ask("apply -f office.yaml --confirm-within 1m --confirm-check gateway "
          "--confirm-check tcp:192.0.2.7:443 --confirm-check ping:192.0.2.8 "
          "--confirm-check dns:example.net@192.0.2.53");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto& checks = agent_.apply_request.confirm_checks();
  ASSERT_EQ(checks.size(), 4);
  EXPECT_EQ(checks[0].arp(), "gateway");
  EXPECT_EQ(checks[1].tcp(), "192.0.2.7:443");
  EXPECT_EQ(checks[2].icmp(), "192.0.2.8");
  EXPECT_EQ(checks[3].dns().name(), "example.net");
  EXPECT_EQ(checks[3].dns().server(), "192.0.2.53");
}

TEST_F(ConfirmVerbsTest, ApplyRefusesChecksThatAreNone) {
  const auto result =
      Ask("apply -f office.yaml --confirm-within 1m --confirm-check smtp:x");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("tcp:ADDRESS:PORT"));
  EXPECT_EQ(Ask("apply -f office.yaml --confirm-check gateway").exit_code, 2);
  EXPECT_EQ(Ask("apply -f office.yaml --confirm-id night").exit_code, 2);
}

TEST_F(ConfirmVerbsTest, ConfirmKeepsWhatItIsTold) {
  agent_.confirm.set_generation(8);
  const auto result = Ask("confirm night");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "generation 8 is confirmed\n");
  EXPECT_EQ(agent_.confirm_request.id(), "night");
  EXPECT_FALSE(agent_.confirm_request.has_extend());
}

TEST_F(ConfirmVerbsTest, ConfirmWithoutAnIdMeansWhicheverWaits) {
  agent_.status_response.mutable_status()->mutable_pending_confirm()->set_id(
      "7f3a");
  ASSERT_EQ(Ask("confirm").exit_code, 0);
  EXPECT_EQ(agent_.confirm_request.id(), "7f3a");
  ASSERT_EQ(Ask("cancel").exit_code, 0);
  EXPECT_EQ(agent_.cancel_request.id(), "7f3a");
}

TEST_F(ConfirmVerbsTest, ConfirmExtends) {
  agent_.confirm.set_generation(8);
  agent_.confirm.mutable_deadline()->set_seconds(1764000000);
  const auto result = Ask("confirm night --extend 30m");
  EXPECT_EQ(agent_.confirm_request.extend().seconds(), 1800);
  EXPECT_EQ(result.out, "generation 8 waits until 2025-11-24T16:00:00Z\n");
}

TEST_F(ConfirmVerbsTest, SaysWhyTheAgentRefuses) {
  agent_.status = {grpc::FAILED_PRECONDITION, "no spec waits"};
  const auto result = Ask("confirm night");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "uplinkctl: no spec waits\n");
}

TEST_F(ConfirmVerbsTest, CancelSaysWhatIsFollowedNow) {
  agent_.cancel.set_generation(9);
  const auto result = Ask("cancel night");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "the spec before is followed again, as generation 9\n");
}

TEST_F(ConfirmVerbsTest, HistoryListsTheSpecs) {
  v1::HistoryEntry& entry = *agent_.history.add_entries();
  entry.set_generation(8);
  entry.mutable_time()->set_seconds(1764000000);
  entry.set_from("anna");
  entry.set_name("office");
  entry.set_outcome("rolled-back");
  entry.set_note("back to generation 5");
  const auto table = Ask("history");
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("2025-11-24T16:00:00Z"),
                               HasSubstr("anna"), HasSubstr("rolled-back"),
                               HasSubstr("back to generation 5")));
  EXPECT_THAT(Ask("history -o json").out, HasSubstr("\"rolled-back\""));
  EXPECT_THAT(Ask("history -o yaml").out, HasSubstr("outcome: rolled-back"));
}

TEST_F(ConfirmVerbsTest, GenerationsCountFromOne) {
  for (const char* verb :
       {"rollback --to", "rollback --expect-generation", "diff --from",
        "apply -f office.yaml --expect-generation",
        "apply -f office.yaml --expected-generation"}) {
    for (const char* number :
         {"0", "-1", "1.5", "x", "''", "18446744073709551616"}) {
      const auto result = Ask(std::string(verb) + " " + number);
      EXPECT_EQ(result.exit_code, 2) << verb << " " << number;
      EXPECT_EQ(result.out, "");
      EXPECT_THAT(result.err, HasSubstr("is no generation; they count from 1"));
    }
  }
  EXPECT_EQ(agent_.rollback_request.ByteSizeLong(), 0U);
  EXPECT_EQ(agent_.apply_request.ByteSizeLong(), 0U);
}

TEST_F(ConfirmVerbsTest, RollbackAsksForThatGeneration) {
  const auto result = Ask("rollback --to 5 --confirm-within 10m --wait 0s");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(agent_.rollback_request.to_generation(), 5U);
  EXPECT_EQ(agent_.rollback_request.confirm_within().seconds(), 600);
  EXPECT_THAT(result.out, HasSubstr("uplinkctl confirm night"));
  ASSERT_EQ(Ask("rollback --dry-run").exit_code, 0);
  EXPECT_EQ(agent_.rollback_request.to_generation(), 0U);
  EXPECT_TRUE(agent_.rollback_request.dry_run());
}

TEST_F(ConfirmVerbsTest, DiffComparesWithAGeneration) {
  EXPECT_EQ(Ask("diff --from 5").exit_code, 0);
  EXPECT_EQ(agent_.diff_request.from_generation(), 5U);
}

}  // namespace
}  // namespace uplinkd
