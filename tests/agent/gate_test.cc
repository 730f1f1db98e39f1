#include "agent/gate.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <array>
#include <iterator>
#include <list>
#include <vector>

#include "tests/agent/captured_log.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

const Caller kRoot{"root (uid 0, pid 1)", "uid 0", Role::kOperator};
const Caller kAlice{"alice (uid 1000, pid 2)", "uid 1000", Role::kReader};
const Caller kStranger{"CN=x (from 192.0.2.7)", "CN=x", Role::kNone};

const google::protobuf::ServiceDescriptor& Service() {
  return *v1::Status::descriptor()->file()->FindServiceByName("Agent");
}

class GateTest : public ::testing::Test {
 protected:
  grpc::StatusCode Try(const Caller& caller, const std::string& rpc) {
    return gate_.Admit(caller, rpc).status().error_code();
  }
  static GateLimits Limits() {
    GateLimits limits;
    limits.requests = {20, 10};
    limits.changes = {3, 1};
    limits.at_once = 2;
    limits.in_all = 4;
    limits.urgent_at_once = 2;
    limits.waiting_in_all = 2;
    limits.streams = 2;
    return limits;
  }

  TokenBucket::Time now_ = seconds(100);
  Gate gate_{Limits(), [this] { return now_; }};
};

// The first, since all refusals of the process share one limiter.
TEST_F(GateTest, RefusalsAreLoggedButNotAStormOfThem) {
  testing::JsonLog out;
  for (int i = 0; i < 1000; ++i) (void)Try(kAlice, "Apply");
  const std::vector<nlohmann::json> lines = out.Lines();
  ASSERT_GE(lines.size(), 1U);
  EXPECT_LT(lines.size(), 40U);
  EXPECT_EQ(lines[0]["event"], "access");
  EXPECT_EQ(lines[0]["from"], kAlice.name);
  EXPECT_EQ(lines[0]["request"], "Apply");
  EXPECT_EQ(lines[0]["result"], "denied");
}

TEST_F(GateTest, ReadersReadAndOperatorsDoAll) {
  const std::set<std::string> reading = {"Diff",        "Get",    "Status",
                                         "Watch",       "Trace",  "Events",
                                         "Connections", "History"};
  for (int i = 0; i < Service().method_count(); ++i) {
    const std::string rpc = Service().method(i)->name();
    Gate gate;
    EXPECT_TRUE(gate.Admit(kRoot, rpc)) << rpc;
    EXPECT_EQ(static_cast<bool>(gate.Admit(kAlice, rpc)), reading.contains(rpc))
        << rpc;
    EXPECT_EQ(gate.Admit(kStranger, rpc).status().error_code(),
              grpc::PERMISSION_DENIED)
        << rpc;
  }
  EXPECT_EQ(Try(kAlice, std::string(kDryRunRpc)), grpc::OK);
}

TEST_F(GateTest, AnRpcThatNobodyThoughtOfIsAChangeForOperators) {
  EXPECT_EQ(Try(kAlice, "Reboot"), grpc::PERMISSION_DENIED);
  EXPECT_EQ(RuleOf("Reboot").role, Role::kOperator);
  EXPECT_TRUE(RuleOf("Reboot").change);
}

TEST_F(GateTest, EveryRuleIsAboutAnRpcThatExists) {
  for (const RpcRule& rule : RpcRules()) {
    EXPECT_EQ(rule.change, rule.role == Role::kOperator) << rule.rpc;
    if (rule.rpc == kDryRunRpc || rule.rpc.starts_with(kSideRpc)) continue;
    EXPECT_NE(Service().FindMethodByName(std::string(rule.rpc)), nullptr)
        << rule.rpc;
  }
}

TEST_F(GateTest, NamesTheRoleAndTheCaller) {
  EXPECT_EQ(gate_.Admit(kAlice, "Apply").status().error_message(),
            "Apply needs the role operator; alice (uid 1000, pid 2) has the "
            "role reader");
  EXPECT_EQ(gate_.Admit(kStranger, "Status").status().error_message(),
            "CN=x (from 192.0.2.7) has no role here; Status needs the role "
            "reader");
}

