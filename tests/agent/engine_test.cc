#include "agent/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using testing::ConditionReason;
using testing::ConditionStatus;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FakeMachine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OptionsFor;
using testing::PhaseOf;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class EngineTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return OptionsFor(machine_, state_.path()); }
  std::size_t Writes() {
    return machine_.With([](FakeKernel& it) { return it.writes.size(); });
  }
  std::size_t Passes() {
    return machine_.With(
        [](FakeKernel& it) { return std::ranges::count(it.calls, "observe"); });
  }
  void Refuse(std::function<std::optional<Error>(const Step&)> refuses) {
    machine_.WithCounters(
        [&](FakeMachine::Counters& it) { it.refuses = std::move(refuses); });
  }
  TemporaryDirectory state_;
  FakeMachine machine_;
};

TEST_F(EngineTest, WritesAndReadsNothingBeforeASpecIsKnown) {
  std::atomic<bool> ready = false;
  EngineOptions options = Options();
  options.ready = [&] { ready = true; };
  RunningEngine engine(std::move(options));
  engine->Restore();
  engine.Start();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Programmed") == "NoSpec";
  }));
  machine_.Poke();
  std::this_thread::sleep_for(milliseconds(150));  // several polls
  EXPECT_THAT(machine_.With([](FakeKernel& it) { return it.calls; }),
              IsEmpty());
  EXPECT_TRUE(ready);
  EXPECT_EQ(engine->Get().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(engine->Diff(std::nullopt).error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, AppliesASpecAndSeesThatItHolds) {
  RunningEngine engine(Options());
  engine.Start();
  const auto answer = engine->Apply({TwoUplinkSpec()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->generation, 1U);
  EXPECT_FALSE(answer->unchanged);
  EXPECT_EQ(answer->report.result, PassResult::kChanged);
  EXPECT_TRUE(engine.BecomesInSync(1));
  EXPECT_FALSE(
      machine_.With([](FakeKernel& it) { return it.Ours(); }).routes.empty());
  EXPECT_THAT(machine_.With([](FakeKernel& it) { return it.broken_promises; }),
              IsEmpty());
  EXPECT_EQ(engine->Get()->spec, TwoUplinkSpec());
  const auto watched = machine_.WithCounters(
      [](FakeMachine::Counters& it) { return it.watched_tables; });
  EXPECT_THAT(watched, ElementsAre(11, 12));
}

TEST_F(EngineTest, TheSameSpecAgainWritesNothingAndKeepsItsGeneration) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const std::size_t writes = Writes();
  Spec again = TwoUplinkSpec();
  for (Uplink& uplink : again.uplinks) uplink.id = 0;  // remembered
  const auto answer = engine->Apply({again, 1});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->generation, 1U);
  EXPECT_TRUE(answer->unchanged);
  EXPECT_EQ(Writes(), writes);
}

TEST_F(EngineTest, RefusesAnUnexpectedGenerationAndChangesNothing) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const std::size_t writes = Writes();
  Spec other = TwoUplinkSpec();
  other.uplinks.pop_back();
  const auto answer = engine->Apply({other, 7});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kAborted);
  EXPECT_EQ(Writes(), writes);
  EXPECT_EQ(engine->Get()->generation, 1U);
}

TEST_F(EngineTest, RefusesASpecThatCannotBeSaved) {
  state_.Write("file", "");
  EngineOptions options = Options();
  options.follower.state_dir = state_ / "file";
  RunningEngine engine(std::move(options));
  engine.Start();
  EXPECT_FALSE(engine->Apply({TwoUplinkSpec()}));
  EXPECT_EQ(Writes(), 0U);
  EXPECT_EQ(engine->Get().error().code, ErrorCode::kNotFound);
}

TEST_F(EngineTest, FollowsASpecFromAFileEvenIfItCannotBeSaved) {
  state_.Write("file", "");
  EngineOptions options = Options();
  options.follower.state_dir = state_ / "file";
  RunningEngine engine(std::move(options));
  ASSERT_TRUE(engine->StartWith(TwoUplinkSpec(), "router.yaml"));
  engine.Start();
  EXPECT_TRUE(engine.BecomesInSync(1));
}

