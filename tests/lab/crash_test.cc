// kill -9 at every system call of what changes the agent's state: an apply, a
// confirm, a rollback, a drain, a pause. The next agent starts, is of the old
// spec or of the new one as the disk says, and brings the kernel to it; foreign
// state does not move a byte, and a connection on a line that both specs have
// goes on.
//
// Each operation is traced once, and then done anew for each of its calls, by
// an agent that is killed there. A spread of those is tried by which the engine
// changes something; with UPLINKD_EVERY_CALL in the environment it is every
// call of the engine, and those of the other threads that have an effect, which
// takes long (`ctest -L long`).
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "proto/spec_reader.h"
#include "tests/lab/agent_lab.h"
#include "tests/lab/kill_tracer.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool EveryCall() {
  return std::getenv("UPLINKD_EVERY_CALL") != nullptr;
}

LabSpec OldSpec() {
  return {.uplinks = 3,
          .algorithm = "multipath",
          .nat = "masquerade",
          .revision = "old"};
}

LabSpec NewSpec() {
  return {.algorithm = "round-robin", .capacities = {7, 3}, .revision = "new"};
}

std::unique_ptr<grpc::ClientContext> Within(milliseconds patience) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + patience);
  return context;
}

v1::ApplyRequest RequestFor(const LabSpec& spec) {
  v1::ApplyRequest request;
  *request.mutable_router() = ReadSpecText(spec.Text(), "lab.yaml")->router;
  request.mutable_wait()->set_seconds(10);
  return request;
}

// `most` of the engine's, evenly, with the first and the last one; or every one
// of them, with what others change.
std::vector<TracedCall> Choose(std::vector<TracedCall> calls,
                               std::size_t most) {
  std::erase_if(calls, [](const TracedCall& call) {
    const bool wanted = EveryCall() && !call.words.starts_with("call ");
    return call.point.thread != "engine" && !wanted;
  });
  if (EveryCall()) return calls;
  if (calls.size() <= most) return calls;
  std::vector<TracedCall> chosen;
  for (std::size_t i = 0; i < most; ++i) {
    chosen.push_back(calls[i * (calls.size() - 1) / (most - 1)]);
  }
  return chosen;
}

class Crash : public AgentLab {
 protected:
  struct Operation {
    std::size_t most = 0;           // calls to try, unless all are
    std::string essential;          // words of a call that it must have
    std::function<void()> prepare;  // so that the request can be made (again)
    std::function<bool()> request;  // whether it was answered, and well
    // Of the next agent, which is in sync.
    std::function<void(const v1::Status& status, bool answered)> check;
  };

  void Begin() {
    ASSERT_NO_FATAL_FAILURE(BuildLab({.lines = std::vector<Line>(3)}));
    ASSERT_NO_FATAL_FAILURE(AddForeign());
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(Apply(NewSpec()));
    own_new_ = OwnState(lab_->router());
    ASSERT_NO_FATAL_FAILURE(FindLiving());
    ASSERT_NO_FATAL_FAILURE(Follow(OldSpec()));
    own_old_ = OwnState(lab_->router());
    ASSERT_NE(own_old_, own_new_);
    ASSERT_EQ(living_->Ask(), UplinkAddress(1));
  }

  void Follow(const LabSpec& spec) {
    ASSERT_NO_FATAL_FAILURE(Apply(spec));
    const Result<v1::Status> status = agent_->Status();
    ASSERT_TRUE(status) << status.error().message;
    generation_ = status->generation();
  }

  // On an uplink that both specs have. Without a state of its own: an answer
  // is not followed by another packet that foreign counters count.
  void FindLiving() {
    for (int i = 0; i < 20; ++i) {
      Result<Connection> connection = Connection::Open(
          lab_->client(), {.port = kUdpEchoPort, .transport = Transport::kUdp});
      ASSERT_TRUE(connection) << connection.error().message;
      if (connection->Ask() == UplinkAddress(1)) {
        living_ = std::make_unique<Connection>(std::move(*connection));
        return;
      }
    }
    FAIL() << "no connection takes " << UplinkAddress(1);
  }

