// One line with its fields for whatever somebody asks of the engine.
#include "agent/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/captured_log.h"

namespace uplinkd {
namespace {

using nlohmann::json;
using testing::JsonLog;

// The line but for the time.
json OnlyLine(JsonLog& log) {
  const std::vector<json> lines = log.Lines();
  if (lines.size() != 1) return json(lines);
  json line = lines[0];
  line.erase("time");
  return line;
}

Spec Office() {
  Spec spec;
  spec.name = "office";
  spec.revision = "4f2c";
  return spec;
}

TEST(RequestLog, SaysWhoGaveAnAcceptedSpec) {
  JsonLog log;
  LogOffer({.spec = Office(), .from = "/etc/uplinkd/router.yaml"},
           SpecLedger::Accepted{7, false});
  EXPECT_EQ(OnlyLine(log),
            json({{"level", "info"},
                  {"message",
                   "accepted the spec \"office\" as generation 7, revision "
                   "4f2c (from /etc/uplinkd/router.yaml)"},
                  {"event", "spec"},
                  {"from", "/etc/uplinkd/router.yaml"},
                  {"spec", "office"},
                  {"revision", "4f2c"},
                  {"generation", 7},
                  {"result", "accepted"}}));
}

TEST(RequestLog, SaysWhyASpecIsRefused) {
  JsonLog log;
  LogOffer({.spec = Office()},
           Fail(ErrorCode::kAborted, "the spec is of generation 7, not 6"));
  EXPECT_EQ(OnlyLine(log),
            json({{"level", "warning"},
                  {"message",
                   "refused the spec \"office\" (from client): the spec is of "
                   "generation 7, not 6"},
                  {"event", "spec"},
                  {"from", "client"},
                  {"spec", "office"},
                  {"revision", "4f2c"},
                  {"result", "refused"},
                  {"error", "the spec is of generation 7, not 6"}}));
}

TEST(RequestLog, ASpecThatIsFollowedAlreadyIsNoNews) {
  JsonLog log;
  LogOffer({.spec = Office()}, SpecLedger::Accepted{7, true});
  const json line = OnlyLine(log);
  EXPECT_EQ(line["level"], "debug");
  EXPECT_EQ(line["result"], "unchanged");
}

TEST(RequestLog, TellsOfADrainWithItsDeadline) {
  JsonLog log;
  LogDrain(kClient, 3, "wan2",
           std::optional(DrainLedger::WallTime(std::chrono::seconds(60))));
  EXPECT_EQ(OnlyLine(log),
            json({{"level", "info"},
                  {"message",
                   "drains uplink wan2 until 1970-01-01T00:01:00Z (from "
                   "client)"},
                  {"event", "drain"},
                  {"from", "client"},
                  {"generation", 3},
                  {"uplink", "wan2"},
                  {"deadline", "1970-01-01T00:01:00Z"},
                  {"result", "done"}}));
}

TEST(RequestLog, TellsOfADrainThatIsRefused) {
  JsonLog log;
  LogDrain(kClient, 3, "wan9", Fail(ErrorCode::kNotFound, "no such uplink"));
  const json line = OnlyLine(log);
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["result"], "refused");
  EXPECT_EQ(line["error"], "no such uplink");
}

TEST(RequestLog, TellsOfTheEndOfADrain) {
  JsonLog log;
  LogUndrain(kClient, 3, "wan2", {});
  const json line = OnlyLine(log);
  EXPECT_EQ(line["message"], "drains uplink wan2 no longer (from client)");
  EXPECT_EQ(line["event"], "undrain");
  EXPECT_EQ(line["result"], "done");
}

TEST(RequestLog, TellsWhatACleanupRemoved) {
  Report report;
  Step step;
  step.change = RemoveRule{PolicyRule{}};
  report.plan.steps = {step, step};
  report.outcomes = {{}, {}};
  JsonLog log;
  LogCleanUp(kClient, 3, report);
  const json line = OnlyLine(log);
  EXPECT_EQ(line["message"],
            "cleaned up: rules -2; the spec is forgotten (from client)");
  EXPECT_EQ(line["event"], "cleanup");
  EXPECT_EQ(line["generation"], 3);
  EXPECT_EQ(line["plan"], "rules -2");
  EXPECT_EQ(line["result"], "done");
}

}  // namespace
}  // namespace uplinkd