TEST_F(EngineTest, TakesUpTheSpecOfTheLastRun) {
  {
    RunningEngine engine(Options());
    engine.Start();
    Spec spec = TwoUplinkSpec();
    ASSERT_TRUE(engine->Apply({spec}));
    spec.revision = "second";
    ASSERT_TRUE(engine->Apply({spec}));
    ASSERT_TRUE(engine.BecomesInSync(2));
  }
  const std::size_t writes = Writes();
  std::atomic<bool> ready = false;
  EngineOptions options = Options();
  options.ready = [&] { ready = true; };
  RunningEngine engine(std::move(options));
  engine->Restore();
  engine.Start();
  ASSERT_TRUE(engine.BecomesInSync(2));
  EXPECT_EQ(engine->Get()->spec.revision, "second");
  EXPECT_EQ(Writes(), writes);  // the kernel held it all the time
  engine.Stop();
  EXPECT_TRUE(ready);
}

TEST_F(EngineTest, StartsWithoutASpecIfTheStoredOneIsTorn) {
  state_.Write("spec.json", "{\"format\": 1, ");
  RunningEngine engine(Options());
  engine->Restore();
  engine.Start();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Accepted") == "NoSpec";
  }));
  EXPECT_THAT(engine->Get().error().message, HasSubstr("spec.json"));
  EXPECT_EQ(state_.Read("spec.json"), "{\"format\": 1, ");
  EXPECT_EQ(Writes(), 0U);
}

TEST_F(EngineTest, RepairsDriftOnAnEventAndCountsIt) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const State before = machine_.With([](FakeKernel& it) { return it.Ours(); });
  const auto watcher = engine->bulletin().Subscribe();
  machine_.With([](FakeKernel& it) {
    std::erase_if(it.rules, [](const PolicyRule& rule) {
      return rule.priority == kMarkPriority + 1;
    });
  });
  machine_.Poke();
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return status.corrections() == 1; }));
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(machine_.With([](FakeKernel& it) { return it.Ours().rules; }),
            before.rules);
  // The exporter and the watchers were told.
  const SnapshotPointer metrics = engine->bulletin().metrics();
  EXPECT_EQ(metrics->corrections.at({"rule", "missing"}), 1U);
  EXPECT_TRUE(metrics->in_sync);
  ASSERT_TRUE(watcher->Next(milliseconds(0)));  // the first: no event
  const auto news = watcher->Next(milliseconds(10000));
  ASSERT_TRUE(news);
  EXPECT_EQ(news->event->result(), "changed");
  EXPECT_EQ(ConditionReason(*news->status, "DriftDetected"), "Repaired");
}

// The kernel takes routes along with an address, and may do so between the two
// reads of a pass: that read the address, but not the routes.
TEST_F(EngineTest, WhatWentWithAnAddressDuringAPassIsNoDrift) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  machine_.With([](FakeKernel& it) {
    std::erase_if(it.routes, [](const auto& route) {
      return route.first.table == 12 &&
             route.second.type == RouteType::kUnicast;
    });
    it.before_write = [](FakeKernel& late) {
      Facts facts = testing::TwoUplinkFacts();
      facts.links.at("wan2").addresses.clear();
      late.SetHost(facts);
    };
  });
  machine_.Poke();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return PhaseOf(status, "wan2") == "Waiting" &&
           ConditionStatus(status, "Programmed") == "True";
  }));
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
}

TEST_F(EngineTest, ANewSpecIsNoDrift) {
  RunningEngine engine(Options());
  engine.Start();
  Spec spec = TwoUplinkSpec();
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  spec.balance.algorithm = Algorithm::kWeightedRandom;
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(2));
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
}

TEST_F(EngineTest, AnUplinkWhoseLinkComesJoinsAndThatIsNoDrift) {
  Facts facts = testing::TwoUplinkFacts();
  facts.links.erase("wan2");
  machine_.With([&](FakeKernel& it) { it.SetHost(facts); });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(PhaseOf(*engine->bulletin().status(), "wan2"), "Waiting");
  machine_.With([](FakeKernel& it) { it.SetHost(testing::TwoUplinkFacts()); });
  machine_.Poke();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return PhaseOf(status, "wan2") == "Ready" &&
           ConditionStatus(status, "Programmed") == "True";
  }));
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
}