  std::uint64_t GenerationOnDisk() const {
    std::ifstream file(lab_->directory() / "agent.state" / "spec.json");
    const nlohmann::json spec = nlohmann::json::parse(file, nullptr, false);
    EXPECT_TRUE(spec.is_object()) << "spec.json is torn";
    return spec.is_object() ? spec["generation"].get<std::uint64_t>() : 0;
  }

  void ExpectAllElseUntouched(Counters counters) {
    const std::string now = ForeignState(lab_->router(), Counters::kCompare);
    if (counters == Counters::kCompare) {
      EXPECT_EQ(now, foreign_);
    } else {
      EXPECT_EQ(WithoutCounters(now), WithoutCounters(foreign_));
    }
    EXPECT_EQ(living_->Ask(), UplinkAddress(1));
    foreign_ = ForeignState(lab_->router(), Counters::kCompare);
  }

  // The kernel zeroes the counters of a table that is replaced, and takes them
  // back with a second call. Whoever is killed in between has no say in it.
  static Counters CountersAfter(const KillTracer& tracer) {
    bool between = false;
    for (const TracedCall& call : tracer.calls()) {
      if (tracer.killed() && &call == &tracer.calls().back()) break;
      if (call.words == "setsockopt SET_REPLACE") between = true;
      if (call.words == "setsockopt SET_ADD_COUNTERS") between = false;
    }
    return between ? Counters::kIgnore : Counters::kCompare;
  }

  // One attempt that ends with a killed agent, at `point` if it comes by there;
  // and the next agent. Whether it was killed there.
  bool Attempt(const Operation& operation, const KillPoint& point,
               std::vector<TracedCall>* calls) {
    operation.prepare();
    if (HasFatalFailure()) return false;
    foreign_ = ForeignState(lab_->router(), Counters::kCompare);
    KillTracer tracer(agent_->process().pid(),
                      EveryCall() ? Calls::kAll : Calls::kEffects, point);
    EXPECT_TRUE(tracer.attached());
    const bool answered = operation.request();
    // Others than the engine may come to it later, as the one that writes what
    // happened does every two seconds.
    if (point.ordinal > 0 && point.thread != "engine") {
      Eventually([&] { return tracer.killed(); }, milliseconds(2500));
    }
    tracer.Finish();
    if (calls != nullptr) *calls = tracer.calls();
    agent_->process().Signal(SIGKILL);
    EXPECT_EQ(agent_->process().Wait(seconds(20)), 128 + SIGKILL)
        << agent_->Log();
    Recover(operation, answered, CountersAfter(tracer));
    return tracer.killed();
  }

