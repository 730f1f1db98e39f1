// Specs over time, over the service: status codes and what is in the answers.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "agent/server.h"
#include "agent/service.h"
#include "proto/convert.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class ServiceSpecs : public ::testing::Test {
 protected:
  ServiceSpecs() : engine_(OptionsFor(machine_, directory_.path())) {
    auto server = Server::Start({.sockets = {socket_}}, *engine_);
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::Agent::NewStub(grpc::CreateCustomChannel(
        "unix:" + socket_, grpc::InsecureChannelCredentials(), arguments));
    engine_.Start();
  }
  ~ServiceSpecs() override {
    engine_.Stop();
    server_.reset();
  }

  // Every call ends, so that a test fails instead of standing still.
  template <typename Method, typename Request, typename Response>
  grpc::Status Call(Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(60));
    return (*stub_.*method)(&context, request, &response);
  }
  grpc::Status Apply(const v1::ApplyRequest& request) {
    return Call(&v1::Agent::Stub::Apply, request, applied_);
  }
  static v1::ApplyRequest Request(const Spec& spec) {
    v1::ApplyRequest request;
    *request.mutable_router() = SpecToProto(spec);
    request.mutable_wait()->set_seconds(60);
    return request;
  }
  static v1::ApplyRequest Risky() {
    Spec spec = TwoUplinkSpec();
    spec.uplinks.pop_back();
    v1::ApplyRequest request = Request(spec);
    request.mutable_confirm_within()->set_seconds(600);
    request.set_confirm_id("night");
    return request;
  }
  void Wait() {
    ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).ok());
    const grpc::Status status = Apply(Risky());
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  grpc::StatusCode Confirm(const std::string& id) {
    v1::ConfirmRequest request;
    request.set_id(id);
    v1::ConfirmResponse response;
    return Call(&v1::Agent::Stub::Confirm, request, response).error_code();
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "uplinkd.sock";
  FakeMachine machine_;
  RunningEngine engine_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Agent::Stub> stub_;
  v1::ApplyResponse applied_;
};

TEST_F(ServiceSpecs, TellsWhatASpecWaitsFor) {
  ASSERT_NO_FATAL_FAILURE(Wait());
  EXPECT_TRUE(applied_.in_sync());
  EXPECT_EQ(applied_.pending_confirm().id(), "night");
  EXPECT_EQ(applied_.pending_confirm().generation(), 2U);
  EXPECT_EQ(applied_.pending_confirm().return_to(), 1U);
  EXPECT_EQ(applied_.status().pending_confirm().id(), "night");
}

TEST_F(ServiceSpecs, RefusesWithTheCodesOfGnmi) {
  EXPECT_EQ(Apply(Risky()).error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_EQ(Confirm("night"), grpc::FAILED_PRECONDITION);
  ASSERT_NO_FATAL_FAILURE(Wait());
  const grpc::Status other = Apply(Request(TwoUplinkSpec()));
  EXPECT_EQ(other.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_THAT(other.error_message(), HasSubstr("uplinkctl confirm night"));
  EXPECT_EQ(Confirm("day"), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(Confirm("night"), grpc::OK);
  EXPECT_EQ(Confirm("night"), grpc::FAILED_PRECONDITION);
}

TEST_F(ServiceSpecs, RefusesTermsThatMakeNoSense) {
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).ok());
  v1::ApplyRequest no_id = Risky();
  no_id.clear_confirm_id();
  EXPECT_EQ(Apply(no_id).error_code(), grpc::INVALID_ARGUMENT);
  v1::ApplyRequest no_time = Risky();
  no_time.clear_confirm_within();
  EXPECT_EQ(Apply(no_time).error_code(), grpc::INVALID_ARGUMENT);
  v1::ApplyRequest bad_check = Risky();
  bad_check.add_confirm_checks()->set_tcp("somewhere");
  const grpc::Status status = Apply(bad_check);
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("confirm_checks.probes[0]"));
}

