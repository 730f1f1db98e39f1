// A new agent over what an older one left: the kernel's state and the state
// directory of tests/upgrade/DATE, as that agent wrote them. Connections that
// the old chains gave their uplinks keep them, and new ones come through all
// the while.
#include <filesystem>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Upgrade : public AgentLab {
 protected:
  // As if that agent had just been stopped.
  void BeginWithOld(const std::string& date) {
    ASSERT_NO_FATAL_FAILURE(
        BuildLab({.lines = std::vector<Line>(3), .client_addresses = 6}));
    ASSERT_NO_FATAL_FAILURE(AddForeign());
    const std::filesystem::path old =
        std::filesystem::path(UPLINKD_UPGRADES) / date;
    const CommandResult made =
        OnRouter("sh " + (old / "kernel.sh").string() + " 2>&1");
    ASSERT_EQ(made.exit_code, 0) << made.output;
    std::filesystem::copy(old / "state", lab_->directory() / "agent.state");
  }
};

TEST_F(Upgrade, OverTheFirstOneNoConnectionIsLost) {
  ASSERT_NO_FATAL_FAILURE(BeginWithOld("2026-11-24"));
  const std::string foreign = ForeignState(lab_->router(), Counters::kIgnore);
  const std::string old = OwnState(lab_->router());
  std::vector<Connection> living;
  std::vector<std::string> sources;
  ASSERT_NO_FATAL_FAILURE(Connect(60, 6, &living, &sources));
  ASSERT_THAT(Tally(sources), SizeIs(3)) << "each uplink has some";

  ConnectionStream stream(lab_->client(), {});
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return InSync(status) && status.observed_generation() == 1;
  }));
  stream.Stop();
  EXPECT_NE(OwnState(lab_->router()), old) << "there was nothing to upgrade";
  EXPECT_THAT(stream.failures(), IsEmpty());
  EXPECT_GT(stream.connections(), 0);
  // A lost first packet is sent again after a second.
  EXPECT_LT(stream.slowest(), std::chrono::milliseconds(900));
  std::vector<std::string> now;
  for (Connection& connection : living) {
    now.push_back(connection.Ask().value_or("lost"));
  }
  EXPECT_EQ(now, sources);
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kIgnore), foreign);
  EXPECT_EQ(lab_->WrongSources(), 0U);

  // What it made of it is what it makes from nothing.
  const std::string upgraded = OwnState(lab_->router());
  const CommandResult spec = agent_->Ctl({"get"});
  ASSERT_EQ(spec.exit_code, 0) << spec.output;
  ASSERT_TRUE(agent_->Cleanup());
  EXPECT_EQ(OwnState(lab_->router()), "");
  ASSERT_TRUE(agent_->Apply(spec.output));
  EXPECT_EQ(OwnState(lab_->router()), upgraded);
}

}  // namespace
}  // namespace uplinkd::lab