TEST_F(EngineTest, AFailedReadIsAConditionAndIsTriedAgain) {
  machine_.With([](FakeKernel& it) {
    it.read_error = Error{ErrorCode::kFailedPrecondition,
                          "can't initialize iptables table `mangle'", 92};
  });
  RunningEngine engine(Options());
  const auto watcher = engine->bulletin().Subscribe();
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  std::vector<std::string> reasons;
  while (const auto news = watcher->Next(milliseconds(0))) {
    reasons.push_back(ConditionReason(*news->status, "Programmed"));
  }
  EXPECT_THAT(reasons, Contains("BackendUnavailable"));
}

TEST_F(EngineTest, ALockThatIsHeldIsAConditionAndBlocksNobody) {
  Refuse([](const Step& step) -> std::optional<Error> {
    if (!std::holds_alternative<EditXtTable>(step.change)) return std::nullopt;
    return Error{ErrorCode::kDeadlineExceeded, "the xtables lock is held", 0};
  });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Programmed") == "LockTimeout" &&
           ConditionReason(status, "Degraded") == "LockTimeout";
  }));
  EXPECT_EQ(PhaseOf(*engine->bulletin().status(), "wan1"), "Ready");
  Refuse(nullptr);
  EXPECT_TRUE(engine.BecomesInSync(1));
}

TEST_F(EngineTest, ARefusedUplinkIsLeftOutUntilTheKernelTakesIt) {
  Refuse([](const Step& step) -> std::optional<Error> {
    const auto* put = std::get_if<PutRoute>(&step.change);
    if (put == nullptr || put->route.key.table != 12 ||
        put->route.type != RouteType::kUnicast) {
      return std::nullopt;
    }
    return Error{ErrorCode::kInvalidArgument, "Nexthop has invalid gateway",
                 22};
  });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return PhaseOf(status, "wan1") == "Ready" &&
           PhaseOf(status, "wan2") == "Blocked" &&
           ConditionReason(status, "Programmed") == "KernelRejected" &&
           ConditionStatus(status, "Degraded") == "True";
  }));
  EXPECT_FALSE(engine->bulletin().metrics()->in_sync);
  // The other one carries connections meanwhile.
  const State ours = machine_.With([](FakeKernel& it) { return it.Ours(); });
  const auto& chains = ours.tables.at(XtTable::kMangle)->chains;
  EXPECT_TRUE(chains.contains("UPL-MARK-1"));
  EXPECT_FALSE(chains.contains("UPL-MARK-2"));

  Refuse(nullptr);
  EXPECT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(PhaseOf(*engine->bulletin().status(), "wan2"), "Ready");
  EXPECT_THAT(machine_.With([](FakeKernel& it) { return it.broken_promises; }),
              IsEmpty());
}

TEST_F(EngineTest, GoesOnWithoutPermissionAndHealsWhenItComes) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.open_error =
        Error{ErrorCode::kPermissionDenied, "Operation not permitted", 1};
  });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Programmed") == "PermissionDenied";
  }));
  machine_.WithCounters(
      [](FakeMachine::Counters& it) { it.open_error.reset(); });
  EXPECT_TRUE(engine.BecomesInSync(1));
  // Events are heard from then on.
  const std::size_t passes = Passes();
  machine_.Poke();
  while (Passes() == passes) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(EngineTest, EndsAtOnceIfThereIsNoNetlinkAtAll) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.open_error = Error{ErrorCode::kInternal,
                          "Address family not supported by protocol", 97};
  });
  RunningEngine engine(Options());
  engine.Start();
  engine.Stop();
  ASSERT_FALSE(engine.ended());
  EXPECT_THAT(engine.ended().error().message, HasSubstr("Address family"));
}

