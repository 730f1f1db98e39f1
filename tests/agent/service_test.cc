// The service over a real Unix socket, in front of an engine on a fake machine.
#include "agent/service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "agent/server.h"
#include "proto/convert.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using testing::ConditionReason;
using testing::ConditionStatus;
using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

constexpr std::chrono::seconds kLong{60};

// Every call ends, so that a test fails instead of standing still.
std::unique_ptr<grpc::ClientContext> Context() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + kLong);
  return context;
}

class Service : public ::testing::Test {
 protected:
  Service() : engine_(OptionsFor(machine_, directory_.path())) {
    auto server = Server::Start({.sockets = {socket_}}, *engine_);
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    engine_->WhenRunning([this] { server_->SetHealthy(true); });
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(
        "unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::Agent::NewStub(channel_);
  }
  ~Service() override {
    engine_.Stop();  // wakes the watchers
    server_.reset();
  }

  struct Applied {
    grpc::Status status;
    v1::ApplyResponse response;
    v1::BadSpec bad_spec;
  };
  Applied Apply(const v1::ApplyRequest& request) {
    Applied applied;
    const auto context = Context();
    applied.status = stub_->Apply(context.get(), request, &applied.response);
    const auto& trailer = context->GetServerTrailingMetadata();
    if (const auto entry = trailer.find(kBadSpecKey); entry != trailer.end()) {
      EXPECT_TRUE(applied.bad_spec.ParseFromArray(
          entry->second.data(), static_cast<int>(entry->second.size())));
    }
    return applied;
  }
  static v1::ApplyRequest Request(const Spec& spec, int wait_seconds = 60) {
    v1::ApplyRequest request;
    *request.mutable_router() = SpecToProto(spec);
    request.mutable_wait()->set_seconds(wait_seconds);
    return request;
  }
  std::size_t Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes.size(); });
  }
  // A call by name, with the message as bytes: the answer's bytes.
  std::string RawCall(const std::string& method, const std::string& message);

  TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "uplinkd.sock";
  FakeMachine machine_;
  RunningEngine engine_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Agent::Stub> stub_;
};

std::string Service::RawCall(const std::string& method,
                             const std::string& message) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  const auto context = Context();
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call =
      stub.PrepareUnaryCall(context.get(), method, request, &queue);
  call->StartCall();
  call->Finish(&response, &status, this);
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok()) return "";
  std::string bytes;
  for (const grpc::Slice& part : slices) {
    bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return bytes;
}

TEST_F(Service, AppliesAndWaitsUntilTheKernelHoldsTheSpec) {
  engine_.Start();
  const Applied applied = Apply(Request(TwoUplinkSpec()));
  ASSERT_TRUE(applied.status.ok()) << applied.status.error_message();
  EXPECT_EQ(applied.response.generation(), 1U);
  EXPECT_TRUE(applied.response.in_sync());
  EXPECT_FALSE(applied.response.unchanged());
  ASSERT_GT(applied.response.plan_size(), 0);
  for (const v1::PlanLine& line : applied.response.plan()) {
    EXPECT_EQ(line.result(), "done") << line.command();
    EXPECT_EQ(line.sign(), "+");
    EXPECT_NE(line.reason(), "");
  }
  EXPECT_EQ(applied.response.status().observed_generation(), 1U);
  EXPECT_THAT(applied.response.status().uplinks(), SizeIs(2));
}

TEST_F(Service, TheSameSpecAgainIsUnchanged) {
  engine_.Start();
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  const std::size_t writes = Writes();
  const Applied again = Apply(Request(TwoUplinkSpec()));
  EXPECT_TRUE(again.response.unchanged());
  EXPECT_TRUE(again.response.in_sync());
  EXPECT_EQ(again.response.generation(), 1U);
  EXPECT_THAT(again.response.plan(), SizeIs(0));
  EXPECT_EQ(Writes(), writes);
}

