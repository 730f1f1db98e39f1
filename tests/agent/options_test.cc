#include "agent/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

tl::expected<AgentOptions, EarlyExit> Parse(
    const std::vector<const char*>& arguments) {
  return ParseOptions(arguments);
}

TEST(Options, DefaultsAreTheDocumentedOnes) {
  const auto options = Parse({});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->access.sockets,
              ElementsAre("/run/uplinkd/uplinkd.sock"));
  EXPECT_EQ(options->metrics_listen, "127.0.0.1:9871");
  EXPECT_EQ(options->state_dir, "/var/lib/uplinkd");
  EXPECT_EQ(options->iproute2_dir, "/etc/iproute2");
  EXPECT_EQ(options->hooks_dir, "/etc/uplinkd/hooks.d");
  EXPECT_EQ(options->spec_file, "");
  EXPECT_FALSE(options->log_json);
}

TEST(Options, TakesSeveralListenAddressesInBothSpellings) {
  const auto options =
      Parse({"--listen", "unix:///run/a.sock", "--listen=unix:/run/b.sock"});
  ASSERT_TRUE(options);
  EXPECT_THAT(options->access.sockets,
              ElementsAre("/run/a.sock", "/run/b.sock"));
}

TEST(Options, EmptyValuesDisable) {
  const auto options =
      Parse({"--metrics-listen", "", "--iproute2-dir", "", "--hooks-dir", ""});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->hooks_dir, "");
  EXPECT_EQ(options->metrics_listen, "");
  EXPECT_EQ(options->iproute2_dir, "");
}

TEST(Options, AnEmptyValueBehindAnEqualsSignIsOne) {
  const auto options =
      Parse({"--iproute2-dir=", "--metrics-listen=", "--hooks-dir=/x"});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->iproute2_dir, "");
  EXPECT_EQ(options->metrics_listen, "");
  EXPECT_EQ(options->hooks_dir, "/x");
  const auto last = Parse({"--hooks-dir="});
  ASSERT_TRUE(last) << last.error().text;
  EXPECT_EQ(last->hooks_dir, "");
  const auto version = Parse({"--hooks-dir=", "--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().text, "uplinkd " UPLINKD_VERSION "\n");
}

TEST(Options, TheNextOptionIsNoValue) {
  const auto options = Parse({"--hooks-dir", "--version"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().status, kExitBadInput);
  EXPECT_THAT(options.error().text,
              HasSubstr("the value is missing: --version is an option"));
  EXPECT_FALSE(Parse({"--metrics-listen", "--hooks-dir=/x"}));
  EXPECT_FALSE(Parse({"--listen", "--state-dir=/s"}));
}

TEST(Options, TakesTheOthers) {
  const auto options = Parse({"--state-dir", "/s", "--spec", "/f.yaml",
                              "--log-level", "debug", "--log-format", "json"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->state_dir, "/s");
  EXPECT_EQ(options->spec_file, "/f.yaml");
  EXPECT_EQ(options->log_level, "debug");
  EXPECT_TRUE(options->log_json);
}

TEST(Options, RefusesTcpWithoutMutualTls) {
  const auto options = Parse({"--listen", "0.0.0.0:7000"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().status, kExitBadInput);
  EXPECT_THAT(options.error().text, HasSubstr("mutual TLS"));
  EXPECT_THAT(options.error().text, HasSubstr("unix:///run/uplinkd"));
  const auto bare = Parse({"--listen", "tcp://127.0.0.1:9870", "--tls-key", "k",
                           "--tls-certificate", "c", "--roles", "r"});
  ASSERT_FALSE(bare);
  EXPECT_THAT(bare.error().text, HasSubstr("give --tls-client-ca as well"));
  const auto idle = Parse({"--roles", "r"});
  ASSERT_FALSE(idle);
  EXPECT_THAT(idle.error().text, HasSubstr("--listen tcp://ADDRESS:PORT"));
}

TEST(Options, TakesTcpWithAllOfIt) {
  const auto options = Parse(
      {"--listen", "tcp://[::1]:9870", "--listen", "unix:/run/a.sock",
       "--tls-key", "k", "--tls-certificate", "c", "--tls-client-ca", "a",
       "--roles", "r", "--socket-group", "ops", "--reader-group", "graphs"});
  ASSERT_TRUE(options) << options.error().text;
  ASSERT_EQ(options->access.tcp.size(), 1U);
  EXPECT_EQ(options->access.tcp[0].Text(), "[::1]:9870");
  EXPECT_THAT(options->access.sockets, ElementsAre("/run/a.sock"));
  EXPECT_EQ(options->access.reader_group, "graphs");
  for (const char* wrong :
       {"tcp://localhost:9870", "tcp://127.0.0.1", "tcp://::1:9870",
        "tcp://127.0.0.1:99999", "tcp://[127.0.0.1]:1"}) {
    EXPECT_FALSE(Parse({"--listen", wrong})) << wrong;
  }
}

TEST(Options, RefusesRelativeAndOverlongSocketPaths) {
  EXPECT_FALSE(Parse({"--listen", "unix:relative.sock"}));
  const std::string longest = "unix:/" + std::string(106, 'x');
  EXPECT_TRUE(Parse({"--listen", longest.c_str()}));
  const std::string too_long = longest + "x";
  EXPECT_FALSE(Parse({"--listen", too_long.c_str()}));
}

TEST(Options, MistakesAreStatusTwoAndPointToHelp) {
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"--no-such-flag"},
                                             {"--log-level", "loud"},
                                             {"--log-format", "xml"},
                                             {"stray"},
                                             {"--spec"}}) {
    const auto options = Parse(arguments);
    ASSERT_FALSE(options) << arguments.front();
    EXPECT_EQ(options.error().status, kExitBadInput);
    EXPECT_THAT(options.error().text, HasSubstr("--help"));
  }
}

TEST(Options, VersionAndHelpAreNoMistakes) {
  const auto version = Parse({"--version"});
  ASSERT_FALSE(version);
  EXPECT_EQ(version.error().status, kExitOk);
  EXPECT_EQ(version.error().text, "uplinkd " UPLINKD_VERSION "\n");

  const auto help = Parse({"--help"});
  ASSERT_FALSE(help);
  EXPECT_EQ(help.error().status, kExitOk);
}

TEST(Options, HelpTeaches) {
  const auto help = Parse({"--help"});
  ASSERT_FALSE(help);
  for (const char* taught :
       {"--listen", "--metrics-listen", "--state-dir", "--spec", "--log-level",
        "--log-format", "--iproute2-dir", "--hooks-dir", "Examples:", "SIGHUP",
        "SIGTERM", "Exit status:", "spec.json", "uplinkctl apply"}) {
    EXPECT_THAT(help.error().text, HasSubstr(taught));
  }
}

}  // namespace
}  // namespace uplinkd