TEST_F(ServiceSpecs, ExtendsAndCancels) {
  ASSERT_NO_FATAL_FAILURE(Wait());
  v1::ConfirmRequest extend;
  extend.set_id("night");
  extend.mutable_extend()->set_seconds(3600);
  v1::ConfirmResponse extended;
  ASSERT_TRUE(Call(&v1::Agent::Stub::Confirm, extend, extended).ok());
  EXPECT_GT(extended.deadline().seconds(),
            applied_.pending_confirm().deadline().seconds() + 2000);
  v1::CancelConfirmRequest cancel;
  cancel.set_id("night");
  v1::CancelConfirmResponse cancelled;
  ASSERT_TRUE(Call(&v1::Agent::Stub::CancelConfirm, cancel, cancelled).ok());
  EXPECT_EQ(cancelled.generation(), 3U);
  EXPECT_GT(cancelled.plan_size(), 0);
  EXPECT_EQ(engine_->Get()->spec, TwoUplinkSpec());
}

TEST_F(ServiceSpecs, RollsBackToAGenerationOfTheHistory) {
  ASSERT_NO_FATAL_FAILURE(Wait());
  ASSERT_EQ(Confirm("night"), grpc::OK);
  v1::RollbackRequest request;
  request.set_to_generation(1);
  request.set_dry_run(true);
  ASSERT_TRUE(Call(&v1::Agent::Stub::Rollback, request, applied_).ok());
  EXPECT_EQ(applied_.generation(), 2U);
  EXPECT_GT(applied_.plan_size(), 0);
  request.set_dry_run(false);
  request.set_expected_generation(1);
  EXPECT_EQ(Call(&v1::Agent::Stub::Rollback, request, applied_).error_code(),
            grpc::ABORTED);
  request.set_expected_generation(2);
  ASSERT_TRUE(Call(&v1::Agent::Stub::Rollback, request, applied_).ok());
  EXPECT_EQ(applied_.generation(), 3U);
  request.set_to_generation(9);
  EXPECT_EQ(Call(&v1::Agent::Stub::Rollback, request, applied_).error_code(),
            grpc::NOT_FOUND);
  v1::HistoryResponse history;
  ASSERT_TRUE(
      Call(&v1::Agent::Stub::History, v1::HistoryRequest(), history).ok());
  ASSERT_EQ(history.entries_size(), 3);
  EXPECT_EQ(history.entries(1).outcome(), "confirmed");
  EXPECT_EQ(history.entries(2).note(), "back to generation 1");
}

// As `uplinkctl plan` and `uplinkctl apply PLAN` ask.
TEST_F(ServiceSpecs, AppliesAPlanOnlyWhileItHolds) {
  v1::ApplyRequest request = Request(TwoUplinkSpec());
  request.set_dry_run(true);
  ASSERT_TRUE(Apply(request).ok());
  ASSERT_GT(applied_.plan_size(), 0);
  *request.mutable_expected_plan()->mutable_lines() = applied_.plan();
  ASSERT_TRUE(Apply(request).ok()) << "it still holds";

  // Somebody has done a part of it meanwhile.
  const PolicyRule done = machine_.With([](FakeKernel& it) {
    PolicyRule rule;
    rule.priority = 20999;
    rule.table = 11;
    it.rules.push_back(rule);
    return rule;
  });
  for (const bool dry_run : {true, false}) {
    request.set_dry_run(dry_run);
    const grpc::Status status = Apply(request);
    EXPECT_EQ(status.error_code(), grpc::ABORTED) << dry_run;
    EXPECT_THAT(status.error_message(), HasSubstr("1 change is new: - ip rule"))
        << dry_run;
  }
  EXPECT_FALSE(engine_->Get()) << "nothing was accepted";

  machine_.With([&done](FakeKernel& it) { std::erase(it.rules, done); });
  const grpc::Status status = Apply(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(applied_.generation(), 1U);
  EXPECT_TRUE(applied_.in_sync());
  // There is nothing of it to do any more.
  EXPECT_EQ(Apply(request).error_code(), grpc::ABORTED);
}

TEST_F(ServiceSpecs, ComparesWithAGenerationOfTheHistory) {
  ASSERT_NO_FATAL_FAILURE(Wait());
  v1::DiffRequest request;
  v1::DiffResponse diff;
  ASSERT_TRUE(Call(&v1::Agent::Stub::Diff, request, diff).ok());
  EXPECT_EQ(diff.plan_size(), 0);
  request.set_from_generation(1);
  ASSERT_TRUE(Call(&v1::Agent::Stub::Diff, request, diff).ok());
  EXPECT_GT(diff.plan_size(), 0);
}

}  // namespace
}  // namespace uplinkd
