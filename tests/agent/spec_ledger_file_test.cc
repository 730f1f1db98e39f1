// What the ledger makes of a file that is read again and again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/spec_ledger.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

constexpr auto kOfClient = SpecLedger::Durability::kRequired;
constexpr auto kOfFile = SpecLedger::Durability::kWanted;

// As the file says it: without ids.
Spec InFile(std::size_t uplinks, const std::string& revision) {
  Spec spec = testing::TwoUplinkSpec();
  spec.uplinks.resize(uplinks);
  for (Uplink& uplink : spec.uplinks) uplink.id = 0;
  spec.revision = revision;
  return spec;
}

class SpecLedgerFileTest : public ::testing::Test {
 protected:
  SpecLedger Open() {
    SpecLedger ledger{SpecStore(directory_.path())};
    EXPECT_TRUE(ledger.Restore());
    return ledger;
  }
  static Result<SpecLedger::Accepted> Read(SpecLedger& ledger,
                                           const Spec& spec) {
    return ledger.Accept({.spec = spec, .from = "/etc/r.yaml"}, kOfFile, {});
  }
  static Result<SpecLedger::Accepted> Apply(SpecLedger& ledger, Offer offer) {
    return ledger.Accept(offer, kOfClient, {});
  }

  testing::TemporaryDirectory directory_;
};

TEST_F(SpecLedgerFileTest, AFileThatIsAsItWasAsksForNothing) {
  {
    SpecLedger ledger = Open();
    ASSERT_TRUE(Read(ledger, InFile(2, "a")));
    ASSERT_TRUE(Apply(ledger, {InFile(1, "by hand")}));
  }
  SpecLedger ledger = Open();  // also after a restart
  const auto again = Read(ledger, InFile(2, "a"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(ledger.current()->spec.revision, "by hand");
  // A new revision of the same is news.
  EXPECT_FALSE(Read(ledger, InFile(2, "b"))->unchanged);
  EXPECT_EQ(ledger.current()->spec.revision, "b");
}

TEST_F(SpecLedgerFileTest, WhatAClientAppliedFirstIsTheFilesAsWell) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(Apply(ledger, {InFile(2, "a")}));
  EXPECT_TRUE(Read(ledger, InFile(2, "a"))->unchanged);
  ASSERT_TRUE(Apply(ledger, {InFile(1, "by hand")}));
  EXPECT_TRUE(Read(ledger, InFile(2, "a"))->unchanged);
  EXPECT_EQ(ledger.generation(), 2U);
}

TEST_F(SpecLedgerFileTest, ReadAgainDuringAWaitItDoesNotWaitForItsEnd) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(Read(ledger, InFile(2, "a")));
  ASSERT_TRUE(
      Apply(ledger, {.spec = InFile(1, "risky"),
                     .confirm = ConfirmTerms{"night", std::chrono::hours(1)}}));
  EXPECT_TRUE(Read(ledger, InFile(2, "a"))->unchanged);
  EXPECT_FALSE(Read(ledger, InFile(2, "b")));
}

TEST_F(SpecLedgerFileTest, WhatSomebodyWentBackFromIsHeld) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(Read(ledger, InFile(2, "a")));
  ASSERT_TRUE(Read(ledger, InFile(1, "b")));
  ASSERT_TRUE(Apply(ledger, {.spec = InFile(2, "a"), .back_to = 1}));
  // Whatever its revision.
  EXPECT_EQ(Read(ledger, InFile(1, "c")).error().code,
            ErrorCode::kFailedPrecondition);
  // Nothing that a client does ends that, unless it means the same.
  Spec third = InFile(2, "third");
  third.uplinks[0].capacity.download = 7'000'000;
  ASSERT_TRUE(Apply(ledger, {third}));
  SpecLedger next = Open();
  EXPECT_FALSE(Read(next, InFile(1, "c")));
  ASSERT_TRUE(Apply(ledger, {InFile(1, "d")}));
  EXPECT_FALSE(ledger.current()->held);
}

TEST_F(SpecLedgerFileTest, WhatIsHeldIsNoMoreOnceTheFileHadAnother) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(Read(ledger, InFile(2, "a")));
  ASSERT_TRUE(Read(ledger, InFile(1, "b")));
  ASSERT_TRUE(Apply(ledger, {.spec = InFile(2, "a"), .back_to = 1}));
  ASSERT_TRUE(Read(ledger, InFile(2, "c")));
  EXPECT_TRUE(Read(ledger, InFile(1, "b")));
}

TEST_F(SpecLedgerFileTest, ARefusedFirstSpecLeavesNothingToSave) {
  SpecLedger ledger = Open();
  std::filesystem::create_directory(directory_ / "spec.json.new");
  EXPECT_FALSE(Apply(ledger, {InFile(2, "a")}));
  EXPECT_EQ(ledger.current(), nullptr);
  EXPECT_FALSE(ledger.unsaved());
}

}  // namespace
}  // namespace uplinkd