TEST_F(EngineTest, CleansUpThenForgets) {
  EngineOptions options = Options();
  options.follower.iproute2_dir = state_ / "iproute2";
  RunningEngine engine(std::move(options));
  engine.Start();
  const auto foreign =
      machine_.With([](FakeKernel& it) { return it.AllForeign(); });
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_TRUE(state_.Has("iproute2/rt_tables.d/uplinkd.conf"));

  const auto plan = engine->CleanUp(true, kClient);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->plan.Empty());
  EXPECT_TRUE(state_.Has("spec.json"));

  ASSERT_TRUE(engine->CleanUp(false, kClient));
  EXPECT_FALSE(state_.Has("spec.json"));
  EXPECT_FALSE(state_.Has("iproute2/rt_tables.d/uplinkd.conf"));
  EXPECT_EQ(machine_.With([](FakeKernel& it) { return it.AllForeign(); }),
            foreign);
  const State ours = machine_.With([](FakeKernel& it) { return it.Ours(); });
  EXPECT_TRUE(ours.routes.empty() && ours.rules.empty());
  const std::size_t writes = Writes();
  std::this_thread::sleep_for(milliseconds(150));  // several polls
  EXPECT_EQ(Writes(), writes);
  EXPECT_EQ(ConditionReason(*engine->bulletin().status(), "Accepted"),
            "NoSpec");
}

TEST_F(EngineTest, KeepsTheSpecIfTheKernelCouldNotBeCleaned) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  machine_.With([](FakeKernel& it) {
    it.read_error = Error{ErrorCode::kUnavailable, "no", 0};
  });
  // A poll may take the armed error first: then the next attempt has it.
  while (engine->CleanUp(true, kClient)) {
    machine_.With([](FakeKernel& it) {
      it.read_error = Error{ErrorCode::kUnavailable, "no", 0};
    });
  }
  EXPECT_TRUE(state_.Has("spec.json"));
  EXPECT_TRUE(engine.BecomesInSync(1));
}

TEST_F(EngineTest, ARefusedFileKeepsTheLastGoodSpec) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  engine->NoteRefusedSpec("router.yaml:1:1: no");
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Accepted") == "InvalidSpec";
  }));
  EXPECT_EQ(engine->bulletin().status()->generation(), 1U);
  Spec next = TwoUplinkSpec();
  next.revision = "mended";
  engine->FollowFile("router.yaml", next);
  EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionStatus(status, "Accepted") == "True" &&
           status.generation() == 2;
  }));
}

TEST_F(EngineTest, DiffAndGetWriteNothing) {
  RunningEngine engine(Options());
  engine.Start();
  const auto plan = engine->Diff(TwoUplinkSpec());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->plan.Empty());
  EXPECT_EQ(Writes(), 0U);
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_TRUE(engine->Diff(std::nullopt)->plan.Empty());
}

TEST_F(EngineTest, ShowsTheTrafficOfTheUplinks) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.links[3] = {1000, 2000};
    it.connections = {{1, {5, 2}}, {0, {9, 9}}};
  });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
    return status.uplinks_size() == 2 &&
           status.uplinks(0).receive_bytes() == 1000 &&
           status.uplinks(0).transmit_bytes() == 2000;
  }));
  EXPECT_EQ(engine->bulletin().metrics()->conntrack_limit, 1000U);
}

TEST_F(EngineTest, StopsSoonAndRefusesLaterRequests) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  const auto began = std::chrono::steady_clock::now();
  engine.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
  EXPECT_EQ(engine->Apply({TwoUplinkSpec()}).error().code,
            ErrorCode::kUnavailable);
  EXPECT_TRUE(engine->bulletin().closed());
  EXPECT_FALSE(machine_.With([](FakeKernel& it) { return it.Ours(); })
                   .rules.empty());  // the state stays
}

TEST_F(EngineTest, ManyClientsAtOnceGetConsistentAnswers) {
  RunningEngine engine(Options());
  engine.Start();
  std::vector<std::thread> clients;
  clients.reserve(4);
  std::atomic<int> accepted = 0;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 10; ++i) {
        Spec spec = TwoUplinkSpec();
        spec.revision = std::to_string(client) + "." + std::to_string(i);
        if (engine->Apply({spec})) ++accepted;
        if (engine->bulletin().status() == nullptr) ADD_FAILURE();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(accepted, 40);
  EXPECT_EQ(engine->Get()->generation, 40U);
  EXPECT_TRUE(engine.BecomesInSync(40));
}

}  // namespace
}  // namespace uplinkd