TEST_F(Service, ABadSpecIsRefusedWithEveryViolation) {
  engine_.Start();
  Spec bad = TwoUplinkSpec();
  bad.uplinks[1].name = bad.uplinks[0].name;
  bad.uplinks[1].weight = 0;
  const Applied applied = Apply(Request(bad));
  EXPECT_EQ(applied.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_GE(applied.bad_spec.violations_size(), 2);
  for (const v1::Violation& violation : applied.bad_spec.violations()) {
    EXPECT_THAT(violation.field(), HasSubstr("spec.uplinks["));
    EXPECT_NE(violation.message(), "");
  }
  EXPECT_THAT(applied.status.error_message(),
              HasSubstr(applied.bad_spec.violations(0).field()));
  EXPECT_EQ(Writes(), 0U);
  v1::DiffRequest diff;
  *diff.mutable_router() = SpecToProto(bad);
  v1::DiffResponse response;
  EXPECT_EQ(stub_->Diff(Context().get(), diff, &response).error_code(),
            grpc::INVALID_ARGUMENT);
}

TEST_F(Service, AnotherGenerationThanExpectedAborts) {
  engine_.Start();
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  Spec next = TwoUplinkSpec();
  next.revision = "next";
  v1::ApplyRequest request = Request(next);
  request.set_expected_generation(5);
  EXPECT_EQ(Apply(request).status.error_code(), grpc::ABORTED);
  request.set_dry_run(true);
  EXPECT_EQ(Apply(request).status.error_code(), grpc::ABORTED);
  request.set_dry_run(false);
  request.set_expected_generation(1);
  EXPECT_EQ(Apply(request).response.generation(), 2U);
}

TEST_F(Service, ADryRunShowsThePlanAndWritesNothing) {
  engine_.Start();
  v1::ApplyRequest request = Request(TwoUplinkSpec());
  request.set_dry_run(true);
  const Applied applied = Apply(request);
  ASSERT_TRUE(applied.status.ok());
  EXPECT_GT(applied.response.plan_size(), 0);
  EXPECT_EQ(applied.response.plan(0).result(), "");
  EXPECT_EQ(applied.response.generation(), 0U);
  EXPECT_EQ(Writes(), 0U);
}

TEST_F(Service, AnApplyThatDoesNotWaitOrWaitsInVainSaysSo) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.refuses = [](const Step&) {
      return Error{ErrorCode::kPermissionDenied, "Operation not permitted", 1};
    };
  });
  engine_.Start();
  const Applied applied = Apply(Request(TwoUplinkSpec(), 0));
  ASSERT_TRUE(applied.status.ok());
  EXPECT_FALSE(applied.response.in_sync());
  EXPECT_EQ(applied.response.generation(), 1U);
  EXPECT_EQ(applied.response.plan(0).result(), "failed");
  EXPECT_EQ(applied.response.plan(0).error(), "Operation not permitted");
  EXPECT_EQ(ConditionReason(applied.response.status(), "Programmed"),
            "PermissionDenied");
  const Applied waited = Apply(Request(TwoUplinkSpec(), 1));
  EXPECT_FALSE(waited.response.in_sync());
}

