// The ledger while its spec waits to be confirmed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/spec_ledger.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

constexpr auto kRequired = SpecLedger::Durability::kRequired;
constexpr auto kWanted = SpecLedger::Durability::kWanted;

const Moment kNow{std::chrono::system_clock::time_point(hours(500000)),
                  hours(7), "boot1"};

Spec OtherSpec() {
  Spec spec = TwoUplinkSpec();
  spec.uplinks.pop_back();
  spec.revision = "other";
  return spec;
}

std::optional<ErrorCode> CodeOf(const Result<SpecLedger::Accepted>& accepted) {
  return accepted ? std::nullopt : std::optional(accepted.error().code);
}

class SpecLedgerConfirmTest : public ::testing::Test {
 protected:
  SpecLedger Open() {
    SpecLedger ledger{SpecStore(directory_.path())};
    EXPECT_TRUE(ledger.Restore());
    return ledger;
  }
  // Generation 1 holds; generation 2 waits.
  SpecLedger Waiting() {
    SpecLedger ledger = Open();
    EXPECT_TRUE(ledger.Accept({TwoUplinkSpec()}, kRequired, kNow));
    EXPECT_TRUE(ledger.Accept(Risky(), kRequired, kNow));
    return ledger;
  }
  static Offer Risky() {
    return {.spec = OtherSpec(),
            .from = "anna",
            .confirm = ConfirmTerms{"night", minutes(10)}};
  }
  // A directory that nothing can be written to any more.
  void BreakDisk() {
    std::filesystem::remove(directory_ / "spec.json.new");
    std::filesystem::create_directory(directory_ / "spec.json.new");
  }
  TemporaryDirectory directory_;
};

TEST_F(SpecLedgerConfirmTest, WhatReturnsIsOnDiskWithTheSpecItself) {
  { const SpecLedger ledger = Waiting(); }
  const SpecLedger ledger = Open();
  ASSERT_TRUE(ledger.pending());
  EXPECT_EQ(ledger.current()->spec, OtherSpec());
  EXPECT_EQ(ledger.current()->origin.from, "anna");
  EXPECT_EQ(ledger.pending()->return_spec, TwoUplinkSpec());
  EXPECT_EQ(ledger.pending()->return_generation, 1U);
  EXPECT_EQ(TimeLeft(*ledger.pending(), kNow), minutes(10));
}

TEST_F(SpecLedgerConfirmTest, NeedsSomethingToReturnTo) {
  SpecLedger ledger = Open();
  const auto first = ledger.Accept(Risky(), kRequired, kNow);
  EXPECT_EQ(CodeOf(first), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(first.error().message, HasSubstr("no spec yet"));
  EXPECT_EQ(ledger.current(), nullptr);
}

TEST_F(SpecLedgerConfirmTest, TheSameSpecAsBeforeHasNothingToWaitFor) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(ledger.Accept({TwoUplinkSpec()}, kRequired, kNow));
  Offer same = Risky();
  same.spec = TwoUplinkSpec();
  EXPECT_TRUE(ledger.Accept(same, kRequired, kNow)->unchanged);
  EXPECT_FALSE(ledger.pending());
}

TEST_F(SpecLedgerConfirmTest, ConfirmedItStaysForGood) {
  {
    SpecLedger ledger = Waiting();
    ASSERT_TRUE(ledger.Confirm());
  }
  const SpecLedger ledger = Open();
  EXPECT_FALSE(ledger.pending());
  EXPECT_EQ(ledger.generation(), 2U);
  EXPECT_EQ(ledger.current()->spec, OtherSpec());
}

TEST_F(SpecLedgerConfirmTest, RolledBackTheOldSpecIsANewGeneration) {
  {
    SpecLedger ledger = Waiting();
    ASSERT_TRUE(ledger.RollBack({kNow.wall, "uplinkd", "why"}));
  }
  const SpecLedger ledger = Open();
  EXPECT_FALSE(ledger.pending());
  EXPECT_EQ(ledger.generation(), 3U);
  EXPECT_EQ(ledger.current()->spec, TwoUplinkSpec());
  EXPECT_EQ(ledger.current()->held, OtherSpec());
  EXPECT_EQ(ledger.current()->origin.note, "why");
}

TEST_F(SpecLedgerConfirmTest, RollsBackEvenIfTheDiskIsBroken) {
  SpecLedger ledger = Waiting();
  BreakDisk();
  EXPECT_FALSE(ledger.RollBack({kNow.wall, "uplinkd", ""}));
  EXPECT_EQ(ledger.current()->spec, TwoUplinkSpec());
  EXPECT_FALSE(ledger.pending());
  // The next run finds it as it was, and comes to the same end.
  EXPECT_TRUE(Open().pending());
}

TEST_F(SpecLedgerConfirmTest, IsNotConfirmedIfTheDiskIsBroken) {
  SpecLedger ledger = Waiting();
  BreakDisk();
  EXPECT_FALSE(ledger.Confirm());
  EXPECT_TRUE(ledger.pending());
}

