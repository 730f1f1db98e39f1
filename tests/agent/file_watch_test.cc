#include "agent/file_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryDirectory;

class FileWatchTest : public ::testing::Test {
 protected:
  void Watch(const std::string& name) {
    auto watch =
        FileWatch::Start(context_, directory_ / name, [this] { ++changes_; });
    ASSERT_TRUE(watch) << watch.error().message;
    watch_ = std::move(*watch);
  }
  // Whether something was told of what happened up to now.
  bool Changed() {
    changes_ = 0;
    context_.restart();
    context_.poll();
    return changes_ > 0;
  }

  TemporaryDirectory directory_;
  asio::io_context context_;
  std::unique_ptr<FileWatch> watch_;
  int changes_ = 0;
};

TEST_F(FileWatchTest, SeesARenameOverTheFileAndNoOtherFile) {
  directory_.Write("spec.yaml", "old");
  ASSERT_NO_FATAL_FAILURE(Watch("spec.yaml"));
  directory_.Write("other.yaml", "x");
  EXPECT_FALSE(Changed());
  fs::rename(directory_ / "other.yaml", directory_ / "spec.yaml");
  EXPECT_TRUE(Changed());
  EXPECT_FALSE(Changed());
}

TEST_F(FileWatchTest, SeesAFileWrittenInPlaceOnceItIsClosed) {
  ASSERT_NO_FATAL_FAILURE(Watch("spec.yaml"));
  for (int i = 0; i < 2; ++i) {  // made, then made anew in place
    std::ofstream file(directory_ / "spec.yaml");
    file << "half" << std::flush;
    EXPECT_FALSE(Changed());
    file << "whole";
    file.close();
    EXPECT_TRUE(Changed());
  }
}

TEST_F(FileWatchTest, SeesThatTheFileGoesAndComesBack) {
  directory_.Write("spec.yaml", "old");
  ASSERT_NO_FATAL_FAILURE(Watch("spec.yaml"));
  fs::remove(directory_ / "spec.yaml");
  EXPECT_TRUE(Changed());
  directory_.Write("elsewhere.yaml", "new");
  EXPECT_FALSE(Changed());
  fs::create_hard_link(directory_ / "elsewhere.yaml", directory_ / "spec.yaml");
  EXPECT_TRUE(Changed());
}

// As kubelet does it: ..data is a link that is replaced by a rename.
TEST_F(FileWatchTest, SeesAConfigMapThatIsReplaced) {
  directory_.Write("..1/spec.yaml", "old");
  fs::create_symlink("..1", directory_ / "..data");
  fs::create_symlink("..data/spec.yaml", directory_ / "spec.yaml");
  ASSERT_NO_FATAL_FAILURE(Watch("spec.yaml"));
  for (const std::string next : {"..2", "..3"}) {
    directory_.Write(next + "/spec.yaml", "new");
    EXPECT_FALSE(Changed());
    fs::create_symlink(next, directory_ / "..data_tmp");
    fs::rename(directory_ / "..data_tmp", directory_ / "..data");
    EXPECT_TRUE(Changed());
  }
}

TEST_F(FileWatchTest, FollowsDirectoriesThatComeLaterOrAreReplaced) {
  ASSERT_NO_FATAL_FAILURE(Watch("checkout/routers/spec.yaml"));
  directory_.Write("next/routers/spec.yaml", "new");
  EXPECT_FALSE(Changed());
  fs::rename(directory_ / "next", directory_ / "checkout");
  EXPECT_TRUE(Changed());
  directory_.Write("checkout/routers/spec.yaml", "newer");
  EXPECT_TRUE(Changed());
  directory_.Write("next/routers/spec.yaml", "newest");
  fs::rename(directory_ / "checkout", directory_ / "old");
  EXPECT_TRUE(Changed());
  fs::rename(directory_ / "next", directory_ / "checkout");
  EXPECT_TRUE(Changed());
  directory_.Write("old/routers/spec.yaml", "nobody's");
  EXPECT_FALSE(Changed());
}

TEST_F(FileWatchTest, GivesUpOnLinksThatGoRoundInCircles) {
  fs::create_symlink("b", directory_ / "a");
  fs::create_symlink("a", directory_ / "b");
  ASSERT_NO_FATAL_FAILURE(Watch("a"));
  fs::remove(directory_ / "b");
  directory_.Write("b", "at last");
  EXPECT_TRUE(Changed());
}

}  // namespace
}  // namespace uplinkd