// More than clients take as metadata: they would get none of it.
TEST_F(Service, OfVeryManyViolationsSomeAreToldAndTheRestIsCounted) {
  v1::ApplyRequest request = Request(TwoUplinkSpec());
  request.set_dry_run(true);
  for (int i = 0; i < 150; ++i) {
    v1::TrafficRule& rule =
        *request.mutable_router()->mutable_spec()->add_traffic();
    rule.set_name("rule" + std::to_string(i));
    rule.mutable_match()->add_source("10.0.0." + std::to_string(i) + "/32");
    rule.set_use(i == 0 ? std::string(20000, 'x') : "nowhere");
  }
  const Applied applied = Apply(request);
  EXPECT_EQ(applied.status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_THAT(applied.status.error_message(),
              HasSubstr("the spec is refused: spec.traffic[0].use: "));
  EXPECT_THAT(applied.status.error_message(), HasSubstr("(and 149 more)"));
  const int told = applied.bad_spec.violations_size() - 1;
  ASSERT_GE(told, 10);
  EXPECT_EQ(applied.bad_spec.violations(1).field(), "spec.traffic[1].use");
  EXPECT_EQ(applied.bad_spec.violations(told).field(), "");
  EXPECT_EQ(applied.bad_spec.violations(told).message(),
            "and " + std::to_string(150 - told) + " more");
}

// Its plan has more than a MiB.
TEST_F(Service, ALargeSpecIsAnsweredAndItsPlanCanBeHeldTo) {
  engine_.Start();
  Spec spec = TwoUplinkSpec();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    TrafficRule& rule = spec.traffic.emplace_back(
        testing::RuleTo("branch-off-" + std::to_string(i), "wan1"));
    for (std::uint32_t j = 0; j < 4; ++j) {
      rule.match.destination.push_back(*Prefix::Parse(
          "10." + std::to_string(i / 250) + "." + std::to_string(i % 250) +
          "." + std::to_string(j) + "/32"));
    }
  }
  v1::ApplyRequest request = Request(spec, 0);
  request.set_dry_run(true);
  const Applied planned = Apply(request);
  ASSERT_TRUE(planned.status.ok()) << planned.status.error_message();
  EXPECT_GT(planned.response.ByteSizeLong(), std::size_t{1} << 20);
  request.set_dry_run(false);
  *request.mutable_expected_plan()->mutable_lines() = planned.response.plan();
  EXPECT_GT(request.ByteSizeLong(), std::size_t{1} << 20);
  const Applied applied = Apply(request);
  EXPECT_TRUE(applied.status.ok()) << applied.status.error_message();
}

TEST_F(Service, AWatcherIsToldOfALongPlanInShort) {
  engine_.Start();
  ASSERT_TRUE(engine_.Becomes([](const v1::Status&) { return true; }));
  const auto context = Context();
  const auto stream = stub_->Watch(context.get(), v1::WatchRequest());
  v1::WatchResponse news;
  ASSERT_TRUE(stream->Read(&news));
  auto event = std::make_shared<v1::Event>();
  event->set_message("long");
  for (int i = 0; i < 3000; ++i) event->add_plan()->set_command("ip rule add");
  engine_->bulletin().Publish(engine_->bulletin().status(),
                              engine_->bulletin().metrics(), event);
  while (stream->Read(&news) && news.event().message() != "long") {
  }
  EXPECT_EQ(news.event().plan_size(), 20);
  EXPECT_EQ(news.event().omitted_lines(), 2980U);
  context->TryCancel();
  while (stream->Read(&news)) {
  }
  stream->Finish();
}

TEST_F(Service, AnApplyWhoseSpecGaveWayToAnotherWaitsNoLonger) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.refuses = [](const Step&) {
      return Error{ErrorCode::kPermissionDenied, "Operation not permitted", 1};
    };
  });
  engine_.Start();
  std::future<Applied> first = std::async(
      std::launch::async, [this] { return Apply(Request(TwoUplinkSpec())); });
  ASSERT_TRUE(engine_.Becomes(
      [](const v1::Status& status) { return status.generation() == 1; }));
  Spec next = TwoUplinkSpec();
  next.revision = "next";
  ASSERT_TRUE(Apply(Request(next, 0)).status.ok());
  EXPECT_EQ(first.wait_for(kLong / 2), std::future_status::ready);
  const Applied applied = first.get();
  EXPECT_EQ(applied.response.generation(), 1U);
  EXPECT_FALSE(applied.response.in_sync());
  EXPECT_EQ(applied.response.status().generation(), 2U);
}

