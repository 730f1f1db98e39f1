// What of a text from outside is shown as it is.
#include "proto/text_check.h"

#include <gtest/gtest.h>

namespace uplinkd {
namespace {

TEST(VisibleText, LeavesTextAlone) {
  for (const char* text :
       {"", "wan1 is down", "Köln → 北京 🙂", "a\\b", "\xc2\xa0"}) {
    EXPECT_EQ(VisibleText(text), text);
  }
}

TEST(VisibleText, ShowsControlCharacters) {
  EXPECT_EQ(VisibleText("a\nb\r\t\x1b[31m\x7f"),
            "a\\nb\\x0d\\x09\\x1b[31m\\x7f");
  EXPECT_EQ(VisibleText(std::string_view("\0", 1)), "\\x00");
  // C1 of UTF-8: 0x9b is what ESC [ is.
  EXPECT_EQ(VisibleText("\xc2\x80 \xc2\x9b"
                        "31m \xc2\x9f"),
            "\\x80 \\x9b31m \\x9f");
}

TEST(VisibleText, ShowsBytesThatAreNoText) {
  EXPECT_EQ(VisibleText("\x9b"
                        "31m"),
            "\\x9b31m");
  EXPECT_EQ(VisibleText("\xff\xc2"), "\\xff\\xc2");
  EXPECT_EQ(VisibleText("\xe2\x82"), "\\xe2\\x82");
}

TEST(VisibleText, IsTheSameTwice) {
  const std::string once = VisibleText("\x1b\n\xff");
  EXPECT_EQ(VisibleText(once), once);
}

}  // namespace
}  // namespace uplinkd
