// A spec that nobody confirms, and an agent that is killed meanwhile: the next
// one returns to the old spec by itself, and what lives goes on.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::HasSubstr;

class Confirm : public AgentLab {
 protected:
  std::string WriteSpec(const LabSpec& spec) {
    const std::string path = (lab_->directory() / "risky.yaml").string();
    std::ofstream(path) << spec.Text();
    return path;
  }
};

// It takes the two seconds that the spec may wait.
TEST_F(Confirm, KilledMeanwhileItReturnsToTheOldSpec) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::string old = OwnState(lab_->router());
  // On an uplink that both specs have.
  Result<Connection> living = Connection::Open(lab_->client(), {});
  ASSERT_TRUE(living) << living.error().message;
  const Result<std::string> source = living->Ask();
  ASSERT_TRUE(source) << source.error().message;

  const std::string risky =
      WriteSpec({.algorithm = "round-robin", .capacities = {7, 3}});
  const CommandResult applied =
      agent_->Ctl({"apply", "-f", risky, "--confirm-within", "2s"});
  ASSERT_EQ(applied.exit_code, 0) << applied.output;
  EXPECT_THAT(applied.output, HasSubstr("uplinkctl confirm "));
  EXPECT_NE(OwnState(lab_->router()), old);
  const CommandResult other = agent_->Ctl({"apply", "-f", risky});
  EXPECT_EQ(other.exit_code, 2) << other.output;
  EXPECT_THAT(other.output, HasSubstr("uplinkctl cancel "));

  agent_->process().Signal(SIGKILL);
  agent_->process().Wait(std::chrono::seconds(20));
  agent_.reset();
  EXPECT_NE(OwnState(lab_->router()), old);
  EXPECT_EQ(living->Ask(), source);

  // The new spec in the file of --spec is what a fleet would have.
  ASSERT_NO_FATAL_FAILURE(StartAgent({.arguments = {"--spec", risky}}));
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return InSync(status) && status.observed_generation() == 3;
  }));
  EXPECT_EQ(OwnState(lab_->router()), old);
  EXPECT_EQ(living->Ask(), source);
  const CommandResult history = agent_->Ctl({"history"});
  EXPECT_THAT(history.output, HasSubstr("rolled-back"));
}

}  // namespace
}  // namespace uplinkd::lab
