// What the agent cannot do now: it says so by name, does not crash, and goes on
// when it can.
#include <fstream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

bool HasReason(const v1::Status& status, const std::string& reason) {
  const v1::Condition* programmed = FindCondition(status, "Programmed");
  return programmed != nullptr && programmed->status() == "False" &&
         programmed->reason() == reason && !programmed->message().empty();
}

class Trouble : public AgentLab {};

TEST_F(Trouble, LockThatIsHeldTooLongIsNamedAndHeals) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  Result<Process> holder = Process::Start(
      lab_->router(),
      {.arguments = {"flock", (lab_->directory() / "xtables.lock").string(),
                     "sleep", "7"}});
  ASSERT_TRUE(holder) << holder.error().message;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const Result<v1::ApplyResponse> accepted =
      agent_->Apply(LabSpec{}.Text(), RouterAgent::Patience(0));
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return HasReason(status, "LockTimeout");
  }));
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync, std::chrono::seconds(15)));
  EXPECT_EQ(Shares(40).size(), 2U);
}

TEST_F(Trouble, MissingCapabilityIsNamed) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  const std::string before = ForeignState(lab_->router(), Counters::kCompare);
  ASSERT_NO_FATAL_FAILURE(
      StartAgent({.wrapper = {"setpriv", "--bounding-set=-net_admin",
                              "--inh-caps=-net_admin"}}));
  const Result<v1::ApplyResponse> accepted =
      agent_->Apply(LabSpec{}.Text(), RouterAgent::Patience(0));
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return HasReason(status, "PermissionDenied");
  }));
  EXPECT_EQ(OwnState(lab_->router()), "");
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), before);
  EXPECT_TRUE(agent_->process().Running());
}

TEST_F(Trouble, ForeignRouteInOurPlaceIsNamedAndLeftAlone) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_TRUE(OnRouter("ip route add default via 198.18.2.1 dev wan2 table 12 "
                       "proto static")
                  .Ok());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const Result<v1::ApplyResponse> accepted =
      agent_->Apply(LabSpec{}.Text(), RouterAgent::Patience(0));
  ASSERT_TRUE(accepted) << accepted.error().message;
  const auto names_it = [](const v1::Status& status) {
    return status.ShortDebugString().find("198.18.2.1") != std::string::npos &&
           FindCondition(status, "Degraded") != nullptr &&
           FindCondition(status, "Degraded")->status() == "True";
  };
  ASSERT_NO_FATAL_FAILURE(WaitFor(names_it));
  EXPECT_NE(OnRouter("ip -N route show table 12").output.find("proto 4"),
            std::string::npos);
  // Once it is gone, the agent's own takes its place.
  ASSERT_TRUE(OnRouter("ip route del default via 198.18.2.1 table 12").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
}

}  // namespace
}  // namespace uplinkd::lab