TEST_F(Service, GetsTheSpecWithItsDefaults) {
  engine_.Start();
  v1::GetResponse response;
  EXPECT_EQ(
      stub_->Get(Context().get(), v1::GetRequest(), &response).error_code(),
      grpc::NOT_FOUND);
  Spec spec = TwoUplinkSpec();
  v1::ApplyRequest request = Request(spec);
  request.mutable_router()->mutable_spec()->clear_balance();
  ASSERT_TRUE(Apply(request).status.ok());
  ASSERT_TRUE(stub_->Get(Context().get(), v1::GetRequest(), &response).ok());
  EXPECT_EQ(response.generation(), 1U);
  EXPECT_EQ(response.router().spec().balance().algorithm(),
            v1::ALGORITHM_LEAST_LOADED);
  EXPECT_EQ(response.router().spec().uplinks(1).id(), 2U);
}

TEST_F(Service, DiffsAgainstTheFollowedSpec) {
  engine_.Start();
  v1::DiffResponse response;
  EXPECT_EQ(
      stub_->Diff(Context().get(), v1::DiffRequest(), &response).error_code(),
      grpc::NOT_FOUND);
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  ASSERT_TRUE(stub_->Diff(Context().get(), v1::DiffRequest(), &response).ok());
  EXPECT_THAT(response.plan(), SizeIs(0));
}

TEST_F(Service, TracesWhatIsInTheKernel) {
  engine_.Start();
  v1::ApplyRequest apply;
  *apply.mutable_router() = SpecToProto(TwoUplinkSpec());
  ASSERT_TRUE(Apply(apply).status.ok());
  v1::TraceRequest request;
  request.set_interface("lan0");
  request.set_source("192.168.10.7");
  request.set_destination("192.0.2.80");
  v1::TraceResponse response;
  const grpc::Status status = stub_->Trace(Context().get(), request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.decided_by(), "by the measured rates");
  EXPECT_EQ(response.steps(0).chain(), "PREROUTING");
  ASSERT_EQ(response.ways_size(), 2);
  for (int i = 0; i < 2; ++i) {
    const v1::TraceWay& way = response.ways(i);
    const std::string uplink = "wan" + std::to_string(i + 1);
    EXPECT_EQ(way.uplink(), uplink);
    EXPECT_FALSE(way.has_chance());
    EXPECT_THAT(way.route(), HasSubstr("dev " + uplink));
    ASSERT_GT(way.steps_size(), 0);
    EXPECT_THAT(way.steps(way.steps_size() - 1).rule(),
                HasSubstr("-o " + uplink));
  }
}

