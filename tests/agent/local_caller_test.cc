// Users and groups, by files of any shape.
#include "agent/local_caller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

class LocalCallerFiles : public ::testing::Test {
 protected:
  // A group whose members take so many bytes, of ten each.
  static std::string GroupOf(const std::string& name, int bytes) {
    std::string line = name + ":x:4000:";
    for (int i = 0; i < bytes / 10; ++i) line += "abcdefghi,";
    line.back() = '\n';
    return line;
  }

  testing::TemporaryDirectory directory_;
  const std::string group_ = directory_ / "group";
  const std::string passwd_ = directory_ / "passwd";
};

TEST_F(LocalCallerFiles, AGroupOfManyMembersIsReadAndSoIsTheNext) {
  directory_.Write("group", "root:x:0:\n" + GroupOf("everybody", 100'000) +
                                "uplinkd:x:4001:alice\n");
  EXPECT_EQ(GroupNumber("everybody", group_), gid_t{4000});
  EXPECT_EQ(GroupNumber("uplinkd", group_), gid_t{4001});
}

TEST_F(LocalCallerFiles, ALineBeyondAllMeasureIsSkipped) {
  directory_.Write("group",
                   GroupOf("everybody", 2'000'000) + "uplinkd:x:4001:alice\n");
  EXPECT_EQ(GroupNumber("uplinkd", group_), gid_t{4001});
  EXPECT_FALSE(GroupNumber("everybody", group_));
  directory_.Write("group", GroupOf("everybody", 2'000'000));
  EXPECT_FALSE(GroupNumber("uplinkd", group_));
}

TEST_F(LocalCallerFiles, AMissingGroupAndAMissingFileAreTold) {
  directory_.Write("group", "root:x:0:\n# nonsense\n\n:::\n");
  const Result<gid_t> none = GroupNumber("uplinkd", group_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(
      none.error().message,
      ::testing::HasSubstr("there is no group \"uplinkd\" in " + group_));
  EXPECT_FALSE(GroupNumber("uplinkd", directory_ / "none"));
}

TEST_F(LocalCallerFiles, AUserOfLongWordsIsReadAndSoIsTheNext) {
  directory_.Write("passwd", "long:x:4000:4000:" + std::string(50'000, 'a') +
                                 ":/:/bin/sh\nalice:x:4001:4001::/:/bin/sh\n");
  EXPECT_EQ(UserName(4000, passwd_), "long");
  EXPECT_EQ(UserName(4001, passwd_), "alice");
  EXPECT_EQ(UserName(4002, passwd_), "");
}

}  // namespace
}  // namespace uplinkd
