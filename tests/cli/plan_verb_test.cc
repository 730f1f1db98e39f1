// plan, and apply of a plan file, against an agent whose answers are scripted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/scripted_agent.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class PlanVerbTest : public ScriptedAgentTest {
 protected:
  PlanVerbTest() {
    Write("office.yaml", kGoodSpec);
    agent_.apply.set_generation(7);
    *agent_.apply.add_plan() =
        Line("+", "ip rule add priority 20011", "it is missing");
  }
};

TEST_F(PlanVerbTest, SavesThePlanAndApplyHoldsToIt) {
  const auto planned = Ask("plan -f office.yaml -o office.plan");
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_TRUE(agent_.apply_request.dry_run());
  EXPECT_EQ(planned.out,
            "+ ip rule add priority 20011  # it is missing\n"
            "1 created. Do just this with:\n"
            "  uplinkctl apply office.plan\n");
  const v1::Router router = agent_.apply_request.router();

  agent_.apply.set_in_sync(true);
  const auto applied = Ask("apply office.plan");
  ASSERT_EQ(applied.exit_code, 0) << applied.err;
  const v1::ApplyRequest& request = agent_.apply_request;
  EXPECT_FALSE(request.dry_run());
  EXPECT_EQ(request.expected_generation(), 7U);
  EXPECT_EQ(request.router().SerializeAsString(), router.SerializeAsString());
  ASSERT_EQ(request.expected_plan().lines_size(), 1);
  EXPECT_EQ(request.expected_plan().lines(0).command(),
            "ip rule add priority 20011");
  EXPECT_EQ(request.expected_plan().lines(0).sign(), "+");
}

TEST_F(PlanVerbTest, APlanOfNothingIsAPlan) {
  agent_.apply.clear_plan();
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  agent_.apply.set_in_sync(true);
  ASSERT_EQ(Ask("apply office.plan").exit_code, 0);
  EXPECT_TRUE(agent_.apply_request.has_expected_plan());
  EXPECT_EQ(agent_.apply_request.expected_plan().lines_size(), 0);
}

TEST_F(PlanVerbTest, ApplySaysThatTheKernelHasMoved) {
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  agent_.status = {grpc::ABORTED, "the kernel has moved since"};
  const auto result = Ask("apply office.plan");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "uplinkctl: the kernel has moved since\n");
}

TEST_F(PlanVerbTest, ApplyKnowsWhatIsNoPlan) {
  EXPECT_THAT(
      Ask("apply office.yaml").err,
      MatchesRegex("uplinkctl: office.yaml is no plan file \\([^\n]*\n"));
  EXPECT_EQ(Ask("apply missing.plan").err,
            "uplinkctl: missing.plan: No such file or directory\n");
  Write("other.plan", R"({"apiVersion": "uplinkd/v9", "kind": "Plan"})");
  EXPECT_THAT(Ask("apply other.plan").err, HasSubstr("uplinkd/v9"));
  Write("torn.plan", R"({"apiVersion": "uplinkd/v1", "kind": "Pl)");
  EXPECT_THAT(Ask("apply torn.plan").err, HasSubstr("torn.plan is no plan"));
  Write("newer.plan",
        R"({"apiVersion": "uplinkd/v1", "kind": "Plan", "colour": 1})");
  EXPECT_THAT(Ask("apply newer.plan").err, HasSubstr("colour"));
  Write("empty.plan", "");
  for (const char* file : {"office.yaml", "missing.plan", "other.plan",
                           "torn.plan", "newer.plan", "empty.plan"}) {
    EXPECT_EQ(Ask(std::string("apply ") + file).exit_code, 2) << file;
  }
  EXPECT_FALSE(agent_.apply_request.has_router());
}

TEST_F(PlanVerbTest, ApplyTakesASpecOrAPlan) {
  const auto neither = Ask("apply");
  EXPECT_EQ(neither.exit_code, 2);
  EXPECT_THAT(neither.err, HasSubstr("--file FILE or PLAN"));
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  EXPECT_EQ(Ask("apply -f office.yaml office.plan").exit_code, 2);
}

TEST_F(PlanVerbTest, SaysWhyItCannotWriteThePlan) {
  const auto result = Ask("plan -f office.yaml -o missing/office.plan");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err,
            "uplinkctl: missing/office.plan: No such file or directory\n");
  EXPECT_EQ(Ask("plan -f office.yaml -o /dev/full").err,
            "uplinkctl: /dev/full: No space left on device\n");
}

}  // namespace
}  // namespace uplinkd
