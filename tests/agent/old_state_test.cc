// The state directories of earlier versions, as those versions wrote them: each
// file is taken up whole. A version whose files differ adds a folder to
// tests/upgrade.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "agent/drain_ledger.h"
#include "agent/event_log.h"
#include "agent/pause_ledger.h"
#include "agent/spec_history.h"
#include "agent/spec_store.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

std::set<std::string> Versions() {
  std::set<std::string> versions;
  for (const auto& entry : fs::directory_iterator(UPLINKD_UPGRADES)) {
    versions.insert(entry.path().filename().string());
  }
  return versions;
}

class OldState : public ::testing::TestWithParam<std::string> {
 protected:
  OldState() {
    fs::copy(fs::path(UPLINKD_UPGRADES) / GetParam() / "state",
             directory_.path());
  }

  testing::TemporaryDirectory directory_;
};

TEST_P(OldState, IsTakenUp) {
  std::set<std::string> files;
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    files.insert(entry.path().filename().string());
  }
  const auto stored = SpecStore(directory_.path()).Load();
  ASSERT_TRUE(stored) << stored.error().message;
  ASSERT_TRUE(*stored);
  EXPECT_FALSE((*stored)->spec.uplinks.empty());
  EXPECT_FALSE((*stored)->ids.empty());

  SpecHistory history(directory_.path());
  DrainLedger drains(directory_.path());
  PauseLedger pause(directory_.path());
  const Instant then{};
  for (const Result<void>& restored :
       {history.Restore(), drains.Restore(then), pause.Restore(then)}) {
    EXPECT_TRUE(restored) << restored.error().message;
  }
  EXPECT_EQ(history.last_generation() > 0, files.contains("history.json"));
  EXPECT_EQ(!drains.Words().empty(), files.contains("drains.json"));
  EXPECT_EQ(pause.active(), files.contains("pause.json"));
  Bulletin bulletin;
  EXPECT_EQ(!EventLog(directory_.path(), bulletin).Latest(1).empty(),
            files.contains("events.json"));
  for (const auto& entry : fs::directory_iterator(directory_.path())) {
    EXPECT_TRUE(files.contains(entry.path().filename().string()))
        << entry.path() << " was set aside";
  }
}

INSTANTIATE_TEST_SUITE_P(Of, OldState, ::testing::ValuesIn(Versions()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase_if(name, [](char c) {
                             return c == '-' || c == '.';
                           });
                           return name;
                         });

}  // namespace
}  // namespace uplinkd
