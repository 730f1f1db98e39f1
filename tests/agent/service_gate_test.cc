// No rpc of the service does anything for a caller that has no role, however
// new it is: every one of the proto is called.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "agent/gate.h"
#include "agent/service.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"

namespace uplinkd {
namespace {

using testing::FakeMachine;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;

// An empty request, which any rpc understands.
grpc::Status Call(grpc::GenericStub& stub, const std::string& method) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

TEST(ServiceGate, EveryRpcAsksBeforeItDoesAnything) {
  const TemporaryDirectory state;
  FakeMachine machine;
  RunningEngine engine(OptionsFor(machine, state.path()));
  engine.Start();
  const Caller stranger{"CN=x (from 192.0.2.7)", "CN=x", Role::kNone};
  Gate gate;
  std::string asked;
  AgentService service(
      *engine, [&](const grpc::ServerContextBase&, std::string_view rpc) {
        asked = rpc;
        return gate.Admit(stranger, rpc);
      });
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  grpc::GenericStub stub(server->InProcessChannel({}));
  const google::protobuf::ServiceDescriptor& agent =
      *v1::Status::descriptor()->file()->FindServiceByName("Agent");
  for (int i = 0; i < agent.method_count(); ++i) {
    const std::string rpc = agent.method(i)->name();
    const grpc::Status status = Call(stub, "/uplinkd.v1.Agent/" + rpc);
    EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED) << rpc;
    EXPECT_THAT(status.error_message(), HasSubstr("has no role here"));
    EXPECT_EQ(asked, rpc);
  }
  EXPECT_GT(agent.method_count(), 10);
  server->Shutdown();
}

}  // namespace
}  // namespace uplinkd
