// Many who watch, and one who never reads: they cost nobody else anything.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "agent/gate.h"
#include "agent/server.h"
#include "proto/convert.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"
#include "uplinkd/v1/agent.grpc.pb.h"

namespace uplinkd {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kVeryLong{60};
constexpr int kOfAConnection = 100;

long FieldOfStatus(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    long value = 0;
    if (word == name + ":" && file >> value) return value;
  }
  return -1;
}

class Watchers : public ::testing::Test {
 protected:
  Watchers() {
    auto server = Server::Start({.sockets = {socket_}}, *engine_);
    EXPECT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    engine_.Start();
    stub_ = v1::Agent::NewStub(Connect());
    EXPECT_TRUE(engine_->Apply({.spec = testing::TwoUplinkSpec()}));
  }
  ~Watchers() override {
    engine_.Stop();
    for (Watch& watch : watches_) watch.context->TryCancel();
    for (Watch& watch : watches_) {
      v1::WatchResponse rest;
      while (watch.stream->Read(&rest)) {
      }
      (void)watch.stream->Finish();
    }
    server_.reset();
  }

  struct Watch {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream;
  };

  std::shared_ptr<grpc::Channel> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(
        "unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
  }
  Watch Begin(v1::Agent::Stub& stub) {
    Watch watch;
    watch.context = std::make_unique<grpc::ClientContext>();
    watch.context->set_deadline(std::chrono::system_clock::now() + kVeryLong);
    watch.stream = stub.Watch(watch.context.get(), v1::WatchRequest());
    return watch;
  }
  // Each has got the present status.
  void BeginMany(int count) {
    for (int i = 0; i < count; ++i) {
      if (i % kOfAConnection == 0) {
        stubs_.push_back(v1::Agent::NewStub(Connect()));
      }
      watches_.push_back(Begin(*stubs_.back()));
    }
    for (Watch& watch : watches_) {
      v1::WatchResponse first;
      ASSERT_TRUE(watch.stream->Read(&first));
      EXPECT_FALSE(first.has_event());
    }
  }
  // The median time of an answer.
  microseconds Latency() {
    std::vector<microseconds> times;
    for (int i = 0; i < 51; ++i) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kVeryLong);
      v1::StatusResponse response;
      const auto began = steady_clock::now();
      const grpc::Status status =
          stub_->Status(&context, v1::StatusRequest(), &response);
      times.push_back(duration_cast<microseconds>(steady_clock::now() - began));
      EXPECT_TRUE(status.ok()) << status.error_message();
    }
    std::ranges::nth_element(times, times.begin() + 25);
    return times[25];
  }
  // Something to tell: an event with a status.
  void Tell(const std::string& message) {
    auto event = std::make_shared<v1::Event>();
    event->set_message(message);
    engine_->bulletin().Publish(engine_->bulletin().status(),
                                engine_->bulletin().metrics(), event);
  }

  testing::TemporaryDirectory directory_;
  const std::string socket_ = directory_ / "uplinkd.sock";
  testing::FakeMachine machine_;
  testing::RunningEngine engine_{
      testing::OptionsFor(machine_, directory_.path())};
  std::unique_ptr<Server> server_;
  std::unique_ptr<v1::Agent::Stub> stub_;
  std::vector<std::unique_ptr<v1::Agent::Stub>> stubs_;
  std::vector<Watch> watches_;
};

TEST_F(Watchers, AThousandHoldNoThreadsAndAreInNobodysWay) {
  const microseconds before = Latency();
  const long threads = FieldOfStatus("Threads");
  const long memory = FieldOfStatus("VmRSS");
  ASSERT_NO_FATAL_FAILURE(BeginMany(1000));
  // gRPC's client has threads, too, in this process; no thread for each.
  EXPECT_LT(FieldOfStatus("Threads"), threads + 100);
  const long grown = FieldOfStatus("VmRSS") - memory;
  const microseconds beside = Latency();
  RecordProperty("status_us_before", std::to_string(before.count()));
  RecordProperty("status_us_beside", std::to_string(beside.count()));
  RecordProperty("memory_kb_of_both_ends", std::to_string(grown));
  std::printf("status %ld us before, %ld us beside; %ld KiB, both ends\n",
              static_cast<long>(before.count()),
              static_cast<long>(beside.count()), grown);
  EXPECT_LT(beside, 10 * before + milliseconds(20));

  const auto began = steady_clock::now();
  Tell("one");
  for (Watch& watch : watches_) {
    v1::WatchResponse news;
    ASSERT_TRUE(watch.stream->Read(&news));
    EXPECT_EQ(news.event().message(), "one");
  }
  std::printf(
      "an event reached all in %ld ms\n",
      static_cast<long>(
          duration_cast<milliseconds>(steady_clock::now() - began).count()));
}

TEST_F(Watchers, OneCallerHasNoMoreThanItsShare) {
  ASSERT_NO_FATAL_FAILURE(BeginMany(GateLimits{}.streams));
  stubs_.push_back(v1::Agent::NewStub(Connect()));
  const Watch one_more = Begin(*stubs_.back());
  v1::WatchResponse none;
  EXPECT_FALSE(one_more.stream->Read(&none));
  const grpc::Status status = one_more.stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("watches 1024 times already"));
  EXPECT_LT(Latency(), kVeryLong);  // everything else is answered
}

