// What is left of the agent's files after a power cut, wherever they were cut
// or whatever bit flipped: it is taken as it is, or set aside and told, and
// never the end of the agent. spec.json has tests of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <functional>
#include <optional>

#include "agent/drain_ledger.h"
#include "agent/pause_ledger.h"
#include "agent/seal.h"
#include "agent/spec_history.h"
#include "proto/text_check.h"
#include "tests/agent/noon.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::minutes;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Noon;
using testing::TemporaryDirectory;

Instant NoonAfterABoot() {
  Instant noon = Noon();
  noon.moment.uptime = noon.monotonic;
  noon.moment.boot = "boot";
  return noon;
}

struct StateFile {
  const char* name;
  std::function<void(const std::string& state)> write;
  // As the next agent does.
  std::function<Result<void>(const std::string& state)> restore;
};

std::ostream& operator<<(std::ostream& stream, const StateFile& file) {
  return stream << file.name;
}

StateFile DrainsFile() {
  return {"drains.json",
          [](const std::string& state) {
            DrainLedger ledger(state);
            ASSERT_TRUE(ledger.Add("wan1", std::nullopt, NoonAfterABoot()));
            ASSERT_TRUE(ledger.Add("wan2", minutes(5), NoonAfterABoot()));
          },
          [](const std::string& state) {
            DrainLedger ledger(state);
            Result<void> restored = ledger.Restore(NoonAfterABoot());
            if (!restored) EXPECT_TRUE(ledger.Words().empty());
            (void)ledger.Words();
            (void)ledger.Deadlines();
            return restored;
          }};
}

StateFile PauseFile() {
  return {"pause.json",
          [](const std::string& state) {
            PauseLedger ledger(state);
            ASSERT_TRUE(
                ledger.Begin(minutes(5), "alice", "a modem", NoonAfterABoot()));
          },
          [](const std::string& state) {
            PauseLedger ledger(state);
            Result<void> restored = ledger.Restore(NoonAfterABoot());
            if (!restored) EXPECT_FALSE(ledger.active());
            (void)ledger.Words();
            Instant later = NoonAfterABoot();
            later.monotonic += kLongestPause;
            if (ledger.active()) EXPECT_TRUE(ledger.Over(later));
            return restored;
          }};
}

StateFile HistoryFile() {
  return {"history.json",
          [](const std::string& state) {
            SpecHistory history(state);
            StoredSpec stored;
            stored.generation = 1;
            stored.spec = testing::TwoUplinkSpec();
            stored.origin = {NoonAfterABoot().moment.wall, "alice", ""};
            ASSERT_TRUE(history.Note(stored));
          },
          [](const std::string& state) {
            SpecHistory history(state);
            Result<void> restored = history.Restore();
            if (!restored) EXPECT_EQ(history.last_generation(), 0U);
            (void)history.Recall(0, nullptr);
            return restored;
          }};
}

class TornFile : public ::testing::TestWithParam<StateFile> {
 protected:
  void SetUp() override {
    GetParam().write(state_.path());
    whole_ = state_.Read(GetParam().name);
    ASSERT_FALSE(whole_.empty());
  }

  // Each attempt waits for the disk, and most bytes of a long file are alike.
  std::size_t Stride() const { return whole_.size() > 1000 ? 7 : 1; }

  // Whether it was set aside.
  bool Restored(const std::string& content) {
    state_.Write(GetParam().name, content);
    const Result<void> restored = GetParam().restore(state_.path());
    const std::string aside = std::string(GetParam().name) + ".corrupt";
    if (restored) return false;
    EXPECT_EQ(restored.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_FALSE(CheckText(restored.error().message));
    EXPECT_THAT(restored.error().message,
                AllOf(HasSubstr(state_ / GetParam().name), HasSubstr(aside)));
    EXPECT_EQ(state_.Read(aside), content);
    EXPECT_FALSE(state_.Has(GetParam().name));
    return true;
  }

  TemporaryDirectory state_;
  std::string whole_;
};

TEST_P(TornFile, IsSetAsideWhereverItWasCut) {
  const std::size_t end = whole_.find_last_of('}');
  for (std::size_t size = 0; size <= end; size += Stride()) {
    ASSERT_TRUE(Restored(whole_.substr(0, size))) << size;
  }
  EXPECT_FALSE(Restored(whole_));
}

TEST_P(TornFile, OfZerosIsSetAside) {
  EXPECT_TRUE(Restored(std::string(whole_.size(), '\0')));
  EXPECT_TRUE(Restored(std::string(65536, '\0')));
}

TEST_P(TornFile, WithAFlippedBitIsSetAside) {
  for (std::size_t i = 0; i < whole_.find_last_of('}'); i += Stride()) {
    for (const int bit : {static_cast<int>(i % 8), 7}) {
      std::string flipped = whole_;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      ASSERT_TRUE(Restored(flipped)) << "bit " << bit << " of byte " << i;
      ASSERT_FALSE(HasFailure()) << "bit " << bit << " of byte " << i;
    }
  }
}

TEST_P(TornFile, OfAnOlderVersionHasNoSealAndIsTaken) {
  const std::optional<std::string> plain = Unsealed(whole_);
  ASSERT_TRUE(plain);
  ASSERT_LT(plain->size(), whole_.size());
  EXPECT_FALSE(Restored(*plain));
}

// Nobody waits for whoever might write there.
TEST_P(TornFile, InItsPlaceMayBeAPipe) {
  TemporaryDirectory state;
  ASSERT_EQ(mkfifo((state / GetParam().name).c_str(), 0600), 0);
  const Result<void> restored = GetParam().restore(state.path());
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().message, HasSubstr("a pipe"));
}

TEST_P(TornFile, InItsPlaceMayBeADirectory) {
  TemporaryDirectory state;
  state.Write(std::string(GetParam().name) + "/deep", "lost");
  const Result<void> restored = GetParam().restore(state.path());
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().message, HasSubstr("Is a directory"));
  EXPECT_EQ(state.Read(std::string(GetParam().name) + ".corrupt/deep"), "lost");
  GetParam().write(state.path());
  EXPECT_TRUE(GetParam().restore(state.path()));
}

INSTANTIATE_TEST_SUITE_P(Of, TornFile,
                         ::testing::Values(DrainsFile(), PauseFile(),
                                           HistoryFile()),
                         [](const auto& parameter) {
                           const std::string name = parameter.param.name;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace uplinkd
