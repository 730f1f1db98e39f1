// Drain, Undrain and Connections over a real Unix socket, in front of an engine
// on a fake machine.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/server.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {
namespace {

using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::PhaseOf;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class ServiceConnections : public ::testing::Test {
 protected:
  ServiceConnections() : engine_(OptionsFor(machine_, directory_.path())) {
    const std::string socket = directory_ / "uplinkd.sock";
    auto server = Server::Start({.sockets = {socket}}, *engine_);
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    stub_ = v1::Agent::NewStub(grpc::CreateChannel(
        "unix:" + socket, grpc::InsecureChannelCredentials()));
    engine_.Start();
    EXPECT_TRUE(engine_->Apply({TwoUplinkSpec()}));
  }
  ~ServiceConnections() override {
    engine_.Stop();
    server_.reset();
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::Agent::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(60));
    return (stub_.get()->*method)(&context, request, response);
  }
  grpc::Status Drain(const v1::DrainRequest& request) {
    return Call(&v1::Agent::Stub::Drain, request, &drain_);
  }
  grpc::Status Undrain(const std::string& uplink) {
    v1::UndrainRequest request;
    request.set_uplink(uplink);
    v1::UndrainResponse response;
    return Call(&v1::Agent::Stub::Undrain, request, &response);
  }

  TemporaryDirectory directory_;
  FakeMachine machine_;
  RunningEngine engine_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Agent::Stub> stub_;
  v1::DrainResponse drain_;
};

TEST_F(ServiceConnections, DrainsWithoutADeadlineAndEndsIt) {
  v1::DrainRequest request;
  request.set_uplink("wan2");
  ASSERT_TRUE(Drain(request).ok());
  EXPECT_FALSE(drain_.has_deadline());
  EXPECT_TRUE(engine_.Becomes([](const v1::Status& status) {
    return PhaseOf(status, "wan2") == "Draining" &&
           status.uplinks(1).reason() == "draining";
  }));
  ASSERT_TRUE(Undrain("wan2").ok());
  EXPECT_TRUE(engine_.Becomes([](const v1::Status& status) {
    return PhaseOf(status, "wan2") == "Ready";
  }));
}

TEST_F(ServiceConnections, SaysWhenTheDeadlineIs) {
  v1::DrainRequest request;
  request.set_uplink("wan2");
  request.mutable_deadline()->set_seconds(300);
  const auto before = std::chrono::system_clock::now();
  ASSERT_TRUE(Drain(request).ok());
  const auto left = std::chrono::seconds(drain_.deadline().seconds()) -
                    before.time_since_epoch();
  EXPECT_GT(left, std::chrono::seconds(298));
  EXPECT_LT(left, std::chrono::seconds(330));
  EXPECT_THAT(engine_->bulletin().status()->uplinks(1).reason(),
              HasSubstr("draining until 2"));
}

TEST_F(ServiceConnections, RefusesWithCanonicalCodes) {
  v1::DrainRequest request;
  request.set_uplink("wan9");
  EXPECT_EQ(Drain(request).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(Undrain("wan9").error_code(), grpc::NOT_FOUND);
  request.set_uplink("wan2");
  // The last one comes round to 384 ms where 64 bits of them are counted.
  for (const std::int64_t seconds :
       {std::int64_t{-1}, std::int64_t{18446744073709552}}) {
    request.mutable_deadline()->set_seconds(seconds);
    EXPECT_EQ(Drain(request).error_code(), grpc::INVALID_ARGUMENT);
  }
  v1::ConnectionsRequest connections;
  connections.set_uplink("wan9");
  v1::ConnectionsResponse response;
  EXPECT_EQ(
      Call(&v1::Agent::Stub::Connections, connections, &response).error_code(),
      grpc::NOT_FOUND);
  Spec spec = TwoUplinkSpec();
  spec.uplinks[1].mode = UplinkMode::kDraining;
  ASSERT_TRUE(engine_->Apply({spec}));
  EXPECT_EQ(Undrain("wan2").error_code(), grpc::FAILED_PRECONDITION);
}

TEST_F(ServiceConnections, TellsWhoHasConnections) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    Connection connection;
    connection.source = testing::Ip("192.168.10.7");
    connection.mark = 2;
    connection.bytes = 500;
    it.tracked = {connection, connection};
  });
  v1::ConnectionsRequest request;
  request.set_top(1);
  v1::ConnectionsResponse response;
  ASSERT_TRUE(Call(&v1::Agent::Stub::Connections, request, &response).ok());
  ASSERT_EQ(response.uplinks_size(), 2);
  EXPECT_EQ(response.uplinks(1).connections(), 2U);
  EXPECT_EQ(response.uplinks(1).bytes(), 1000U);
  ASSERT_EQ(response.talkers_size(), 1);
  EXPECT_EQ(response.talkers(0).source(), "192.168.10.7");
}

}  // namespace
}  // namespace uplinkd