TEST_F(GateTest, LimitsTheRequestsOfEachCaller) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Try(kRoot, "Status"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Status"), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(gate_.Admit(kRoot, "Status").status().error_message(),
            "too many requests from uid 0: try again in 100 ms");
  EXPECT_EQ(Try(kAlice, "Status"), grpc::OK);
  now_ += milliseconds(100);
  EXPECT_EQ(Try(kRoot, "Status"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Status"), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(GateTest, WhatAsksTheKernelCostsMore) {
  EXPECT_EQ(Try(kRoot, "Diff"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Diff"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Diff"), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(GateTest, LimitsChangesMoreThanQuestions) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Try(kRoot, "Drain"), grpc::OK);
  EXPECT_THAT(gate_.Admit(kRoot, "Apply").status().error_message(),
              HasSubstr("too many changes from uid 0: try again in 1000 ms"));
  EXPECT_EQ(Try(kRoot, "Status"), grpc::OK);
  now_ += seconds(1);
  EXPECT_EQ(Try(kRoot, "Apply"), grpc::OK);
}

TEST_F(GateTest, LimitsWhatIsUnderWayUntilItEnds) {
  std::vector<Gate::Admission> under_way;
  under_way.push_back(gate_.Admit(kRoot, "Get"));
  under_way.push_back(gate_.Admit(kRoot, "Apply"));
  EXPECT_THAT(gate_.Admit(kRoot, "Get").status().error_message(),
              HasSubstr("2 requests from uid 0 are under way"));
  EXPECT_EQ(Try(kAlice, "Get"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Watch"), grpc::OK);  // holds no thread
  under_way.pop_back();
  EXPECT_EQ(Try(kRoot, "Get"), grpc::OK);
}

TEST_F(GateTest, WhatIsUrgentHasPlacesOfItsOwn) {
  const std::array before = {gate_.Admit(kRoot, "Apply"),
                             gate_.Admit(kRoot, "Rollback")};
  EXPECT_EQ(Try(kRoot, "Get"), grpc::RESOURCE_EXHAUSTED);
  for (const char* rpc : {"Status", "Confirm", "CancelConfirm"}) {
    EXPECT_EQ(Try(kRoot, rpc), grpc::OK) << rpc;
    now_ += seconds(1);  // for one change more
  }
  const auto status = gate_.Admit(kRoot, "Status");
  const auto resume = gate_.Admit(kRoot, "Resume");
  EXPECT_TRUE(resume);
  EXPECT_EQ(Try(kRoot, "Status"), grpc::RESOURCE_EXHAUSTED);
}

TEST_F(GateTest, AllCallersTogetherLeaveRoomForRootAndForOperators) {
  std::vector<Gate::Admission> under_way;
  const auto enter = [&](int user, Role role, const char* rpc) {
    const std::string key = "uid " + std::to_string(user);
    under_way.push_back(gate_.Admit({key, key, role}, rpc));
    return static_cast<bool>(under_way.back());
  };
  EXPECT_TRUE(enter(1, Role::kReader, "Get"));
  EXPECT_TRUE(enter(2, Role::kReader, "Get"));
  EXPECT_FALSE(enter(3, Role::kReader, "Get"));  // half of four
  EXPECT_TRUE(enter(4, Role::kOperator, "Apply"));
  EXPECT_TRUE(enter(5, Role::kOperator, "Apply"));
  EXPECT_FALSE(enter(6, Role::kOperator, "Apply"));
  EXPECT_THAT(under_way.back().status().error_message(),
              HasSubstr("too many requests of all callers"));
  EXPECT_TRUE(enter(6, Role::kOperator, "Status"));
  EXPECT_EQ(Try(kRoot, "Apply"), grpc::OK);
  under_way.clear();
  EXPECT_TRUE(enter(6, Role::kOperator, "Apply"));
}

TEST_F(GateTest, WaitsAreLimitedInAllAndRootHasItsOwn) {
  std::list<Gate::Admission> under_way;
  for (int user = 1; user <= 3; ++user) {
    const std::string key = "uid " + std::to_string(user);
    under_way.push_back(gate_.Admit({key, key, Role::kOperator}, "Apply"));
  }
  EXPECT_TRUE(under_way.front().StayLong().ok());
  EXPECT_TRUE(std::next(under_way.begin())->StayLong().ok());
  const grpc::Status refused = under_way.back().StayLong();
  EXPECT_EQ(refused.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("2 requests wait for the kernel"));
  auto of_root = gate_.Admit(kRoot, "Apply");
  EXPECT_TRUE(of_root.StayLong().ok());
  under_way.pop_front();
  EXPECT_TRUE(under_way.back().StayLong().ok());
}

TEST_F(GateTest, RefusedRequestsCountAsWell) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Try(kStranger, "Status"), grpc::PERMISSION_DENIED);
  }
  EXPECT_EQ(Try(kStranger, "Status"), grpc::RESOURCE_EXHAUSTED);
  now_ += milliseconds(100);
  EXPECT_EQ(Try(kStranger, "Status"), grpc::PERMISSION_DENIED);
}

TEST_F(GateTest, AnAdmissionHoldsAsLongAsTheRoleDoes) {
  auto admission = gate_.Admit(kAlice, "Watch");
  EXPECT_TRUE(admission.Holds());
  Role role = Role::kReader;
  admission.Follow([&role] { return role; });
  EXPECT_TRUE(admission.Holds());
  role = Role::kNone;
  EXPECT_FALSE(admission.Holds());
}

TEST_F(GateTest, LimitsTheWatchesOfEachCaller) {
  std::vector<Gate::Admission> watches;
  watches.push_back(gate_.Admit(kAlice, "Watch"));
  watches.push_back(gate_.Admit(kAlice, "Watch"));
  EXPECT_EQ(Try(kAlice, "Watch"), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Try(kAlice, "Status"), grpc::OK);
  EXPECT_EQ(Try(kRoot, "Watch"), grpc::OK);
}

}  // namespace
}  // namespace uplinkd
