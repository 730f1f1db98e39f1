#include "agent/name_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

constexpr const char* kTables = "rt_tables.d/uplinkd.conf";
constexpr const char* kProtos = "rt_protos.d/uplinkd.conf";

ino_t InodeOf(const std::string& path) {
  struct stat there {};
  EXPECT_EQ(stat(path.c_str(), &there), 0);
  return there.st_ino;
}

TEST(NameFiles, NamesTheTablesOfTheUplinks) {
  Spec spec = TwoUplinkSpec();
  EXPECT_THAT(TableNames(spec),
              ElementsAre(Pair(11, "wan1"), Pair(12, "wan2")));
  spec.balance.algorithm = Algorithm::kMultipath;
  EXPECT_THAT(
      TableNames(spec),
      ElementsAre(Pair(10, "uplinks"), Pair(11, "wan1"), Pair(12, "wan2")));
}

TEST(NameFiles, WritesBothFiles) {
  const TemporaryDirectory etc;
  const auto left_out = WriteNameFiles(etc.path(), {{11, "wan1"}, {12, "b"}});
  ASSERT_TRUE(left_out);
  EXPECT_THAT(*left_out, IsEmpty());
  EXPECT_THAT(etc.Read(kTables), HasSubstr("\n11\twan1\n12\tb\n"));
  EXPECT_THAT(etc.Read(kProtos), HasSubstr("\n117\tuplinkd\n"));
}

TEST(NameFiles, WritesNothingThatIsThereAlready) {
  const TemporaryDirectory etc;
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "wan1"}}));
  const ino_t before = InodeOf(etc / kTables);
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "wan1"}}));
  EXPECT_EQ(InodeOf(etc / kTables), before);
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "other"}}));
  EXPECT_NE(InodeOf(etc / kTables), before);
}

TEST(NameFiles, LeavesOutWhatTheUserNamedOtherwise) {
  const TemporaryDirectory etc;
  const std::string own = "# mine\n11 dsl\n0x20 vpn\n";
  etc.Write("rt_tables", own);
  etc.Write("rt_tables.d/site.conf", "99\tcable\n");
  etc.Write("rt_tables.d/ignored.txt", "12\tx\n");
  const auto left_out = WriteNameFiles(
      etc.path(),
      {{11, "wan1"}, {12, "wan2"}, {13, "cable"}, {32, "lte"}, {14, "main"}});
  ASSERT_TRUE(left_out);
  EXPECT_EQ(left_out->size(), 4U);
  EXPECT_THAT(left_out->front(),
              HasSubstr("11 is \"dsl\" in " + etc / "rt_tables"));
  EXPECT_THAT(*left_out,
              Contains(HasSubstr("254 is \"main\" in ip(8) itself")));
  EXPECT_THAT(etc.Read(kTables), HasSubstr("overwritten.\n12\twan2\n"));
  EXPECT_EQ(etc.Read("rt_tables"), own);
}

TEST(NameFiles, DoesNothingWithoutADirectory) {
  EXPECT_TRUE(WriteNameFiles("", {{11, "wan1"}}));
  EXPECT_TRUE(RemoveNameFiles(""));
}

TEST(NameFiles, RemovesItsFilesOnly) {
  const TemporaryDirectory etc;
  etc.Write("rt_tables.d/site.conf", "99\tcable\n");
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "wan1"}}));
  ASSERT_TRUE(RemoveNameFiles(etc.path()));
  EXPECT_FALSE(etc.Has(kTables));
  EXPECT_FALSE(etc.Has(kProtos));
  EXPECT_TRUE(etc.Has("rt_tables.d/site.conf"));
  EXPECT_TRUE(RemoveNameFiles(etc.path()));  // again
}

// As the package leads them out of /etc, where the agent may not write.
TEST(NameFiles, FollowsALinkAndLeavesIt) {
  const TemporaryDirectory etc;
  const TemporaryDirectory run;
  etc.Write("rt_tables.d/README", "");
  etc.Write("rt_protos.d/README", "");
  ASSERT_EQ(symlink((run / "names/tables").c_str(), (etc / kTables).c_str()),
            0);
  ASSERT_EQ(symlink("../protos", (etc / kProtos).c_str()), 0);
  ASSERT_EQ(chmod((etc / "rt_tables.d").c_str(), 0500), 0);
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "wan1"}}));
  EXPECT_THAT(run.Read("names/tables"), HasSubstr("\n11\twan1\n"));
  EXPECT_EQ(run.Read("names/tables"), etc.Read(kTables));
  EXPECT_THAT(etc.Read(kProtos), HasSubstr("uplinkd"));
  ASSERT_TRUE(RemoveNameFiles(etc.path()));
  EXPECT_FALSE(run.Has("names/tables"));
  struct stat link {};
  EXPECT_EQ(lstat((etc / kTables).c_str(), &link), 0);
  EXPECT_TRUE(S_ISLNK(link.st_mode));
  // And from nothing again, with the directory that it leads to.
  ASSERT_TRUE(WriteNameFiles(etc.path(), {{11, "wan1"}}));
  EXPECT_TRUE(run.Has("names/tables"));
}

TEST(NameFiles, SaysWhereItCannotWrite) {
  const TemporaryDirectory etc;
  etc.Write("rt_tables.d", "a file where a directory should be");
  const auto left_out = WriteNameFiles(etc.path(), {{11, "wan1"}});
  ASSERT_FALSE(left_out);
  EXPECT_THAT(left_out.error().message, HasSubstr("rt_tables.d"));
}

}  // namespace
}  // namespace uplinkd