TEST_F(SpecLedgerConfirmTest, TheSameAgainExtends) {
  SpecLedger ledger = Waiting();
  const Moment later{kNow.wall + minutes(9), kNow.uptime + minutes(9), "boot1"};
  const auto again = ledger.Accept(Risky(), kRequired, later);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  EXPECT_TRUE(again->extended);
  EXPECT_EQ(again->generation, 2U);
  EXPECT_EQ(TimeLeft(*Open().pending(), later), minutes(10));
  EXPECT_EQ(Open().pending()->return_spec, TwoUplinkSpec());
}

TEST_F(SpecLedgerConfirmTest, NothingElseTakesItsPlace) {
  SpecLedger ledger = Waiting();
  Offer other_id = Risky();
  other_id.confirm->id = "day";
  Offer bad_terms = Risky();
  bad_terms.confirm->within = seconds(0);
  EXPECT_EQ(CodeOf(ledger.Accept({TwoUplinkSpec()}, kRequired, kNow)),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(ledger.Accept({TwoUplinkSpec()}, kWanted, kNow)),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(ledger.Accept({OtherSpec()}, kRequired, kNow)),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(ledger.Accept(other_id, kRequired, kNow)),
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(CodeOf(ledger.Accept(bad_terms, kRequired, kNow)),
            ErrorCode::kInvalidArgument);
  // Who knows of the wrong generation learns that first.
  EXPECT_EQ(CodeOf(ledger.Accept({TwoUplinkSpec(), 1}, kRequired, kNow)),
            ErrorCode::kAborted);
  EXPECT_EQ(CodeOf(ledger.Accept({OtherSpec()}, kWanted, kNow)), std::nullopt);
  EXPECT_TRUE(ledger.pending());
  EXPECT_EQ(ledger.generation(), 2U);
}

TEST_F(SpecLedgerConfirmTest, InAnotherBootItIsCountedAnew) {
  SpecLedger ledger = Waiting();
  const Moment reboot{kNow.wall + minutes(4), seconds(9), "boot2"};
  ASSERT_TRUE(ledger.Recount(reboot));
  EXPECT_EQ(ledger.pending()->since, reboot);
  EXPECT_EQ(Open().pending()->since, reboot);
  EXPECT_EQ(TimeLeft(*Open().pending(), reboot), minutes(6));
}

// ---- what is held ----

TEST_F(SpecLedgerConfirmTest, NoFileBringsBackWhatIsHeld) {
  {
    SpecLedger ledger = Waiting();
    ASSERT_TRUE(ledger.RollBack({kNow.wall, "uplinkd", ""}));
  }
  SpecLedger ledger = Open();
  Spec same = OtherSpec();
  same.revision = "a commit that changed nothing here";
  for (Uplink& uplink : same.uplinks) uplink.id = 0;
  const auto from_file =
      ledger.Accept({.spec = same, .from = "/etc/r.yaml"}, kWanted, kNow);
  EXPECT_EQ(CodeOf(from_file), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(from_file.error().message,
              HasSubstr("`uplinkctl apply -f /etc/r.yaml`"));
  EXPECT_EQ(ledger.generation(), 3U);
}

TEST_F(SpecLedgerConfirmTest, AClientMayTakeWhatIsHeld) {
  SpecLedger ledger = Waiting();
  ASSERT_TRUE(ledger.RollBack({kNow.wall, "uplinkd", ""}));
  EXPECT_EQ(ledger.Accept({OtherSpec()}, kRequired, kNow)->generation, 4U);
  EXPECT_FALSE(ledger.current()->held);
}

TEST_F(SpecLedgerConfirmTest, AnotherSpecEndsTheHold) {
  SpecLedger ledger = Waiting();
  ASSERT_TRUE(ledger.RollBack({kNow.wall, "uplinkd", ""}));
  Spec third = TwoUplinkSpec();
  third.revision = "third";
  ASSERT_TRUE(ledger.Accept({third}, kWanted, kNow));
  EXPECT_TRUE(ledger.Accept({OtherSpec()}, kWanted, kNow));
}

TEST_F(SpecLedgerConfirmTest, IdsAreThoseOfBeforeAndNoneIsGivenAway) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(ledger.Accept({TwoUplinkSpec()}, kRequired, kNow));
  Offer risky = Risky();
  Uplink third = risky.spec.uplinks[0];
  third.name = third.interface = "wan3";
  third.id = 0;
  risky.spec.uplinks.push_back(third);
  ASSERT_TRUE(ledger.Accept(risky, kRequired, kNow));
  EXPECT_EQ(ledger.current()->spec.uplinks[1].id, 3U);
  ASSERT_TRUE(ledger.RollBack({kNow.wall, "uplinkd", ""}));
  EXPECT_EQ(ledger.current()->spec, TwoUplinkSpec());
  EXPECT_EQ(ledger.current()->ids.at("wan3"), 3U);
}

}  // namespace
}  // namespace uplinkd
