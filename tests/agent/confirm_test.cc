#include "agent/confirm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/confirm_wire.h"
#include "agent/moment.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::TwoUplinkSpec;

Moment BeginOfAll() {
  return {std::chrono::system_clock::time_point(hours(500000)), hours(7),
          "boot1"};
}

PendingConfirm Pending() {
  return {{"night", minutes(10)}, BeginOfAll(), 7, TwoUplinkSpec()};
}

// So much later; by the clock on the wall, by that of the boot.
Moment Later(nanoseconds wall, nanoseconds uptime,
             const std::string& boot = "boot1") {
  return {BeginOfAll().wall + wall, BeginOfAll().uptime + uptime, boot};
}

// ---- the time that is left ----

TEST(Confirm, WithinABootNoSettingOfTheClockMovesTheDeadline) {
  for (const auto& jump : {hours(-30000), hours(0), hours(30000)}) {
    EXPECT_EQ(TimeLeft(Pending(), Later(jump, minutes(4))), minutes(6));
    EXPECT_EQ(TimeLeft(Pending(), Later(jump, minutes(10))), nanoseconds(0));
    EXPECT_EQ(TimeLeft(Pending(), Later(jump, hours(10))), nanoseconds(0));
  }
}

TEST(Confirm, AfterARebootTheTimeOfDayCounts) {
  const nanoseconds young = -BeginOfAll().uptime + seconds(20);
  EXPECT_EQ(TimeLeft(Pending(), Later(minutes(3), young, "boot2")), minutes(7));
  EXPECT_EQ(TimeLeft(Pending(), Later(minutes(11), young, "boot2")),
            nanoseconds(0));
}

TEST(Confirm, AClockThatIsBeforeTheBeginningRollsBackAtOnce) {
  const nanoseconds young = -BeginOfAll().uptime + seconds(20);
  EXPECT_EQ(TimeLeft(Pending(), Later(seconds(-1), young, "boot2")),
            nanoseconds(0));
  EXPECT_EQ(TimeLeft(Pending(), {std::chrono::system_clock::time_point(),
                                 seconds(20), "boot2"}),
            nanoseconds(0));
}

TEST(Confirm, AfterARebootItNeverWaitsLongerThanItWasGiven) {
  EXPECT_EQ(TimeLeft(Pending(), Later(seconds(0), seconds(0), "boot2")),
            minutes(10));
}

TEST(Confirm, WithoutABootIdTheTimeOfDayCounts) {
  PendingConfirm pending = Pending();
  pending.since.boot = "";
  EXPECT_EQ(TimeLeft(pending, Later(minutes(1), minutes(9), "")), minutes(9));
}

TEST(Confirm, CountedFromAnotherBootItIsTheSameTimeThatIsLeft) {
  const Moment reboot{BeginOfAll().wall + minutes(3), seconds(20), "boot2"};
  const PendingConfirm counted = CountedFrom(Pending(), reboot);
  EXPECT_EQ(counted.since, reboot);
  EXPECT_EQ(TimeLeft(counted, reboot), minutes(7));
  // From now on by the clock of this boot.
  const Moment set{BeginOfAll().wall + hours(99), seconds(20) + minutes(2),
                   "boot2"};
  EXPECT_EQ(TimeLeft(counted, set), minutes(5));
}

TEST(Confirm, TheDeadlineIsTheClocksOwnHoweverItWasSet) {
  EXPECT_EQ(DeadlineOf(Pending(), Later(minutes(4), minutes(4))),
            BeginOfAll().wall + minutes(10));
  EXPECT_EQ(DeadlineOf(Pending(), Later(minutes(64), minutes(4))),
            BeginOfAll().wall + minutes(70));
}

TEST(Confirm, TheSystemsClocksGoOnAndKnowTheirBoot) {
  const Moment before = PresentMoment();
  const Moment after = PresentMoment();
  EXPECT_GE(after.uptime, before.uptime);
  EXPECT_GT(before.uptime, nanoseconds(0));
  EXPECT_EQ(before.boot.size(), 36U) << before.boot;
  EXPECT_EQ(before.boot, after.boot);
}

// ---- who may do what ----

Result<Contest> Judge(bool same_spec, bool from_file,
                      const std::optional<ConfirmTerms>& terms) {
  return JudgeContender(Pending(), {same_spec, from_file, terms},
                        WaitingWords(Pending(), 8, BeginOfAll()));
}

TEST(Confirm, TheSameSpecWithTheSameIdExtends) {
  EXPECT_EQ(Judge(true, false, ConfirmTerms{"night", minutes(1)}),
            Contest::kExtends);
}

TEST(Confirm, AFileThatStillHasTheSpecChangesNothing) {
  EXPECT_EQ(Judge(true, true, std::nullopt), Contest::kChangesNothing);
}