TEST_F(Service, ATraceThatMakesNoSenseIsRefused) {
  engine_.Start();
  v1::TraceRequest request;
  const auto ask = [&] {
    v1::TraceResponse response;
    return stub_->Trace(Context().get(), request, &response);
  };
  request.set_destination("example.net");
  EXPECT_EQ(ask().error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(ask().error_message(),
            "destination: \"example.net\" is not an address; write it like "
            "198.51.100.2");
  request.set_destination("192.0.2.80");
  request.set_interface("lan0");
  EXPECT_THAT(ask().error_message(), HasSubstr("source: is needed"));
  request.set_source("192.168.10.7");
  request.set_destination_port(70000);
  EXPECT_THAT(ask().error_message(), HasSubstr("70000 is not a port"));
  request.set_destination_port(443);
  request.set_protocol("tpc");
  EXPECT_THAT(ask().error_message(), HasSubstr("did you mean tcp?"));
}

TEST_F(Service, WatchStreamsThePresentAndThenEachChange) {
  engine_.Start();
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  const auto context = Context();
  const auto stream = stub_->Watch(context.get(), v1::WatchRequest());
  v1::WatchResponse news;
  ASSERT_TRUE(stream->Read(&news));
  EXPECT_EQ(news.status().generation(), 1U);
  EXPECT_FALSE(news.has_event());

  machine_.With([](FakeKernel& it) {
    std::erase_if(it.rules, [](const PolicyRule& rule) {
      return rule.priority == kMarkPriority + 2;
    });
  });
  machine_.Poke();
  ASSERT_TRUE(stream->Read(&news));
  EXPECT_EQ(news.event().result(), "changed");
  ASSERT_THAT(news.event().plan(), SizeIs(1));
  EXPECT_EQ(news.event().plan(0).object(), "rule");
  EXPECT_EQ(ConditionStatus(news.status(), "DriftDetected"), "True");
  // And its good end.
  ASSERT_TRUE(stream->Read(&news));
  EXPECT_EQ(news.event().result(), "in-sync");
  EXPECT_EQ(ConditionStatus(news.status(), "DriftDetected"), "False");
  EXPECT_EQ(ConditionStatus(news.status(), "Programmed"), "True");
  context->TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(Service, CleanupEmptiesTheKernelAndForgetsTheSpec) {
  engine_.Start();
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  v1::CleanupRequest request;
  request.set_dry_run(true);
  v1::CleanupResponse response;
  ASSERT_TRUE(stub_->Cleanup(Context().get(), request, &response).ok());
  ASSERT_GT(response.plan_size(), 0);
  EXPECT_TRUE(directory_.Has("spec.json"));
  request.set_dry_run(false);
  ASSERT_TRUE(stub_->Cleanup(Context().get(), request, &response).ok());
  EXPECT_EQ(response.plan(0).sign(), "-");
  EXPECT_EQ(response.plan(0).result(), "done");
  EXPECT_FALSE(directory_.Has("spec.json"));
  v1::StatusResponse status;
  ASSERT_TRUE(
      stub_->Status(Context().get(), v1::StatusRequest(), &status).ok());
  EXPECT_EQ(status.status().generation(), 0U);
  EXPECT_EQ(ConditionReason(status.status(), "Programmed"), "NoSpec");
}

TEST_F(Service, StatusBeforeTheEngineRunsIsUnavailable) {
  v1::StatusResponse status;
  EXPECT_EQ(
      stub_->Status(Context().get(), v1::StatusRequest(), &status).error_code(),
      grpc::UNAVAILABLE);
}

TEST_F(Service, RefusesMessagesOverFourMebibytes) {
  engine_.Start();
  Spec spec = TwoUplinkSpec();
  spec.revision = std::string(3 << 20, 'x');
  EXPECT_EQ(Apply(Request(spec)).status.error_code(), grpc::INVALID_ARGUMENT);
  spec.revision = std::string(4 << 20, 'x');
  EXPECT_EQ(Apply(Request(spec)).status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
}

TEST_F(Service, StoppingEndsTheWatchersWithAWord) {
  engine_.Start();
  const auto context = Context();
  const auto stream = stub_->Watch(context.get(), v1::WatchRequest());
  v1::WatchResponse news;
  ASSERT_TRUE(stream->Read(&news));
  engine_.Stop();
  while (stream->Read(&news)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(Apply(Request(TwoUplinkSpec())).status.error_code(),
            grpc::UNAVAILABLE);
}

// grpc.health.v1: an empty request; field 1 of the answer is the status.
TEST_F(Service, HealthIsServingOnceTheLoopRuns) {
  const std::string check = "/grpc.health.v1.Health/Check";
  const std::string serving = "\x08\x01";
  EXPECT_EQ(RawCall(check, ""), "\x08\x02");  // not serving
  engine_.Start();
  ASSERT_TRUE(engine_.Becomes([](const v1::Status&) { return true; }));
  ASSERT_TRUE(Apply(Request(TwoUplinkSpec())).status.ok());
  EXPECT_EQ(RawCall(check, ""), serving);
  server_->SetHealthy(false);
  EXPECT_NE(RawCall(check, ""), serving);
}

// Field 7 of the request asks for the list of services.
TEST_F(Service, ReflectionListsTheServices) {
  const std::string answer =
      RawCall("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              std::string("\x3a\x01*"));
  EXPECT_THAT(answer, HasSubstr("uplinkd.v1.Agent"));
  EXPECT_THAT(answer, HasSubstr("grpc.health.v1.Health"));
}

}  // namespace
}  // namespace uplinkd
