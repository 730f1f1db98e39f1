#include "agent/spec_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "agent/spec_file.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::ConditionReason;
using testing::ConditionStatus;
using testing::FakeMachine;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;

// The part of a spec up to the second uplink is a spec as well.
const std::string kFirstUplink = R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office, revision: REVISION}
spec:
  lans:
    - {interface: lan0, networks: [192.168.10.0/24]}
  uplinks:
    - {name: wan1, interface: wan1, capacity: {download: 40mbit}}
)";
const std::string kSecondUplink =
    "    - {name: wan2, interface: wan2, capacity: {download: 10mbit}}\n";

std::string SpecText(const std::string& revision) {
  std::string text = kFirstUplink + kSecondUplink;
  text.replace(text.find("REVISION"), 8, revision);
  return text;
}

class SpecSourceTest : public ::testing::Test {
 protected:
  SpecSourceTest() { engine_.Start(); }

  void Follow(bool allow_empty = false,
              std::optional<FileSignature> taken_up = std::nullopt) {
    source_.emplace(SpecSource::Options{.path = directory_ / "router.yaml",
                                        .allow_empty = allow_empty,
                                        .settle = milliseconds(20),
                                        .grace = milliseconds(300),
                                        .taken_up = taken_up},
                    *engine_);
  }
  // Follows a file that is there and good.
  void FollowFirst(bool allow_empty = false) {
    directory_.Write("router.yaml", SpecText("first"));
    Follow(allow_empty);
    ASSERT_TRUE(Becomes("first"));
  }
  bool Becomes(const std::string& revision) {
    return engine_.Becomes([&](const v1::Status& status) {
      return status.revision() == revision && status.uplinks_size() == 2;
    });
  }
  bool IsRefused() {
    return engine_.Becomes([](const v1::Status& status) {
      return ConditionReason(status, "Accepted") == "InvalidSpec";
    });
  }
  std::size_t Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes.size(); });
  }
  std::uint64_t Generation() {
    return engine_->bulletin().status()->generation();
  }

  TemporaryDirectory directory_;
  TemporaryDirectory state_;
  FakeMachine machine_;
  RunningEngine engine_{OptionsFor(machine_, state_.path())};
  std::optional<SpecSource> source_;
};

TEST_F(SpecSourceTest, FollowsAFileThatIsRenamedIntoPlace) {
  ASSERT_NO_FATAL_FAILURE(FollowFirst());
  directory_.Write(".router.yaml.Xa1", SpecText("second"));
  fs::rename(directory_ / ".router.yaml.Xa1", directory_ / "router.yaml");
  EXPECT_TRUE(Becomes("second"));
  EXPECT_EQ(Generation(), 2U);
}

TEST_F(SpecSourceTest, DoesNotFollowHalfAFile) {
  ASSERT_NO_FATAL_FAILURE(FollowFirst());
  const std::string text = SpecText("second");
  std::ofstream file(directory_ / "router.yaml");
  file << text.substr(0, text.size() - kSecondUplink.size()) << std::flush;
  std::this_thread::sleep_for(milliseconds(150));
  EXPECT_EQ(engine_->Get()->spec.uplinks.size(), 2U);
  file << kSecondUplink;
  file.close();
  EXPECT_TRUE(Becomes("second"));
  EXPECT_EQ(Generation(), 2U);
}

// As git checks out another commit.
TEST_F(SpecSourceTest, ThinksNothingOfAFileThatIsMissingForAMoment) {
  ASSERT_NO_FATAL_FAILURE(FollowFirst());
  fs::remove(directory_ / "router.yaml");
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(ConditionStatus(*engine_->bulletin().status(), "Accepted"), "True");
  directory_.Write("router.yaml", SpecText("second"));
  EXPECT_TRUE(Becomes("second"));
}

TEST_F(SpecSourceTest, KeepsTheLastGoodSpecWhateverTheFileBecomes) {
  ASSERT_NO_FATAL_FAILURE(FollowFirst());
  ASSERT_TRUE(engine_.BecomesInSync(1));
  const std::size_t writes = Writes();
  for (const char* content :
       {"", "# soon\n", "kind: Nonsense\n", "\t", "spec: {uplinks: []}\n"}) {
    directory_.Write("router.yaml", content);
    EXPECT_TRUE(IsRefused()) << content;
    directory_.Write("router.yaml", SpecText("first"));
    EXPECT_TRUE(engine_.Becomes([](const v1::Status& status) {
      return ConditionStatus(status, "Accepted") == "True";
    })) << content;
  }
  fs::remove(directory_ / "router.yaml");
  EXPECT_TRUE(IsRefused());
  EXPECT_EQ(Generation(), 1U);
  EXPECT_EQ(Writes(), writes);
}

TEST_F(SpecSourceTest, AnEmptyFileTakesEverythingAwayOnlyIfThatIsAllowed) {
  ASSERT_NO_FATAL_FAILURE(FollowFirst(true));
  fs::remove(directory_ / "router.yaml");
  EXPECT_TRUE(IsRefused());
  EXPECT_EQ(Generation(), 1U);
  directory_.Write("router.yaml", "# this router is taken out of service\n");
  EXPECT_TRUE(engine_.Becomes(
      [](const v1::Status& status) { return status.generation() == 0; }));
  EXPECT_TRUE(
      machine_.With([](FakeKernel& it) { return it.Ours().rules.empty(); }));
  directory_.Write("router.yaml", SpecText("again"));
  EXPECT_TRUE(Becomes("again"));
}

// A client that was served in the first moments must not lose its spec to a
// file that was taken up before.
TEST_F(SpecSourceTest, LeavesAFileAloneThatWasTakenUpAndIsTheSame) {
  directory_.Write("router.yaml", SpecText("first"));
  const FileSignature taken_up = SignatureOf(directory_ / "router.yaml");
  directory_.Write("other.yaml", SpecText("second"));
  const auto other = LoadSpecFile(directory_ / "other.yaml", false);
  ASSERT_TRUE(other);
  ASSERT_TRUE(engine_->Apply({.spec = **other}));
  Follow(false, taken_up);
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(Generation(), 1U);
  directory_.Write("router.yaml", SpecText("third"));
  EXPECT_TRUE(Becomes("third"));
}

TEST_F(SpecSourceTest, ReadsAFileThatChangedAfterItWasTakenUp) {
  directory_.Write("router.yaml", "kind: Nonsense\n");
  const FileSignature taken_up = SignatureOf(directory_ / "router.yaml");
  directory_.Write("router.yaml", SpecText("first"));
  Follow(false, taken_up);
  EXPECT_TRUE(Becomes("first"));
}

TEST_F(SpecSourceTest, RereadsWhenItIsTold) {
  Follow();  // of no file
  EXPECT_TRUE(IsRefused());
  directory_.Write("router.yaml", SpecText("first"));
  EXPECT_TRUE(Becomes("first"));
  source_->Reread();  // the same again is no change
  directory_.Write("router.yaml", SpecText("second"));
  source_->Reread();
  EXPECT_TRUE(Becomes("second"));
  EXPECT_EQ(Generation(), 2U);
}

}  // namespace
}  // namespace uplinkd
