// Which known word is near enough to be meant.
#include "proto/nearest.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

std::vector<std::string> Keys() {
  return {"name", "interface", "address", "gateway", "capacity", "weight"};
}

TEST(SuggestWord, FindsTheNearest) {
  EXPECT_EQ(SuggestWord("wieght", Keys()), "did you mean weight?");
  EXPECT_EQ(SuggestWord("adress", Keys()), "did you mean address?");
  EXPECT_EQ(SuggestWord("nam", Keys()), "did you mean name?");
  EXPECT_EQ(SuggestWord("GateWay", Keys()), "did you mean gateway?");
  EXPECT_EQ(SuggestWord("interfaces", Keys()), "did you mean interface?");
}

TEST(SuggestWord, IgnoresCaseAndDashes) {
  EXPECT_EQ(SuggestWord("api_version", {"apiVersion", "kind"}),
            "did you mean apiVersion?");
  EXPECT_EQ(SuggestWord("leastLoaded", {"least-loaded", "multipath"}),
            "did you mean least-loaded?");
}

TEST(SuggestWord, ListsAllWhenNoneIsNear) {
  EXPECT_EQ(SuggestWord("colour", {"download", "upload", "both"}),
            "known are download, upload and both");
  EXPECT_EQ(SuggestWord("", {"a", "b"}), "known are a and b");
  EXPECT_EQ(SuggestWord("x", {"mask"}), "known are mask");
}

TEST(SuggestWord, DoesNotChokeOnALongWord) {
  EXPECT_EQ(SuggestWord(std::string(1'000'000, 'a'), {"mask"}),
            "known are mask");
}

}  // namespace
}  // namespace uplinkd