TEST(Confirm, AnythingElseIsRefusedWithWhatToDo) {
  const std::optional<ConfirmTerms> none;
  const std::optional<ConfirmTerms> same = ConfirmTerms{"night", minutes(1)};
  const std::optional<ConfirmTerms> other = ConfirmTerms{"day", minutes(1)};
  for (const auto& refused :
       {Judge(true, false, none), Judge(true, false, other),
        Judge(false, false, none), Judge(false, false, same),
        Judge(false, false, other), Judge(false, true, none)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("generation 8"), HasSubstr("10m"),
                      HasSubstr("`uplinkctl confirm night`"),
                      HasSubstr("`uplinkctl cancel night`"),
                      HasSubstr("generation 7")));
  }
}

TEST(Confirm, AnAnswerNeedsTheRightIdInTime) {
  const auto code = [](const Result<void>& answer) {
    return answer ? std::nullopt : std::optional(answer.error().code);
  };
  EXPECT_EQ(code(JudgeAnswer(Pending(), "night", BeginOfAll())), std::nullopt);
  EXPECT_EQ(code(JudgeAnswer(std::nullopt, "night", BeginOfAll())),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(code(JudgeAnswer(Pending(), "day", BeginOfAll())),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(JudgeAnswer(Pending(), "night", Later({}, minutes(10)))),
            ErrorCode::kFailedPrecondition);
}

TEST(Confirm, TermsHaveAPlainIdAndATimeThatMakesSense) {
  EXPECT_EQ(FaultOf({"git:3f2c-1_e.9", seconds(1)}), "");
  EXPECT_EQ(FaultOf({std::string(64, 'a'), hours(24)}), "");
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("--help"),
        std::string(65, 'a'), std::string("`x`")}) {
    EXPECT_THAT(FaultOf({id, minutes(1)}), HasSubstr("letters")) << id;
  }
  EXPECT_THAT(FaultOf({"a", milliseconds(999)}), HasSubstr("1s to 24h"));
  EXPECT_THAT(FaultOf({"a", hours(24) + milliseconds(1)}),
              HasSubstr("1s to 24h"));
  EXPECT_THAT(FaultOf({"a", minutes(1), std::vector<Probe>(17, ArpProbe{})}),
              HasSubstr("17 checks"));
}

// ---- what is held ----

TEST(Confirm, ContentIsTheSameWhateverItIsCalledAndWhoeverGaveTheIds) {
  const Spec ours = TwoUplinkSpec();
  Spec other = ours;
  other.revision = "git:next";
  other.name = "renamed";
  for (Uplink& uplink : other.uplinks) uplink.id = 0;
  EXPECT_TRUE(SameContent(ours, other));
  other.uplinks[0].weight = 77;
  EXPECT_FALSE(SameContent(ours, other));
  other = ours;
  other.uplinks[0].id = 9;
  EXPECT_FALSE(SameContent(ours, other));
}

TEST(Confirm, DurationsAreShort) {
  EXPECT_EQ(ShortDuration(milliseconds(90)), "90ms");
  EXPECT_EQ(ShortDuration(seconds(59)), "59s");
  EXPECT_EQ(ShortDuration(milliseconds(59999)), "1m");
  EXPECT_EQ(ShortDuration(minutes(10)), "10m");
  EXPECT_EQ(ShortDuration(hours(24)), "24h");
  EXPECT_EQ(ShortDuration(seconds(3600 + 62)), "1h1m2s");
}

// ---- the file's message ----

TEST(Confirm, ComesBackFromItsMessage) {
  PendingConfirm pending = Pending();
  pending.since.wall += nanoseconds(123456789);
  pending.terms.checks = {
      ArpProbe{}, TcpProbe{testing::Ip("198.51.100.7"), 443},
      DnsProbe{testing::Ip("198.51.100.53"), "example.net"}};
  const auto back = FromProto(ToProto(pending));
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(*back, pending);
}

TEST(Confirm, AFileMayNameAnyTime) {
  v1::StoredConfirm stored = ToProto(Pending());
  stored.mutable_since()->set_seconds(253402300799);  // the year 9999
  stored.mutable_uptime()->set_seconds(-315576000000);
  const auto back = FromProto(stored);
  ASSERT_TRUE(back) << back.error();
  EXPECT_EQ(TimeLeft(*back, BeginOfAll()), nanoseconds(0));
  EXPECT_EQ(TimeLeft(*back, {{}, {}, "boot2"}), nanoseconds(0));
  stored.mutable_within()->set_seconds(315576000000);
  EXPECT_FALSE(FromProto(stored)) << "nothing waits that long";
}

TEST(Confirm, ChecksAreRefusedWithTheirPlace) {
  google::protobuf::RepeatedPtrField<v1::Probe> checks;
  checks.Add()->set_arp("gateway");
  checks.Add()->set_tcp("198.51.100.7");
  const auto bad = ChecksFromProto(checks);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(bad.error().message, HasSubstr("confirm_checks.probes[1].tcp"));
  checks.RemoveLast();
  checks.Add()->mutable_dns()->set_server("198.51.100.53");
  EXPECT_THAT(ChecksFromProto(checks).error().message,
              HasSubstr("no host name"));
}

}  // namespace
}  // namespace uplinkd
