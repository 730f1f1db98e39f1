// Specs come, change, are refused and are remembered.
#include <fstream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SpecChange : public AgentLab {
 protected:
  std::string WriteSpec(const std::string& name, const std::string& text) {
    const std::string path = (lab_->directory() / name).string();
    std::ofstream(path) << text;
    return path;
  }
};

TEST_F(SpecChange, BadSpecChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  const std::string own = OwnState(lab_->router());
  const std::string foreign = ForeignState(lab_->router(), Counters::kIgnore);
  const std::string bad = WriteSpec("bad.yaml", R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: lab}
spec:
  lans:
    - {interface: lan0}
  uplinks:
    - {name: wan1, interface: wan1, adress: 198.18.1.2}
    - {name: wan1, interface: wan2, weight: -3}
  balance: {algorithm: least-loadde}
)");
  const CommandResult result = agent_->Ctl({"apply", "-f", bad});
  EXPECT_EQ(result.exit_code, 2) << result.output;
  // Every fault in one answer, each with its place.
  EXPECT_THAT(result.output,
              AllOf(HasSubstr("bad.yaml:8"), HasSubstr("bad.yaml:9"),
                    HasSubstr("bad.yaml:10"), HasSubstr("least-loaded")));
  EXPECT_EQ(OwnState(lab_->router()), own);
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kIgnore), foreign);
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->generation(), 1U);
  EXPECT_TRUE(InSync(*status));
}

TEST_F(SpecChange, SameSpecKeepsItsGeneration) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const Result<v1::ApplyResponse> again = agent_->Apply(LabSpec{}.Text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->unchanged());
  EXPECT_EQ(again->generation(), 1U);
  EXPECT_EQ(again->plan_size(), 0);
}

TEST_F(SpecChange, DryRunChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string spec = WriteSpec("lab.yaml", LabSpec{}.Text());
  const std::string before = ForeignState(lab_->router(), Counters::kCompare);
  const CommandResult dry = agent_->Ctl({"apply", "--dry-run", "-f", spec});
  EXPECT_EQ(dry.exit_code, 0) << dry.output;
  EXPECT_THAT(dry.output, HasSubstr("UPL-PREROUTING"));
  EXPECT_EQ(agent_->Ctl({"diff", "-f", spec}).exit_code, 1);
  EXPECT_EQ(OwnState(lab_->router()), "");
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), before);

  const CommandResult applied =
      agent_->Ctl({"apply", "--wait", "10s", "-f", spec});
  EXPECT_EQ(applied.exit_code, 0) << applied.output;
  const CommandResult same = agent_->Ctl({"diff", "-f", spec});
  EXPECT_EQ(same.exit_code, 0) << same.output;
}

TEST_F(SpecChange, ForeignStateOutlivesApplyAndCleanup) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string foreign = ForeignState(lab_->router(), Counters::kCompare);
  for (const char* algorithm : {"least-loaded", "weighted-random",
                                "round-robin", "source-hash", "multipath"}) {
    ASSERT_NO_FATAL_FAILURE(Apply({.algorithm = algorithm}));
    EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign)
        << algorithm;
  }
  const Result<v1::CleanupResponse> cleaned = agent_->Cleanup();
  ASSERT_TRUE(cleaned) << cleaned.error().message;
  EXPECT_EQ(OwnState(lab_->router()), "");
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign);
}

TEST_F(SpecChange, SecondAgentRefusesToStart) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  Result<std::unique_ptr<RouterAgent>> second = RouterAgent::Launch(
      *lab_, {.metrics_address = "127.0.0.1:9872", .name = "second"});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ((*second)->process().Wait(std::chrono::seconds(10)), 1);
  EXPECT_THAT((*second)->Log(), HasSubstr("another"));
  EXPECT_TRUE(agent_->Status());
}

TEST_F(SpecChange, RestartRemembersTheSpecAndWritesNothing) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.algorithm = "least-loaded"}));
  const std::string own = OwnState(lab_->router());
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  EXPECT_EQ(OwnState(lab_->router()), own);

  const std::string trace = (lab_->directory() / "trace").string();
  ASSERT_NO_FATAL_FAILURE(
      StartAgent({.wrapper = {"strace", "-D", "-f", "-o", trace, "-e",
                              "trace=sendmsg,sendto,setsockopt"}}));
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return InSync(status) && status.observed_generation() == 1;
  }));
  // A poll or two more.
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  const std::string writes =
      OnRouter("grep -E 'RTM_(NEW|DEL)|SET_REPLACE|SET_ADD_COUNTERS' " + trace +
               " || true")
          .output;
  EXPECT_EQ(writes, "");
  // The trace is not empty for another reason: it has the reads.
  EXPECT_NE(OnRouter("grep -c RTM_GETRULE " + trace).output, "0\n");
  EXPECT_EQ(OwnState(lab_->router()), own);
}

TEST_F(SpecChange, ConnectionsSucceedWhileTheSpecChangesFiftyTimes) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({.lines = std::vector<Line>(3)}, {.uplinks = 3}));
  const std::vector<std::string> algorithms = {"weighted-random",
                                               "least-loaded", "round-robin",
                                               "source-hash", "multipath"};
  ConnectionStream stream(lab_->client(), {});
  for (int i = 0; i < 50; ++i) {
    const std::string at = std::to_string(i);
    ASSERT_NO_FATAL_FAILURE(Apply(
        {.uplinks = i % 4 == 3 ? 2U : 3U,
         .algorithm =
             algorithms[static_cast<std::size_t>(i) / 2 % algorithms.size()],
         .capacities = {10 + i % 7, 20, 5 + i % 3},
         .nat = i % 5 == 4 ? "masquerade" : "snat",
         .revision = at}));
  }
  stream.Stop();
  EXPECT_THAT(stream.failures(), IsEmpty());
  EXPECT_GT(stream.connections(), 200);
  EXPECT_EQ(stream.sources().size(), 3U);
  // A lost first packet is sent again after a second.
  EXPECT_LT(stream.slowest(), std::chrono::milliseconds(900));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

}  // namespace
}  // namespace uplinkd::lab
