// What events asks for, and how it shows the answer.
#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class EventsVerbTest : public ScriptedAgentTest {
 protected:
  EventsVerbTest() {
    v1::Event& down = *agent_.events.add_events();
    *down.mutable_time() = TimeUtil::SecondsToTimestamp(1795694700);
    down.set_trigger("uplink");
    down.set_result("down");
    down.set_message("wan2 went down: no probe was answered");
    v1::Event& pass = *agent_.events.add_events();
    *pass.mutable_time() = TimeUtil::SecondsToTimestamp(1795694701);
    pass.set_trigger("health");
    pass.set_result("changed");
    *pass.add_plan() = Line("-", "iptables-legacy -t mangle -D UPL-FATE",
                            "wan2 is down", "done");
    pass.set_omitted_lines(7);
  }
};

TEST_F(EventsVerbTest, ShowsWhatHappenedAndWhatWasDone) {
  const ProgramResult result = Ask("events");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "2026-11-26T12:05:00Z uplink down: wan2 went down: no probe was "
            "answered\n"
            "2026-11-26T12:05:01Z health changed\n"
            "- iptables-legacy -t mangle -D UPL-FATE  # wan2 is down\n"
            "... and 7 more\n");
  EXPECT_EQ(agent_.events_request.count(), 50U);
  EXPECT_FALSE(agent_.events_request.has_since());
}

TEST_F(EventsVerbTest, AsksForLess) {
  EXPECT_EQ(Ask("events --since 1h --trigger uplink --result down "
                "--text \"wan2 went\" -n 3")
                .exit_code,
            0);
  const v1::EventsRequest& request = agent_.events_request;
  EXPECT_EQ(request.trigger(), "uplink");
  EXPECT_EQ(request.result(), "down");
  EXPECT_EQ(request.text(), "wan2 went");
  EXPECT_EQ(request.count(), 3U);
  const auto age = TimeUtil::GetCurrentTime() - request.since();
  EXPECT_NEAR(static_cast<double>(age.seconds()), 3600, 60);
}

TEST_F(EventsVerbTest, IsOneObjectPerLineForMachines) {
  const ProgramResult result = Ask("events -o json");
  std::istringstream lines(result.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    v1::Event event;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(line, &event).ok())
        << line;
    EXPECT_EQ(event.result(), agent_.events.events(count).result());
  }
  EXPECT_EQ(count, 2);
  EXPECT_THAT(Ask("events -o yaml").out, HasSubstr("---\n"));
}

TEST_F(EventsVerbTest, LetsNobodyForgeALineOrSteerTheTerminal) {
  v1::Event& event = *agent_.events.add_events();
  event.set_trigger("pause");
  event.set_result("begun");
  event.set_message(
      "why\n2026-11-26T12:05:02Z info FAKE \x1b[31mred \xc2\x9bm");
  for (const char* colour : {"never", "always"}) {
    const ProgramResult result = Ask(std::string("events --color ") + colour);
    EXPECT_THAT(result.out, EndsWith(": why\\n2026-11-26T12:05:02Z info FAKE "
                                     "\\x1b[31mred \\x9bm\n"));
  }
  // Programs get what was written.
  const ProgramResult json = Ask("events -o json");
  EXPECT_THAT(json.out, HasSubstr("why\\n2026"));
  EXPECT_THAT(json.out, HasSubstr("\\u001b[31mred"));
}

TEST_F(EventsVerbTest, RefusesWhatIsNoTime) {
  EXPECT_EQ(Ask("events --since yesterday").exit_code, 2);
}

}  // namespace
}  // namespace uplinkd
