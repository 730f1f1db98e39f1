#include "agent/spec_ledger.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

Result<SpecLedger::Accepted> Take(SpecLedger& ledger, const Spec& spec,
                                  std::uint64_t expected_generation = 0) {
  return ledger.Accept({spec, expected_generation},
                       SpecLedger::Durability::kRequired, Moment{});
}

class SpecLedgerTest : public ::testing::Test {
 protected:
  SpecLedger Open() { return SpecLedger(SpecStore(directory_.path())); }
  TemporaryDirectory directory_;
};

// TwoUplinkSpec with the ids left to the ledger.
Spec WithoutIds() {
  Spec spec = TwoUplinkSpec();
  for (Uplink& uplink : spec.uplinks) uplink.id = 0;
  return spec;
}

TEST_F(SpecLedgerTest, GenerationsGrowByOnePerDifferentSpec) {
  SpecLedger ledger = Open();
  EXPECT_EQ(ledger.generation(), 0U);
  Spec spec = WithoutIds();
  EXPECT_EQ(Take(ledger, spec)->generation, 1U);
  EXPECT_TRUE(Take(ledger, spec, 1)->unchanged);
  spec.revision = "other";
  const auto second = Take(ledger, spec, 1);
  EXPECT_EQ(second->generation, 2U);
  EXPECT_FALSE(second->unchanged);
}

TEST_F(SpecLedgerTest, IdsFollowTheNamesWhateverTheOrder) {
  SpecLedger ledger = Open();
  Spec spec = WithoutIds();
  ASSERT_TRUE(Take(ledger, spec));
  std::swap(spec.uplinks[0], spec.uplinks[1]);
  Uplink inserted = spec.uplinks[0];
  inserted.name = inserted.interface = "aaa";
  spec.uplinks.insert(spec.uplinks.begin(), inserted);
  ASSERT_TRUE(Take(ledger, spec));
  const std::vector<Uplink>& uplinks = ledger.current()->spec.uplinks;
  EXPECT_EQ(uplinks[0].id, 3U);
  EXPECT_EQ(uplinks[1].id, 2U);  // wan2
  EXPECT_EQ(uplinks[2].id, 1U);  // wan1
}

TEST_F(SpecLedgerTest, IdsOfUplinksThatWereGoneComeBackAfterARestart) {
  {
    SpecLedger ledger = Open();
    Spec spec = WithoutIds();
    ASSERT_TRUE(Take(ledger, spec));
    spec.uplinks.erase(spec.uplinks.begin());  // wan1, id 1
    ASSERT_TRUE(Take(ledger, spec));
  }
  SpecLedger ledger = Open();
  ASSERT_TRUE(ledger.Restore());
  EXPECT_EQ(ledger.generation(), 2U);
  EXPECT_EQ(ledger.current()->spec.uplinks[0].id, 2U);
  EXPECT_EQ(ledger.Prepare(WithoutIds()).uplinks[0].id, 1U);
}

TEST_F(SpecLedgerTest, ForgettingStartsFromNothing) {
  SpecLedger ledger = Open();
  ASSERT_TRUE(Take(ledger, WithoutIds()));
  ASSERT_TRUE(ledger.Forget());
  EXPECT_EQ(ledger.current(), nullptr);
  EXPECT_NE(ledger.why_none(), "");
  SpecLedger next = Open();
  ASSERT_TRUE(next.Restore());
  EXPECT_EQ(next.current(), nullptr);
}

TEST_F(SpecLedgerTest, ATornFileLeavesItWithoutASpecAndAReason) {
  directory_.Write("spec.json", "{");
  SpecLedger ledger = Open();
  const auto restored = ledger.Restore();
  ASSERT_FALSE(restored);
  EXPECT_EQ(ledger.current(), nullptr);
  EXPECT_EQ(ledger.why_none(), restored.error().message);
  // A new spec is welcome, and starts over.
  EXPECT_EQ(Take(ledger, WithoutIds())->generation, 1U);
}

TEST_F(SpecLedgerTest, GenerationsGoOnFromThoseThatAreRemembered) {
  SpecLedger ledger = Open();
  ledger.StartAfter(37);
  EXPECT_EQ(ledger.generation(), 0U);
  EXPECT_EQ(Take(ledger, WithoutIds())->generation, 38U);
}

class FullDisk : public SpecLedgerTest {
 protected:
  // A file stands where the directory should be.
  FullDisk() { directory_.Write("state", "in the way"); }
  void MakeRoom() { std::filesystem::remove(directory_ / "state"); }
  SpecLedger Another() { return SpecLedger(SpecStore(directory_ / "state")); }
  static Result<SpecLedger::Accepted> TakeFile(SpecLedger& ledger) {
    return ledger.Accept({.spec = WithoutIds(), .from = "router.yaml"},
                         SpecLedger::Durability::kWanted, Moment{});
  }
};

TEST_F(FullDisk, WhatAFileSaysIsFollowedAndSavedLater) {
  SpecLedger ledger = Another();
  ASSERT_TRUE(TakeFile(ledger));
  EXPECT_EQ(ledger.generation(), 1U);
  ASSERT_TRUE(ledger.unsaved());
  EXPECT_FALSE(ledger.SaveAgain());
  MakeRoom();
  EXPECT_TRUE(ledger.SaveAgain());
  EXPECT_FALSE(ledger.unsaved());
  SpecLedger next = Another();
  ASSERT_TRUE(next.Restore());
  EXPECT_EQ(next.generation(), 1U);
}

// An answer is a promise, also about a spec that is followed already.
TEST_F(FullDisk, NoClientIsToldThatASpecIsKeptWhichIsNot) {
  SpecLedger ledger = Another();
  ASSERT_TRUE(TakeFile(ledger));
  EXPECT_FALSE(Take(ledger, WithoutIds()));
  MakeRoom();
  const auto taken = Take(ledger, WithoutIds());
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_TRUE(taken->unchanged);
  SpecLedger next = Another();
  ASSERT_TRUE(next.Restore());
  EXPECT_EQ(next.generation(), 1U);
}

TEST_F(FullDisk, ARefusedSpecLeavesNothingToBeSaved) {
  SpecLedger ledger = Another();
  EXPECT_FALSE(Take(ledger, WithoutIds()));
  EXPECT_EQ(ledger.current(), nullptr);
  MakeRoom();
  EXPECT_TRUE(ledger.SaveAgain());
  EXPECT_FALSE(directory_.Has("state"));
}

}  // namespace
}  // namespace uplinkd
