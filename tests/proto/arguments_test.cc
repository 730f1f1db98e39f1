// How arguments reach the parser of the command line.
#include "proto/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace uplinkd {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> StackOf(const std::vector<const char*>& arguments) {
  return ArgumentStack(arguments);
}

TEST(Arguments, AreAStack) {
  EXPECT_THAT(StackOf({}), ElementsAre());
  EXPECT_THAT(StackOf({"--a", "b", "--c=d"}), ElementsAre("--c=d", "b", "--a"));
}

TEST(Arguments, HaveEmptyValuesOfTheirOwn) {
  EXPECT_THAT(StackOf({"--dir=", "x"}), ElementsAre("x", "", "--dir"));
}

TEST(Arguments, StayAsTheyAreOtherwise) {
  EXPECT_THAT(StackOf({"--reason=--x=", "-o=", "--=", "--", "a="}),
              ElementsAre("a=", "--", "--=", "-o=", "--reason=--x="));
  EXPECT_THAT(StackOf({"--", "--dir="}), ElementsAre("--dir=", "--"));
}

}  // namespace
}  // namespace uplinkd
