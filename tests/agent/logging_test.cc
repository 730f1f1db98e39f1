#include "agent/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "agent/journal_sink.h"
#include "tests/agent/captured_log.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using testing::JsonLog;

constexpr auto kInfo = spdlog::level::info;

TEST(Logging, QuotesForJson) {
  EXPECT_EQ(QuoteJson("a \"b\" \\ c\n\x01"), R"("a \"b\" \\ c\n\u0001")");
  EXPECT_EQ(QuoteJson("größer"), "\"größer\"");
  EXPECT_EQ(QuoteJson("a\xff\xc3z"), "\"a\uFFFD\uFFFDz\"");
}

TEST(Logging, WritesOneJsonObjectPerLine) {
  JsonLog log;
  spdlog::info("say \"{}\"", "yes");
  EXPECT_THAT(log.Read(), ::testing::MatchesRegex(
                              R"(\{"time":"[-0-9T:.]+Z","level":"info",)"
                              R"("message":"say \\"yes\\""\})"
                              "\n"));
}

TEST(Logging, SaysNothingBelowItsLevel) {
  const auto before = spdlog::default_logger();
  ::testing::internal::CaptureStderr();
  SetUpLogging("warn", true);
  Log(kInfo, "not this", {{"event", "pass"}});
  spdlog::set_default_logger(before);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Logging, FieldsAreStringsAndNumbersBesideTheMessage) {
  JsonLog log;
  Log(kInfo, "a pass",
      {{"event", "pass"},
       {"generation", std::uint64_t{18446744073709551615u}},
       {"change", -3},
       {"error", ""}});
  EXPECT_THAT(log.Read(), HasSubstr(R"("message":"a pass","event":"pass",)"
                                    R"("generation":18446744073709551615,)"
                                    R"("change":-3})"
                                    "\n"));
}

TEST(Logging, FieldsBelongToTheirLineAlone) {
  JsonLog log;
  Log(kInfo, "first", {{"uplink", "wan1"}});
  spdlog::info("second");
  const std::vector<nlohmann::json> lines = log.Lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(lines[0].contains("uplink"));
  EXPECT_FALSE(lines[1].contains("uplink"));
}

TEST(Logging, BearsHostileTextInFields) {
  const std::string hostile =
      "a\nlevel=\"error\"\\ {} %s \xc3\x28 \x1b[31m \x7f=";
  JsonLog log;
  Log(kInfo, hostile, {{"error", hostile}, {"uplink", "\",\"level\":\"x"}});
  const std::vector<nlohmann::json> lines = log.Lines();
  ASSERT_EQ(lines.size(), 1u);
  const std::string seen = "a\nlevel=\"error\"\\ {} %s \uFFFD( \x1b[31m \x7f=";
  EXPECT_EQ(lines[0]["message"], seen);
  EXPECT_EQ(lines[0]["error"], seen);
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["uplink"], "\",\"level\":\"x");
}

TEST(Logging, ATextLineIsOneLineWithoutFields) {
  const auto before = spdlog::default_logger();
  ::testing::internal::CaptureStderr();
  SetUpLogging("info", false);
  Log(kInfo, "hook: a\n2026-11-27T00:00:00.000Z error forged\x1b[0m",
      {{"uplink", "wan1"}});
  spdlog::set_default_logger(before);
  EXPECT_THAT(
      ::testing::internal::GetCapturedStderr(),
      ::testing::MatchesRegex("[-0-9T:.]+Z info hook: a\\\\n2026-11-27T00:00:"
                              "00.000Z error forged\\\\x1b.0m\n"));
}

// systemd.journal-fields(7): capital letters, digits and underscores, no
// digit or underscore in front.
TEST(Logging, NamesFieldsAsTheJournalAllows) {
  EXPECT_EQ(JournalName("uplink"), "UPLINKD_UPLINK");
  EXPECT_EQ(JournalName("before_since"), "UPLINKD_BEFORE_SINCE");
  EXPECT_EQ(JournalName("a=b\nc-\xc3\xb6"), "UPLINKD_A_B_C___");
  EXPECT_EQ(JournalName(std::string(100, 'x')).size(), 64u);
}

TEST(Logging, KnowsTheJournalByDeviceAndInode) {
  struct stat file {};
  ASSERT_EQ(fstat(STDERR_FILENO, &file), 0);
  const std::string stream =
      std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  unsetenv("JOURNAL_STREAM");
  EXPECT_FALSE(StderrIsTheJournal());
  for (const auto& [value, is] : {std::pair(stream, true),
                                  {stream + "1", false},
                                  {"", false},
                                  {"nonsense", false}}) {
    setenv("JOURNAL_STREAM", value.c_str(), 1);
    EXPECT_EQ(StderrIsTheJournal(), is) << value;
  }
  unsetenv("JOURNAL_STREAM");
}

}  // namespace
}  // namespace uplinkd
