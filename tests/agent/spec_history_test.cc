#include "agent/spec_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

StoredSpec Stored(std::uint64_t generation, const std::string& revision = "") {
  StoredSpec stored;
  stored.generation = generation;
  stored.spec = TwoUplinkSpec();
  stored.spec.revision =
      revision.empty() ? "git:" + std::to_string(generation) : revision;
  stored.spec.uplinks[0].capacity.download =
      1000 * static_cast<std::uint64_t>(stored.spec.revision.back());
  stored.ids = {{"wan1", 1}, {"wan2", 2}};
  stored.origin = {std::chrono::system_clock::time_point(
                       std::chrono::seconds(1764000000 + generation)),
                   "anna", ""};
  return stored;
}

StoredSpec Waiting(std::uint64_t generation) {
  StoredSpec stored = Stored(generation);
  stored.pending = PendingConfirm{{"night", std::chrono::minutes(10)},
                                  {},
                                  generation - 1,
                                  Stored(generation - 1).spec};
  return stored;
}

class SpecHistoryTest : public ::testing::Test {
 protected:
  SpecHistory Open() const {
    SpecHistory history(directory_.path());
    EXPECT_TRUE(history.Restore());
    return history;
  }
  // "7 accepted", oldest first.
  static std::vector<std::string> Told(const SpecHistory& history) {
    std::vector<std::string> told;
    const auto all = history.Find(v1::HistoryRequest());
    for (const v1::HistoryEntry& entry : all->entries()) {
      told.push_back(std::to_string(entry.generation()) + " " +
                     entry.outcome());
    }
    return told;
  }
  TemporaryDirectory directory_;
};

TEST_F(SpecHistoryTest, KeepsWhoGaveWhatAndWhen) {
  SpecHistory history = Open();
  ASSERT_TRUE(history.Note(Stored(1)));
  const auto all = Open().Find(v1::HistoryRequest());
  ASSERT_EQ(all->entries_size(), 1);
  const v1::HistoryEntry& entry = all->entries(0);
  EXPECT_EQ(entry.generation(), 1U);
  EXPECT_EQ(entry.from(), "anna");
  EXPECT_EQ(entry.name(), "office");
  EXPECT_EQ(entry.revision(), "git:1");
  EXPECT_EQ(entry.time().seconds(), 1764000001);
  EXPECT_FALSE(entry.has_router());
}

TEST_F(SpecHistoryTest, GivesBackTheSpecWithItsIds) {
  SpecHistory history = Open();
  ASSERT_TRUE(history.Note(Stored(4)));
  const auto recalled = Open().Recall(4, nullptr);
  ASSERT_TRUE(recalled) << recalled.error().message;
  EXPECT_EQ(recalled->spec, Stored(4).spec);
  EXPECT_EQ(recalled->generation, 4U);
  v1::HistoryRequest one;
  one.set_generation(4);
  EXPECT_TRUE(history.Find(one)->entries(0).has_router());
}

TEST_F(SpecHistoryTest, ForgetsTheOldest) {
  SpecHistory history = Open();
  for (std::uint64_t i = 1; i <= SpecHistory::kMost + 3; ++i) {
    ASSERT_TRUE(history.Note(Stored(i)));
  }
  history = Open();
  EXPECT_EQ(Told(history).size(), SpecHistory::kMost);
  EXPECT_EQ(history.last_generation(), 53U);
  const auto gone = history.Recall(3, nullptr);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(gone.error().message, HasSubstr("4 to 53"));
}

TEST_F(SpecHistoryTest, TellsWhatBecameOfOneThatWaited) {
  SpecHistory history = Open();
  ASSERT_TRUE(history.Note(Stored(1)));
  ASSERT_TRUE(history.Note(Waiting(2)));
  EXPECT_THAT(Told(Open()), ElementsAre("1 accepted", "2 pending"));
  ASSERT_TRUE(history.Note(Stored(2)));
  EXPECT_THAT(Told(Open()), ElementsAre("1 accepted", "2 confirmed"));
  ASSERT_TRUE(history.Note(Waiting(3)));
  ASSERT_TRUE(history.Note(Stored(4)));
  EXPECT_THAT(Told(Open()), ElementsAre("1 accepted", "2 confirmed",
                                        "3 rolled-back", "4 accepted"));
}