  void Recover(const Operation& operation, bool answered, Counters counters) {
    const std::uint64_t on_disk = GenerationOnDisk();
    EXPECT_GE(on_disk, generation_) << "a generation was forgotten";
    ExpectAllElseUntouched(counters);
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
      return InSync(status) &&
             status.observed_generation() == status.generation();
    }));
    const Result<v1::Status> status = agent_->Status();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_GE(status->generation(), on_disk);
    ExpectAllElseUntouched(Counters::kCompare);
    operation.check(*status, answered);
  }

  void Explore(const Operation& operation) {
    std::vector<TracedCall> calls;
    Attempt(operation, {}, &calls);  // it is killed after the answer
    ASSERT_FALSE(HasFailure());
    ASSERT_TRUE(std::ranges::any_of(calls, [&](const TracedCall& call) {
      return call.words.find(operation.essential) != std::string::npos;
    })) << ::testing::PrintToString(calls);
    const std::vector<TracedCall> chosen = Choose(calls, operation.most);
    int reached = 0;
    for (const TracedCall& call : chosen) {
      SCOPED_TRACE(::testing::PrintToString(call));
      reached += Attempt(operation, call.point, nullptr) ? 1 : 0;
      ASSERT_FALSE(HasFailure());
    }
    std::cout << "killed at " << reached << " of " << chosen.size()
              << " calls, of " << calls.size() << "\n";
    // What threads do beside each other is not the same each time.
    EXPECT_GE(reached * 4, static_cast<int>(chosen.size()) * 3);
  }

  // The new spec waits to be confirmed, the old one would return.
  void ApplyToConfirm(seconds within) {
    ASSERT_NO_FATAL_FAILURE(Follow(OldSpec()));
    v1::ApplyRequest request = RequestFor(NewSpec());
    request.mutable_confirm_within()->set_seconds(within.count());
    request.set_confirm_id("night");
    v1::ApplyResponse response;
    const grpc::Status status =
        agent_->stub().Apply(Within(seconds(20)).get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_TRUE(response.in_sync()) << response.ShortDebugString();
    generation_ = response.generation();
  }

  // The old or the new one, wholly, as the generation says.
  void ExpectOneOrTheOther(const v1::Status& status, bool answered,
                           const std::string& before,
                           const std::string& after) {
    const bool accepted = status.generation() > generation_;
    EXPECT_TRUE(accepted || !answered) << "what was answered is forgotten";
    EXPECT_LE(status.generation(), generation_ + 1);
    EXPECT_EQ(OwnState(lab_->router()), accepted ? after : before);
  }

  std::string OutcomeOf(std::uint64_t generation) {
    v1::HistoryResponse history;
    const grpc::Status status = agent_->stub().History(
        Within(seconds(20)).get(), v1::HistoryRequest(), &history);
    EXPECT_TRUE(status.ok()) << status.error_message();
    for (const v1::HistoryEntry& entry : history.entries()) {
      if (entry.generation() == generation) return entry.outcome();
    }
    return "forgotten";
  }

  std::string own_old_;
  std::string own_new_;
  std::string foreign_;
  std::uint64_t generation_ = 0;  // before the request
  std::unique_ptr<Connection> living_;
};

TEST_F(Crash, InAnApply) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Explore({.most = 12,
           .essential = "SET_REPLACE",
           .prepare = [&] { Follow(OldSpec()); },
           .request =
               [&] {
                 v1::ApplyResponse response;
                 return agent_->stub()
                     .Apply(Within(seconds(20)).get(), RequestFor(NewSpec()),
                            &response)
                     .ok();
               },
           .check =
               [&](const v1::Status& status, bool answered) {
                 ExpectOneOrTheOther(status, answered, own_old_, own_new_);
                 EXPECT_EQ(OutcomeOf(status.generation()), "accepted");
               }});
}

TEST_F(Crash, InAConfirm) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Explore({.most = 6,
           .essential = "rename",
           .prepare = [&] { ApplyToConfirm(seconds(300)); },
           .request =
               [&] {
                 v1::ConfirmRequest request;
                 request.set_id("night");
                 v1::ConfirmResponse response;
                 return agent_->stub()
                     .Confirm(Within(seconds(20)).get(), request, &response)
                     .ok();
               },
           .check =
               [&](const v1::Status& status, bool answered) {
                 EXPECT_EQ(status.generation(), generation_);
                 EXPECT_EQ(OwnState(lab_->router()), own_new_);
                 const bool waits = status.has_pending_confirm();
                 EXPECT_FALSE(waits && answered);
                 EXPECT_EQ(OutcomeOf(generation_),
                           waits ? "pending" : "confirmed");
                 if (!waits) return;
                 v1::CancelConfirmRequest cancel;
                 cancel.set_id("night");
                 v1::CancelConfirmResponse response;
                 EXPECT_TRUE(agent_->stub()
                                 .CancelConfirm(Within(seconds(20)).get(),
                                                cancel, &response)
                                 .ok());
                 EXPECT_EQ(response.generation(), generation_ + 1);
                 ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
                 EXPECT_EQ(OwnState(lab_->router()), own_old_);
               }});
}

