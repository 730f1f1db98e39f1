// plan, and apply of a plan file, against an agent whose answers are scripted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
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
    Follow("office");
  }
  // What the agent follows, with the generation of the plan.
  void Follow(const std::string& name) {
    agent_.get.set_generation(7);
    agent_.get.mutable_router()->mutable_metadata()->set_name(name);
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

TEST_F(PlanVerbTest, ApplyRefusesThePlanOfAnotherRouter) {
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  agent_.apply_request.Clear();
  Follow("lab");
  const auto result = Ask("apply office.plan");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err,
            "uplinkctl: office.plan was made for the router \"office\", and "
            "this is \"lab\"; nothing was changed\n");
  agent_.get.set_generation(8);
  EXPECT_THAT(Ask("apply office.plan").err,
              HasSubstr("the spec is of generation 8, not 7"));
  EXPECT_FALSE(agent_.apply_request.has_router());
}

TEST_F(PlanVerbTest, APlanForTheFirstSpecIsForTheFirstSpec) {
  agent_.apply.set_generation(0);
  agent_.get.Clear();
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  agent_.apply.set_in_sync(true);
  EXPECT_EQ(Ask("apply office.plan").exit_code, 0);
  agent_.apply_request.Clear();
  agent_.status_response.mutable_status()->set_generation(1);
  const auto result = Ask("apply office.plan");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("the spec is of generation 1, not 0"));
  EXPECT_FALSE(agent_.apply_request.has_router());
}

TEST_F(PlanVerbTest, APlanIsOfOneGeneration) {
  agent_.get.set_generation(8);
  const auto result = Ask("plan -f office.yaml -o office.plan");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("make a new plan"));
  EXPECT_FALSE(std::filesystem::exists(directory() / "office.plan"));
}

TEST_F(PlanVerbTest, ApplyRefusesAPlanThatWasChanged) {
  ASSERT_EQ(Ask("plan -f office.yaml -o office.plan").exit_code, 0);
  agent_.apply_request.Clear();
  for (const char* change :
       {"s/\"name\": \"office\"/\"name\": \"lab\"/",
        "s/\"routerName\": \"office\"/\"routerName\": \"lab\"/",
        "s/20011/20012/", "s/\"generation\": \"7\"/\"generation\": \"8\"/",
        "s/\"sha256\": \"[^\"]*\"/\"sha256\": \"\"/"}) {
    ASSERT_EQ(Sh(std::string("sed '") + change +
                 "' office.plan >changed.plan; ! cmp -s office.plan "
                 "changed.plan")
                  .exit_code,
              0)
        << change;
    const auto result = Ask("apply changed.plan");
    EXPECT_EQ(result.exit_code, 2) << change;
    EXPECT_EQ(result.err,
              "uplinkctl: changed.plan was changed since it was made; nothing "
              "was applied, make a new plan\n");
  }
  EXPECT_FALSE(agent_.apply_request.has_router());
}

TEST_F(PlanVerbTest, WritesOverNothingButPlans) {
  agent_.apply_request.Clear();
  ASSERT_EQ(Sh("ln office.yaml link.yaml; ln -s office.yaml soft.yaml; "
               "echo notes >notes.txt; : >empty")
                .exit_code,
            0);
  for (const char* file :
       {"office.yaml", "./office.yaml", "link.yaml", "soft.yaml"}) {
    const auto result = Ask(std::string("plan -f office.yaml -o ") + file);
    EXPECT_EQ(result.exit_code, 2) << file;
    EXPECT_THAT(result.err, HasSubstr("is the spec itself"));
  }
  EXPECT_THAT(Ask("plan -f - -o office.yaml <office.yaml").err,
              HasSubstr("is the spec itself"));
  const auto notes = Ask("plan -f office.yaml -o notes.txt");
  EXPECT_EQ(notes.exit_code, 2);
  EXPECT_THAT(notes.err, HasSubstr("notes.txt exists and is no plan file"));
  EXPECT_FALSE(agent_.apply_request.has_router());
  EXPECT_EQ(Read("office.yaml"), kGoodSpec);
  EXPECT_EQ(Read("notes.txt"), "notes\n");
  EXPECT_EQ(Ask("plan -f office.yaml -o empty").exit_code, 0);
  EXPECT_EQ(Ask("plan -f office.yaml -o empty").exit_code, 0);
  EXPECT_EQ(Ask("plan -f office.yaml -o new").exit_code, 0);
}

TEST_F(PlanVerbTest, APlanKeepsAllThatASpecCanSay) {
  Write("all.yaml", R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office, revision: "git:1 é"}
spec:
  lans: [{interface: lan0, networks: [192.168.10.0/24]}]
  uplinks:
    - {name: wan1, interface: wan1, weight: 3, capacity: {download: 20mbit},
       health: {probes: [{icmp: 192.0.2.53}, {tcp: "192.0.2.7:443"}],
                interval: 1500ms}}
    - {name: wan2, interface: wan2, capacity: {download: 10mbit}, weight: 1}
)");
  ASSERT_EQ(Ask("plan -f all.yaml -o all.plan").exit_code, 0);
  agent_.apply.set_in_sync(true);
  const auto applied = Ask("apply all.plan");
  EXPECT_EQ(applied.exit_code, 0) << applied.err;
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
