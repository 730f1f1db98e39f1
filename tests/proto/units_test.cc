// Numbers with units: what is read, what is refused and why, how they print.
#include "proto/units.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <utility>
#include <vector>

namespace uplinkd {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();

TEST(BitRate, ReadsNumbersWithUnits) {
  const std::vector<std::pair<const char*, std::uint64_t>> cases = {
      {"40mbit", 40'000'000},
      {"2.5gbit", 2'500'000'000},
      {"800kbit", 800'000},
      {"64000bit", 64'000},
      {"64000", 64'000},
      {"0", 0},
      {"0bit", 0},
      {"1.544mbit", 1'544'000},
      {"0.000001mbit", 1},
      {"1.50gbit", 1'500'000'000},
      {"1.0bit", 1},
      {"18446744073709551615", kMax64},
  };
  for (const auto& [text, bits] : cases) {
    EXPECT_EQ(ParseBitRate(text).value_or(1), bits) << text;
  }
}

TEST(BitRate, SaysWhyItRefuses) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"40mb", "\"40mb\" is not a bit rate; did you mean 40mbit?"},
      {"40Mbit", "\"40Mbit\" is not a bit rate; did you mean 40mbit?"},
      {"2.5 Gbps", "\"2.5 Gbps\" is not a bit rate; did you mean 2.5gbit?"},
      {"40 mbit", "\"40 mbit\" is not a bit rate; did you mean 40mbit?"},
      {"",
       "\"\" is not a bit rate; write a number with bit, kbit, mbit or "
       "gbit, such as 40mbit"},
      {"mbit",
       "\"mbit\" is not a bit rate; write a number with bit, kbit, "
       "mbit or gbit, such as 40mbit"},
      {"-1mbit",
       "\"-1mbit\" is not a bit rate; write a number with bit, "
       "kbit, mbit or gbit, such as 40mbit"},
      {".5mbit",
       "\".5mbit\" is not a bit rate; write a number with bit, "
       "kbit, mbit or gbit, such as 40mbit"},
      {"5.mbit",
       "\"5.mbit\" is not a bit rate; write a number with bit, kbit, mbit or "
       "gbit, such as 40mbit"},
      {"0.5bit", "\"0.5bit\" is not a whole number of bits"},
      {"1.00000000000001gbit",
       "\"1.00000000000001gbit\" is not a whole number of bits"},
      {"18446744073709551616", "\"18446744073709551616\" is too large"},
      {"18446744074gbit", "\"18446744074gbit\" is too large"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = ParseBitRate(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), message);
  }
}

TEST(BitRate, PrintsInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatBitRate(0), "0bit");
  EXPECT_EQ(FormatBitRate(999), "999bit");
  EXPECT_EQ(FormatBitRate(64'000), "64kbit");
  EXPECT_EQ(FormatBitRate(1'544'000), "1.544mbit");
  EXPECT_EQ(FormatBitRate(1'500'001), "1500.001kbit");
  EXPECT_EQ(FormatBitRate(2'500'000'000), "2.5gbit");
  EXPECT_EQ(FormatBitRate(kMax64), "18446744073709551.615kbit");
}

TEST(Duration, ReadsNumbersWithUnits) {
  const std::vector<std::pair<const char*, nanoseconds>> cases = {
      {"250ms", 250ms},
      {"1s", 1s},
      {"1m30s", 90s},
      {"1.5s", 1500ms},
      {"0s", 0s},
      {"2h", 2h},
      {"1h1ns", 1h + 1ns},
      {"0.25s", 250ms},
      {"90s", 90s},
      {"10us", 10us},
      {"9223372036854775807ns", nanoseconds::max()},
  };
  for (const auto& [text, duration] : cases) {
    EXPECT_EQ(ParseDuration(text).value_or(-1ns), duration) << text;
  }
}

TEST(Duration, SaysWhyItRefuses) {
  for (const char* text : {"", "1", "s", "-1s", "1 s", "1s1m", "1s1s", "1d",
                           "1S", "1s ", "1ms5s", "+1s"}) {
    const auto parsed = ParseDuration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(),
              "\"" + std::string(text) +
                  "\" is not a duration; write a number with h, m, s, ms, us "
                  "or ns, such as 250ms or 1m30s");
  }
  EXPECT_EQ(ParseDuration("0.1ns").error(),
            "\"0.1ns\" is not a whole number of nanoseconds");
  EXPECT_EQ(ParseDuration("9223372036854775808ns").error(),
            "\"9223372036854775808ns\" is too long");
  EXPECT_EQ(ParseDuration("9999999h").error(), "\"9999999h\" is too long");
}

TEST(Duration, Prints) {
  EXPECT_EQ(FormatDuration(0s), "0s");
  EXPECT_EQ(FormatDuration(250ms), "250ms");
  EXPECT_EQ(FormatDuration(90s), "1m30s");
  EXPECT_EQ(FormatDuration(1500ms), "1s500ms");
}

TEST(Unsigned, ReadsDecimalAndHex) {
  EXPECT_EQ(ParseUnsigned("0", 255), 0U);
  EXPECT_EQ(ParseUnsigned("255", 255), 255U);
  EXPECT_EQ(ParseUnsigned("0xff", 255), 255U);
  EXPECT_EQ(ParseUnsigned("0XFF", 255), 255U);
  EXPECT_EQ(ParseUnsigned("0x00ff", 255), 255U);
  EXPECT_EQ(ParseUnsigned("18446744073709551615", kMax64), kMax64);
}

TEST(Unsigned, SaysWhyItRefuses) {
  for (const char* text : {"", "-1", "+1", "1.0", "1e3", "0x", "0xg", "ten",
                           " 1", "1 ", "1_000", "0b1", "0o7"}) {
    const auto parsed = ParseUnsigned(text, 255);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(), "\"" + std::string(text) +
                                  "\" is not a whole number of 0 or more");
  }
  EXPECT_EQ(ParseUnsigned("256", 255).error(),
            "\"256\" is too large; at most 255");
  EXPECT_EQ(ParseUnsigned("99999999999999999999", 255).error(),
            "\"99999999999999999999\" is too large; at most 255");
  EXPECT_EQ(ParseUnsigned("010", 255).error(),
            "\"010\" has a leading zero; write it without, or in hex");
}

TEST(Percentage, HasASignAndAtMostTwoDecimals) {
  EXPECT_EQ(ParsePercentage("20%"), 2000U);
  EXPECT_EQ(ParsePercentage("0%"), 0U);
  EXPECT_EQ(ParsePercentage("0.5%"), 50U);
  EXPECT_EQ(ParsePercentage("12.34%"), 1234U);
  EXPECT_EQ(ParsePercentage("100.00%"), 10000U);
  EXPECT_EQ(FormatPercentage(2000), "20%");
  EXPECT_EQ(FormatPercentage(1230), "12.3%");
  EXPECT_EQ(FormatPercentage(5), "0.05%");
}

TEST(Percentage, SaysWhyItRefuses) {
  for (const char* text :
       {"", "20", "0.2", "%", "20 %", "-1%", "20%%", "2x%", ".5%", "5.%"}) {
    const auto parsed = ParsePercentage(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error(),
              "\"" + std::string(text) +
                  "\" is not a percentage; write a number with a percent "
                  "sign, such as 20%");
  }
  EXPECT_EQ(ParsePercentage("1.234%").error(),
            "\"1.234%\" has more than two decimals");
  EXPECT_EQ(ParsePercentage("42949672.96%").error(),
            "\"42949672.96%\" is too large");
  EXPECT_EQ(ParsePercentage("99999999999999999999%").error(),
            "\"99999999999999999999%\" is too large");
}

TEST(UnitsLaw, WhatIsPrintedIsReadAsTheSame) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 10'000; ++i) {
    std::uint64_t value = random() >> random() % 64;
    if (random() % 2 == 0) value -= value % 100'000;
    ASSERT_EQ(ParseBitRate(FormatBitRate(value)), value);
    const nanoseconds duration(static_cast<std::int64_t>(value >> 1));
    ASSERT_EQ(ParseDuration(FormatDuration(duration)), duration);
    const auto part = static_cast<std::uint32_t>(value);
    ASSERT_EQ(ParsePercentage(FormatPercentage(part)), part);
  }
}

}  // namespace
}  // namespace uplinkd