TEST_F(Watchers, OneThatDoesNotKeepUpLosesTheOldestAndIsTold) {
  BeginMany(1);
  // It reads nothing, so that its window fills; then each event is one lost.
  const std::string padding(16 << 10, 'x');
  for (int i = 0; i < 400; ++i) {
    Tell(std::to_string(i) + padding);
    std::this_thread::sleep_for(milliseconds(1));
  }
  bool told = false;
  int received = 0;
  for (v1::WatchResponse news; watches_[0].stream->Read(&news);) {
    ++received;
    told =
        told || news.event().message().find("were lost") != std::string::npos;
    if (news.event().message().starts_with("399")) break;
  }
  EXPECT_TRUE(told);
  EXPECT_LT(received, 400);
}

TEST_F(Watchers, ManyThatNeverReadAreInNobodysWay) {
  constexpr int kStuck = 200;
  BeginMany(kStuck);
  const microseconds before = Latency();
  const long memory = FieldOfStatus("VmRSS");
  const std::string padding(16 << 10, 'x');
  for (int i = 0; i < 100; ++i) Tell(padding);
  const microseconds beside = Latency();
  const long grown = FieldOfStatus("VmRSS") - memory;
  std::printf("status %ld us before, %ld us beside; %ld KiB, both ends\n",
              static_cast<long>(before.count()),
              static_cast<long>(beside.count()), grown);
  EXPECT_LT(beside, 10 * before + milliseconds(20));
  // The window of a stream at both ends, one message, and what the queues
  // share; not a hundred messages for each, which were 320 MB.
  EXPECT_LT(grown, 120L << 10);
}

// Each holds a thread, for as long as the kernel does not take the spec.
TEST_F(Watchers, WhatIsUrgentGetsPastEightThatWaitForTheKernel) {
  machine_.WithCounters([](testing::FakeMachine::Counters& counters) {
    counters.refuses = [](const Step&) -> std::optional<Error> {
      return Error{ErrorCode::kUnavailable, "not now"};
    };
    return 0;
  });
  v1::ApplyRequest request;
  Spec spec = testing::TwoUplinkSpec();
  spec.name = "another";
  spec.table_base = 30;  // other routes, which are refused
  *request.mutable_router() = SpecToProto(spec);
  request.mutable_wait()->set_seconds(kVeryLong.count());
  std::mutex mutex;
  bool over = false;                        // guarded by mutex
  std::list<grpc::ClientContext> contexts;  // guarded by mutex
  std::vector<std::thread> threads;
  for (int i = 0; i < GateLimits{}.at_once; ++i) {
    threads.emplace_back([&] {
      // One of the questions below may be faster.
      for (bool refused = true; refused;
           std::this_thread::sleep_for(milliseconds(20))) {
        grpc::ClientContext* context = nullptr;
        {
          const std::lock_guard lock(mutex);
          if (over) return;
          context = &contexts.emplace_back();
        }
        v1::ApplyResponse response;
        refused = stub_->Apply(context, request, &response).error_code() ==
                  grpc::RESOURCE_EXHAUSTED;
      }
    });
  }
  const auto code = [](const auto& call) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kVeryLong);
    return call(&context).error_code();
  };
  const auto get = [&](grpc::ClientContext* context) {
    v1::GetResponse response;
    return stub_->Get(context, v1::GetRequest(), &response);
  };
  // Some of them may still be on their way, so often enough in a row.
  int in_a_row = 0;
  for (int i = 0; i < 200 && in_a_row < 10; ++i) {
    in_a_row = code(get) == grpc::RESOURCE_EXHAUSTED ? in_a_row + 1 : 0;
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(in_a_row, 10);
  EXPECT_EQ(code([&](grpc::ClientContext* context) {
              v1::StatusResponse response;
              return stub_->Status(context, v1::StatusRequest(), &response);
            }),
            grpc::OK);
  EXPECT_EQ(code([&](grpc::ClientContext* context) {
              v1::ResumeResponse response;
              return stub_->Resume(context, v1::ResumeRequest(), &response);
            }),
            grpc::OK);
  EXPECT_NE(code([&](grpc::ClientContext* context) {
              v1::ConfirmResponse response;
              return stub_->Confirm(context, v1::ConfirmRequest(), &response);
            }),
            grpc::RESOURCE_EXHAUSTED);
  EXPECT_NE(code([&](grpc::ClientContext* context) {
              v1::CancelConfirmResponse response;
              return stub_->CancelConfirm(context, v1::CancelConfirmRequest(),
                                          &response);
            }),
            grpc::RESOURCE_EXHAUSTED);
  {
    const std::lock_guard lock(mutex);
    over = true;
    for (grpc::ClientContext& context : contexts) context.TryCancel();
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Watchers, WhoeverConnectsAndSaysNothingIsInNobodysWay) {
  std::vector<UniqueFd> mute;
  for (int i = 0; i < 100; ++i) {
    mute.emplace_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(
        connect(mute.back().get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)),
        0);
  }
  EXPECT_LT(Latency(), milliseconds(100));
}

}  // namespace
}  // namespace uplinkd
