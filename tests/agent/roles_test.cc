// The file of roles: its faults, as a line of a log has them.
#include "agent/roles.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

TEST(Roles, AFaultIsOneLineWhateverTheFileSays) {
  const auto read = ReadRolesText("\"up\\rlink\": 1\n", "roles.yaml");
  ASSERT_FALSE(read);
  ASSERT_EQ(read.error().size(), 1U);
  EXPECT_EQ(RenderFault(read.error().front()),
            "roles.yaml:1:1: up?link: unknown key \"up?link\"; there is only "
            "roles");
}

// The thread that accepts clients reads it.
TEST(Roles, APipeInPlaceOfTheFileIsRefusedAndNotWaitedFor) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory / "roles.yaml";
  directory.Write("roles.yaml", "roles: {ops.example: operator}\n");
  Roles roles(path);
  ASSERT_TRUE(roles.Load());
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(roles.LoadIfChanged());
  EXPECT_FALSE(roles.Load());
  EXPECT_EQ(roles.Find({"ops.example"}).role, Role::kOperator);
}

TEST(Roles, SayWhetherOthersMayHoldNow) {
  const testing::TemporaryDirectory directory;
  directory.Write("roles.yaml", "roles: {ops.example: operator}\n");
  Roles roles(directory / "roles.yaml");
  EXPECT_TRUE(roles.LoadIfChanged());
  EXPECT_FALSE(roles.LoadIfChanged());
  EXPECT_TRUE(roles.Reload());
  directory.Write("roles.yaml", "roles: {ops.example: boss}\n");
  EXPECT_FALSE(roles.Reload());
}

}  // namespace
}  // namespace uplinkd
