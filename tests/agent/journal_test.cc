// The agent's lines in a journal: a real journald, in namespaces of its own.
//
// Nothing of the machine's own is seen or touched: /run is a tmpfs of the
// test's, journald reads no kernel log and leaves auditing alone, and every
// process is gone with the first one of the process namespace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/agent/temporary_directory.h"
#include "tests/lab/process.h"

namespace uplinkd {
namespace {

using lab::CommandResult;
using lab::Namespace;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryDirectory;

constexpr const char* kSpec = R"(
apiVersion: uplinkd/v1
kind: Router
metadata: {name: office, revision: 4f2c}
spec:
  lans:
    - {interface: lan0, networks: [192.168.10.0/24]}
  uplinks:
    - {name: wan1, interface: wan1, capacity: {download: 40mbit}}
    - {name: wan2, interface: wan2, capacity: {download: 10mbit}}
)";

// $1: the directory of the test. JOURNAL_STREAM is set as systemd does.
constexpr const char* kAgent = R"(
mount -t tmpfs tmpfs /run
agent() {
  export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2)
  exec $UPLINKD --spec $1/router.yaml --listen unix:$1/sock \
    --metrics-listen '' --hooks-dir '' --state-dir $1/state \
    --iproute2-dir $1/iproute2
}
until_it_is_so() {
  for i in $(seq 500); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.01
  done
  echo "it never came so: $*"
  exit 1
}
)";

constexpr const char* kWithJournald = R"(
mkdir -p /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=\n' \
  >/run/systemd/journald.conf.d/test.conf
export SYSTEMD_LOG_TARGET=console
/lib/systemd/systemd-journald 2>$1/journald.log &
until_it_is_so test -S /run/systemd/journal/stdout
until_it_is_so test -S /run/systemd/journal/socket
lines() { journalctl --quiet --directory /run/log/journal/* -o json "$@"; }
has() { lines "$@" | grep -q .; }

export -f agent
systemd-cat bash -c "agent $1" &
agent=$!
until_it_is_so $UPLINKCTL --address unix:$1/sock drain wan2
until_it_is_so has UPLINKD_EVENT=drain
kill $agent
wait $agent
lines _PID=$agent >$1/lines.json
lines UPLINKD_UPLINK=wan2 UPLINKD_EVENT=drain >$1/drain.json
)";

constexpr const char* kWithoutJournald = R"(
agent $1 2>$1/log &
agent=$!
until_it_is_so grep -q 'serves on' $1/log
kill $agent
wait $agent
)";

std::vector<json> LinesOf(const std::string& text) {
  std::vector<json> lines;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

class Journal : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Result<Namespace> made = Namespace::Create();
    ASSERT_TRUE(made) << made.error().message;
    namespace_.emplace(std::move(*made));
    directory_.Write("router.yaml", kSpec);
  }

  CommandResult Run(const std::string& script) const {
    return lab::Command(
        *namespace_, {"unshare", "--mount", "--propagation", "private", "--pid",
                      "--fork", "--kill-child", "--mount-proc", "timeout", "60",
                      "env", std::string("UPLINKD=") + UPLINKD_PROGRAM,
                      std::string("UPLINKCTL=") + UPLINKCTL_PROGRAM, "bash",
                      "-euc", kAgent + script, "bash", directory_.path()});
  }

  // The first line with these fields; null if there is none.
  static json Find(const std::vector<json>& lines, const json& fields) {
    for (const json& line : lines) {
      json merged = line;
      merged.update(fields);
      if (merged == line) return line;
    }
    return nullptr;
  }

  TemporaryDirectory directory_;
  std::optional<Namespace> namespace_;
};

TEST_F(Journal, HasTheAgentsLinesWithTheirFields) {
  const CommandResult run = Run(kWithJournald);
  ASSERT_TRUE(run.Ok()) << run.output << directory_.Read("journald.log");
  const std::vector<json> lines = LinesOf(directory_.Read("lines.json"));

  const json accepted =
      Find(lines, {{"UPLINKD_EVENT", "spec"}, {"UPLINKD_RESULT", "accepted"}});
  ASSERT_TRUE(accepted.is_object()) << directory_.Read("lines.json");
  EXPECT_EQ(accepted["UPLINKD_GENERATION"], "1");
  EXPECT_EQ(accepted["UPLINKD_REVISION"], "4f2c");
  EXPECT_EQ(accepted["UPLINKD_FROM"], directory_ / "router.yaml");
  // Neither time nor level in the message: the journal has both.
  EXPECT_EQ(accepted["MESSAGE"],
            "accepted the spec \"office\" as generation 1, revision 4f2c "
            "(from " +
                (directory_ / "router.yaml") + ")");
  EXPECT_EQ(accepted["PRIORITY"], "6");
  EXPECT_EQ(accepted["SYSLOG_IDENTIFIER"], "uplinkd");
  EXPECT_EQ(accepted["_TRANSPORT"], "journal");

  const json pass =
      Find(lines, {{"UPLINKD_EVENT", "pass"}, {"UPLINKD_RESULT", "changed"}});
  ASSERT_TRUE(pass.is_object()) << directory_.Read("lines.json");
  EXPECT_EQ(pass["UPLINKD_GENERATION"], "1");
  EXPECT_TRUE(pass.contains("UPLINKD_TRIGGER"));
  EXPECT_THAT(pass["UPLINKD_PLAN"].get<std::string>(), HasSubstr("chains +"));

  const json down =
      Find(lines, {{"UPLINKD_EVENT", "uplink"}, {"UPLINKD_UPLINK", "wan1"}});
  ASSERT_TRUE(down.is_object()) << directory_.Read("lines.json");
  EXPECT_EQ(down["UPLINKD_CHANGE"], "down");
  EXPECT_EQ(down["UPLINKD_PHASE"], "Waiting");
  EXPECT_EQ(down["PRIORITY"], "4");

  // The journal's own search finds them.
  const std::vector<json> drains = LinesOf(directory_.Read("drain.json"));
  ASSERT_EQ(drains.size(), 1u);
  EXPECT_THAT(drains[0]["MESSAGE"].get<std::string>(),
              StartsWith("drains uplink wan2 (from root (uid 0, pid "));
  EXPECT_EQ(drains[0]["UPLINKD_GENERATION"], "1");
}

TEST_F(Journal, ThatIsGoneLosesNoLine) {
  const CommandResult run = Run(kWithoutJournald);
  ASSERT_TRUE(run.Ok()) << run.output << directory_.Read("log");
  EXPECT_THAT(directory_.Read("log"),
              ::testing::ContainsRegex(
                  "[0-9]Z info accepted the spec \"office\" as generation 1"));
}

}  // namespace
}  // namespace uplinkd