TEST_F(Crash, InARollbackForWantOfAConfirm) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Explore({.most = 6,
           .essential = "SET_REPLACE",
           .prepare = [&] { ApplyToConfirm(seconds(1)); },
           .request =
               [&] {
                 // Seldom: whoever asks has the agent make calls, too.
                 Result<v1::Status> status;
                 for (int i = 0; i < 50; ++i) {
                   std::this_thread::sleep_for(milliseconds(100));
                   status = agent_->Status();
                   if (!status || status->observed_generation() > generation_) {
                     break;
                   }
                 }
                 return status.has_value();
               },
           .check =
               [&](const v1::Status&, bool) {
                 ASSERT_NO_FATAL_FAILURE(WaitFor([&](const auto& status) {
                   return InSync(status) && !status.has_pending_confirm() &&
                          status.observed_generation() == generation_ + 1;
                 }));
                 EXPECT_EQ(OwnState(lab_->router()), own_old_);
                 EXPECT_EQ(OutcomeOf(generation_), "rolled-back");
               }});
}

TEST_F(Crash, InARollbackThatWasAskedFor) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  std::uint64_t old_generation = 0;
  Explore({.most = 6,
           .essential = "rename",
           .prepare =
               [&] {
                 ASSERT_NO_FATAL_FAILURE(Follow(OldSpec()));
                 old_generation = generation_;
                 Follow(NewSpec());
               },
           .request =
               [&] {
                 v1::RollbackRequest request;
                 request.set_to_generation(old_generation);
                 request.mutable_wait()->set_seconds(10);
                 v1::ApplyResponse response;
                 return agent_->stub()
                     .Rollback(Within(seconds(20)).get(), request, &response)
                     .ok();
               },
           .check =
               [&](const v1::Status& status, bool answered) {
                 ExpectOneOrTheOther(status, answered, own_new_, own_old_);
               }});
}

TEST_F(Crash, InADrain) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  std::string drained;
  Explore({.most = 6,
           .essential = "drains.json",
           .prepare =
               [&] {
                 v1::UndrainRequest request;
                 request.set_uplink("wan2");
                 v1::UndrainResponse response;
                 agent_->stub().Undrain(Within(seconds(20)).get(), request,
                                        &response);
                 ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
                 ASSERT_EQ(OwnState(lab_->router()), own_old_);
               },
           .request =
               [&] {
                 v1::DrainRequest request;
                 request.set_uplink("wan2");
                 request.mutable_deadline()->set_seconds(3600);
                 v1::DrainResponse response;
                 return agent_->stub()
                     .Drain(Within(seconds(20)).get(), request, &response)
                     .ok();
               },
           .check =
               [&](const v1::Status& status, bool answered) {
                 const bool drains = PhaseOf(status, "wan2") == "Draining";
                 EXPECT_TRUE(drains || !answered);
                 const std::string own = OwnState(lab_->router());
                 if (drains && drained.empty()) drained = own;
                 EXPECT_NE(drained, own_old_);
                 EXPECT_EQ(own, drains ? drained : own_old_);
               }});
}

TEST_F(Crash, InAPause) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Explore({.most = 5,
           .essential = "pause.json",
           .prepare =
               [&] {
                 v1::ResumeResponse response;
                 agent_->stub().Resume(Within(seconds(20)).get(),
                                       v1::ResumeRequest(), &response);
                 WaitFor(InSync);
               },
           .request =
               [&] {
                 v1::PauseRequest request;
                 request.mutable_duration()->set_seconds(3600);
                 v1::PauseResponse response;
                 return agent_->stub()
                     .Pause(Within(seconds(20)).get(), request, &response)
                     .ok();
               },
           .check =
               [&](const v1::Status& status, bool answered) {
                 const v1::Condition* paused = FindCondition(status, "Paused");
                 ASSERT_NE(paused, nullptr);
                 EXPECT_TRUE(paused->status() == "True" || !answered);
                 EXPECT_EQ(OwnState(lab_->router()), own_old_);
               }});
}

}  // namespace
}  // namespace uplinkd::lab
