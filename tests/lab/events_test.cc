// What the agent remembers of what happened.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class Events : public AgentLab {
 protected:
  std::string Ask(const std::vector<std::string>& arguments) const {
    std::vector<std::string> verb = {"events"};
    verb.insert(verb.end(), arguments.begin(), arguments.end());
    const CommandResult result = agent_->Ctl(verb);
    EXPECT_TRUE(result.Ok()) << result.output;
    return result.output;
  }
};

TEST_F(Events, TellWhichUplinkWentDownAndWhatWasDoneAlsoAfterARestart) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  const std::string down = "wan2 went down: ";
  EXPECT_TRUE(Eventually(
      [&] {
        return Ask({"--trigger", "uplink"}).find(down) != std::string::npos;
      },
      seconds(5)));
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
  EXPECT_THAT(Ask({"--result", "down", "--text", "wan2"}), HasSubstr(down));
  EXPECT_THAT(Ask({"--result", "down", "--text", "wan1"}),
              Not(HasSubstr("wan")));
  EXPECT_THAT(Ask({"--text", "wan2", "-o", "json", "-n", "0"}),
              HasSubstr("\"command\":\"ip route"));
}

}  // namespace
}  // namespace uplinkd::lab