// A crash came before the history was written.
TEST_F(SpecHistoryTest, MakesGoodWhatIsMissing) {
  {
    SpecHistory history = Open();
    ASSERT_TRUE(history.Note(Waiting(2)));
  }
  SpecHistory history = Open();
  ASSERT_TRUE(history.Note(Stored(3)));
  EXPECT_THAT(Told(history), ElementsAre("2 rolled-back", "3 accepted"));
  ASSERT_TRUE(history.Note(Stored(3)));
  EXPECT_THAT(Told(history), ElementsAre("2 rolled-back", "3 accepted"));
}

TEST_F(SpecHistoryTest, ByItselfItGoesBackToTheLastThatDiffersAndHeld) {
  SpecHistory history = Open();
  ASSERT_TRUE(history.Note(Stored(1, "a")));
  ASSERT_TRUE(history.Note(Stored(2, "b")));
  ASSERT_TRUE(history.Note(Waiting(3)));
  const StoredSpec now = Stored(4, "b");
  ASSERT_TRUE(history.Note(now));
  EXPECT_EQ(history.Recall(0, &now)->generation, 1U);
  // What differs in its revision alone is no other.
  StoredSpec later = now;
  later.generation = 5;
  later.spec.revision = "c";
  EXPECT_EQ(history.Recall(0, &later)->generation, 1U);
  const StoredSpec back = Stored(5, "a");
  ASSERT_TRUE(history.Note(back));
  EXPECT_EQ(history.Recall(0, &back)->generation, 4U);
  // After a cleanup there is no present one.
  EXPECT_EQ(history.Recall(0, nullptr)->generation, 5U);
}

TEST_F(SpecHistoryTest, SaysThatThereIsNothingToGoBackTo) {
  SpecHistory history = Open();
  EXPECT_THAT(history.Recall(0, nullptr).error().message,
              HasSubstr("the history is empty"));
  const StoredSpec only = Stored(1);
  ASSERT_TRUE(history.Note(only));
  EXPECT_EQ(history.Recall(0, &only).error().code, ErrorCode::kNotFound);
  v1::HistoryRequest request;
  request.set_generation(9);
  EXPECT_EQ(history.Find(request).error().code, ErrorCode::kNotFound);
}

TEST_F(SpecHistoryTest, ASpecThatIsRefusedTodayIsSaidToBe) {
  directory_.Write("history.json",
                   R"({"entries": [{"generation": "1", "outcome": "accepted",
                       "router": {"metadata": {"name": "office"}}}]})");
  const auto recalled = Open().Recall(1, nullptr);
  ASSERT_FALSE(recalled);
  EXPECT_EQ(recalled.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(recalled.error().message, HasSubstr("generation 1"));
}

TEST_F(SpecHistoryTest, SetsATornFileAside) {
  directory_.Write("history.json", "{");
  SpecHistory history(directory_.path());
  EXPECT_EQ(history.Restore().error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(history.last_generation(), 0U);
  EXPECT_TRUE(directory_.Has("history.json.corrupt"));
  EXPECT_TRUE(history.Note(Stored(1)));
}

TEST_F(SpecHistoryTest, WhatCannotBeSavedIsKnownForThisRunAndSavedLater) {
  directory_.Write("file", "");
  SpecHistory history(directory_ / "file");
  EXPECT_FALSE(history.Note(Stored(1)));
  EXPECT_EQ(history.last_generation(), 1U);
  EXPECT_TRUE(history.unsaved());
  EXPECT_FALSE(history.SaveAgain());
  std::filesystem::remove(directory_ / "file");
  EXPECT_TRUE(history.SaveAgain());
  EXPECT_FALSE(history.unsaved());
  EXPECT_TRUE(directory_.Has("file/history.json"));
}

}  // namespace
}  // namespace uplinkd
