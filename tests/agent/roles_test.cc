// The file of roles: its faults, as a line of a log has them.
#include "agent/roles.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace uplinkd
