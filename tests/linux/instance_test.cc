#include "reconciler/linux/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>

#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using InstanceTest = NetnsTest;

bool IsTaken() {
  const auto taken = Instance::IsTaken();
  EXPECT_TRUE(taken.has_value());
  return taken.value_or(false);
}

TEST_F(InstanceTest, IsTakenOnceAndFreedWithItsHolder) {
  EXPECT_FALSE(IsTaken());
  {
    const auto first = Instance::Take();
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_TRUE(IsTaken());
    const auto second = Instance::Take();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  }
  EXPECT_FALSE(IsTaken());
  EXPECT_TRUE(Instance::Take());
}

TEST_F(InstanceTest, BelongsToItsNetworkNamespace) {
  const auto here = Instance::Take();
  ASSERT_TRUE(here);
  const Netns elsewhere;
  const InNetns inside(elsewhere);
  EXPECT_FALSE(IsTaken());
  EXPECT_TRUE(Instance::Take());
}

TEST_F(InstanceTest, GoesAlongWhenMoved) {
  std::optional<Instance> kept;
  {
    auto instance = Instance::Take();
    ASSERT_TRUE(instance);
    kept = std::move(*instance);
  }
  EXPECT_TRUE(IsTaken());
  kept.reset();
  EXPECT_FALSE(IsTaken());
}

TEST_F(InstanceTest, NamesItsHolderAndEndsWithIt) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t holder = fork();
  if (holder == 0) {
    const auto instance = Instance::Take();
    const char byte = instance ? 'y' : 'n';
    if (write(ready[1], &byte, 1) == 1) pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  // Asking often must not use up the holder's queue.
  for (int i = 0; i < 10; ++i) {
    const auto instance = Instance::Take();
    ASSERT_FALSE(instance);
    EXPECT_THAT(instance.error().message,
                ::testing::HasSubstr(std::to_string(holder)));
  }
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  EXPECT_TRUE(Instance::Take());
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace uplinkd
