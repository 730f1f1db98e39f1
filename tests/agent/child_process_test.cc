#include "agent/child_process.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using End = ProgramRun::End;

bool NotStopped() {
  return false;
}

TEST(RunProgram, GivesBackTheEnvironmentThatItWasGiven) {
  const auto run = RunProgram("/usr/bin/env", {"WORDS=a b"},
                              milliseconds(20000), NotStopped);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->end, End::kExited);
  EXPECT_EQ(run->status, 0);
  EXPECT_EQ(run->output, "WORDS=a b\n");
}

TEST(RunProgram, TellsTheStatus) {
  const auto run =
      RunProgram("/bin/false", {}, milliseconds(20000), NotStopped);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->end, End::kExited);
  EXPECT_EQ(run->status, 1);
}

TEST(RunProgram, FailsIfThereIsNoSuchProgram) {
  const auto run =
      RunProgram("/nowhere/at/all", {}, milliseconds(100), NotStopped);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().message,
            "cannot run /nowhere/at/all: No such file or directory");
}

TEST(RunProgram, ReadsAndForgetsTooMuchOutput) {
  const auto run =
      RunProgram("/usr/bin/yes", {}, milliseconds(300), NotStopped);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->end, End::kDeadline);
  EXPECT_EQ(run->output.size(), kMaxOutput);
}

TEST(RunProgram, GivesUpWhenItIsToldTo) {
  const auto run =
      RunProgram("/usr/bin/yes", {}, milliseconds(60000), [] { return true; });
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->end, End::kGivenUp);
}

}  // namespace
}  // namespace uplinkd
