// The engine and specs that are to be confirmed: in time, too late, and over
// every crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "agent/engine.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/fake_probes.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ConditionReason;
using testing::ConditionStatus;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FakeMachine;
using testing::FakeProbes;
using ::testing::HasSubstr;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

// Moves only if the test says so.
class FakeClock {
 public:
  std::function<Moment()> Reader() {
    return [this] {
      const std::lock_guard lock(mutex_);
      return now_;
    };
  }
  void Pass(std::chrono::nanoseconds time) {
    const std::lock_guard lock(mutex_);
    now_.uptime += time;
    now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(time);
  }
  void Set(Moment now) {
    const std::lock_guard lock(mutex_);
    now_ = std::move(now);
  }

 private:
  std::mutex mutex_;
  Moment now_{std::chrono::system_clock::time_point(std::chrono::hours(500000)),
              std::chrono::hours(1), "boot1"};
};

Spec RiskySpec() {
  Spec spec = TwoUplinkSpec();
  spec.uplinks.pop_back();
  spec.revision = "risky";
  return spec;
}

Offer Risky() {
  return {.spec = RiskySpec(),
          .from = "anna",
          .confirm = ConfirmTerms{"night", minutes(10)}};
}

// What is ours in the kernel, to be compared.
using Held =
    std::tuple<std::map<RouteKey, Route>, std::vector<PolicyRule>, XtTables>;

// "1 accepted", oldest first.
std::vector<std::string> Told(Engine& engine) {
  std::vector<std::string> told;
  const auto history = engine.History(v1::HistoryRequest());
  for (const v1::HistoryEntry& entry : history->entries()) {
    told.push_back(std::to_string(entry.generation()) + " " + entry.outcome());
  }
  return told;
}

class EngineConfirmTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return OptionsIn(state_.path()); }
  EngineOptions OptionsIn(const std::string& directory) {
    EngineOptions options = OptionsFor(machine_, directory);
    options.follower.clocks.moment = clock_.Reader();
    options.start_probe = probes_.Starter();
    return options;
  }
  // Generation 1 is in sync; generation 2 waits, in sync as well.
  void Wait(RunningEngine& engine, const Offer& risky = Risky()) {
    engine.Start();
    ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
    ASSERT_TRUE(engine.BecomesInSync(1));
    old_ = Ours();
    const auto answer = engine->Apply(risky);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_TRUE(answer->confirm);
    EXPECT_EQ(answer->confirm->return_to(), 1U);
    ASSERT_TRUE(engine.BecomesInSync(2));
    risky_ = Ours();
    ASSERT_FALSE(risky_ == old_);
  }
  Held Ours() {
    const State ours = machine_.With([](FakeKernel& it) { return it.Ours(); });
    return {ours.routes, ours.rules, ours.tables};
  }
  std::set<std::string> Results(Engine& engine) {
    v1::EventsRequest request;
    request.set_trigger("confirm");
    std::set<std::string> results;
    for (int i = 0; i < 100; ++i) {  // it has a thread of its own
      const v1::EventsResponse events = engine.events().Find(request);
      for (const v1::Event& event : events.events()) {
        results.insert(event.result());
      }
      if (results.size() > 1) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return results;
  }

  TemporaryDirectory state_;
  FakeMachine machine_;
  FakeClock clock_;
  FakeProbes probes_;
  Held old_;
  Held risky_;
};

TEST_F(EngineConfirmTest, ReturnsByItselfWhenNobodyConfirms) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Wait(engine));
  const StatusPointer waiting = engine->bulletin().status();
  EXPECT_EQ(ConditionStatus(*waiting, "ConfirmPending"), "True");
  EXPECT_EQ(waiting->pending_confirm().id(), "night");
  EXPECT_EQ(waiting->pending_confirm().generation(), 2U);
  EXPECT_TRUE(engine->bulletin().metrics()->confirm_deadline);
  clock_.Pass(minutes(10) - seconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(engine->Get()->generation, 2U);

  clock_.Pass(seconds(1));
  ASSERT_TRUE(engine.BecomesInSync(3));
  EXPECT_EQ(engine->Get()->spec, TwoUplinkSpec());
  EXPECT_TRUE(Ours() == old_);
  const StatusPointer status = engine->bulletin().status();
  EXPECT_FALSE(status->has_pending_confirm());
  EXPECT_EQ(ConditionReason(*status, "ConfirmPending"), "RolledBack");
  EXPECT_FALSE(engine->bulletin().metrics()->confirm_deadline);
  EXPECT_EQ(engine->bulletin().metrics()->rollbacks.at("timeout"), 1U);
  EXPECT_THAT(Told(*engine),
              ElementsAre("1 accepted", "2 rolled-back", "3 accepted"));
  EXPECT_THAT(Results(*engine), ElementsAre("pending", "rolled-back"));
}

TEST_F(EngineConfirmTest, StaysOnceItIsConfirmed) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Wait(engine));
  EXPECT_EQ(engine->Confirm("day", "anna").error().code,
            ErrorCode::kInvalidArgument);
  const auto confirmed = engine->Confirm("night", "anna");
  ASSERT_TRUE(confirmed) << confirmed.error().message;
  EXPECT_EQ(*confirmed, 2U);
  clock_.Pass(std::chrono::hours(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(engine->Get()->generation, 2U);
  EXPECT_TRUE(Ours() == risky_);
  EXPECT_EQ(engine->Confirm("night", "anna").error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_THAT(Told(*engine), ElementsAre("1 accepted", "2 confirmed"));
  EXPECT_THAT(Results(*engine), ElementsAre("confirmed", "pending"));
}

TEST_F(EngineConfirmTest, ReturnsAtOnceWhenItIsCancelled) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Wait(engine));
  EXPECT_EQ(engine->CancelConfirm("day", "anna").error().code,
            ErrorCode::kInvalidArgument);
  const auto cancelled = engine->CancelConfirm("night", "anna");
  ASSERT_TRUE(cancelled) << cancelled.error().message;
  EXPECT_EQ(cancelled->generation, 3U);
  EXPECT_TRUE(Ours() == old_);
  EXPECT_EQ(engine->bulletin().metrics()->rollbacks.at("cancelled"), 1U);
  EXPECT_EQ(engine->CancelConfirm("night", "anna").error().code,
            ErrorCode::kFailedPrecondition);
}

TEST_F(EngineConfirmTest, HasMoreTimeWhenItIsExtended) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Wait(engine));
  clock_.Pass(minutes(9));
  const auto deadline = engine->ExtendConfirm("night", minutes(10), "anna");
  ASSERT_TRUE(deadline) << deadline.error().message;
  EXPECT_EQ(engine->ExtendConfirm("night", seconds(0), "anna").error().code,
            ErrorCode::kInvalidArgument);
  clock_.Pass(minutes(9));
  const auto again = engine->Apply(Risky());  // extends as well
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->unchanged);
  clock_.Pass(minutes(9));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(engine->Get()->generation, 2U);
  clock_.Pass(minutes(1));
  ASSERT_TRUE(engine.BecomesInSync(3));
}

TEST_F(EngineConfirmTest, NothingButDrainsIsTakenMeanwhile) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Wait(engine));
  Spec third = TwoUplinkSpec();
  third.revision = "third";
  EXPECT_EQ(engine->Apply({third}).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(engine->CleanUp(false, kClient).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(engine->CleanUp(true, kClient));  // a dry run
  EXPECT_TRUE(engine->Drain("wan1", std::nullopt, kClient));
  EXPECT_TRUE(engine->Undrain("wan1", kClient));
  engine->FollowFile("router.yaml", third);
  EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
    return ConditionReason(status, "Accepted") == "ConfirmPending";
  }));
  EXPECT_EQ(engine->Get()->generation, 2U);
  EXPECT_TRUE(Ours() == risky_);
}

TEST_F(EngineConfirmTest, AFileDoesNotBringBackWhatWasRolledBack) {
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    ASSERT_TRUE(engine->CancelConfirm("night", "anna"));
    engine->FollowFile("router.yaml", RiskySpec());
    EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
      return ConditionReason(status, "Accepted") == "Held";
    }));
  }
  RunningEngine engine(Options());
  engine->Restore();
  EXPECT_FALSE(engine->StartWith(RiskySpec(), "router.yaml"));
  engine.Start();
  ASSERT_TRUE(engine.BecomesInSync(3));
  EXPECT_TRUE(Ours() == old_);
  // Somebody means it.
  ASSERT_TRUE(engine->Apply({RiskySpec()}));
  ASSERT_TRUE(engine.BecomesInSync(4));
  EXPECT_EQ(ConditionStatus(*engine->bulletin().status(), "Accepted"), "True");
}

TEST_F(EngineConfirmTest, AFileThatCameMeanwhileIsFollowedWhenTheWaitEnds) {
  Spec next = TwoUplinkSpec();
  next.revision = "next";
  for (const bool confirmed : {true, false}) {
    const TemporaryDirectory state;
    RunningEngine engine(OptionsIn(state.path()));
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    engine->FollowFile("router.yaml", next);
    ASSERT_EQ(engine->Get()->generation, 2U);
    if (confirmed) {
      EXPECT_EQ(engine->Confirm("night", "anna").value(), 2U);
    } else {
      clock_.Pass(minutes(10));
    }
    EXPECT_TRUE(engine.BecomesInSync(confirmed ? 3 : 4)) << confirmed;
    EXPECT_EQ(engine->Get()->spec.revision, "next");
  }
}

// ---- checks ----

TEST_F(EngineConfirmTest, ConfirmsItselfOnceEveryCheckIsAnswered) {
  RunningEngine engine(Options());
  Offer risky = Risky();
  risky.confirm->checks = {ArpProbe{},
                           TcpProbe{testing::Ip("203.0.113.9"), 443}};
  probes_.Set("wan1", FakeProbes::Line::kRefuses);
  ASSERT_NO_FATAL_FAILURE(Wait(engine, risky));
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return status.pending_confirm().checks_fault() == "arp gateway: no";
  }));
  probes_.Set("wan1", FakeProbes::Line::kAlive);
  ASSERT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return !status.has_pending_confirm(); }));
  EXPECT_THAT(Told(*engine), ElementsAre("1 accepted", "2 confirmed"));
  EXPECT_EQ(engine->Get()->generation, 2U);
}

TEST_F(EngineConfirmTest, DoesNotConfirmItselfWhenTheTimeIsOver) {
  RunningEngine engine(Options());
  Offer risky = Risky();
  risky.confirm->checks = {ArpProbe{}};
  probes_.Set("wan1", FakeProbes::Line::kDead);
  ASSERT_NO_FATAL_FAILURE(Wait(engine, risky));
  clock_.Pass(minutes(10));
  probes_.Set("wan1", FakeProbes::Line::kAlive);
  ASSERT_TRUE(engine.BecomesInSync(3));
  EXPECT_THAT(Told(*engine), Contains("2 rolled-back"));
}

// ---- rollback to what was ----

TEST_F(EngineConfirmTest, GoesBackToAnEarlierGenerationAsANewOne) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const Held old = Ours();
  ASSERT_TRUE(engine->Apply({RiskySpec()}));
  const auto recalled = engine->Recall(0);
  ASSERT_TRUE(recalled);
  EXPECT_EQ(recalled->generation, 1U);
  const auto answer =
      engine->Apply({.spec = recalled->spec, .back_to = recalled->generation});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->generation, 3U);
  ASSERT_TRUE(engine.BecomesInSync(3));
  EXPECT_TRUE(Ours() == old);
  const auto history = engine->History(v1::HistoryRequest());
  EXPECT_EQ(history->entries(2).note(), "back to generation 1");
  EXPECT_EQ(engine->bulletin().metrics()->rollbacks.at("requested"), 1U);
}

TEST_F(EngineConfirmTest, ACleanupForgetsTheSpecButNotTheHistory) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine->CleanUp(false, kClient));
  const auto recalled = engine->Recall(0);
  ASSERT_TRUE(recalled) << recalled.error().message;
  EXPECT_EQ(engine->Apply({recalled->spec})->generation, 2U);
}

TEST_F(EngineConfirmTest, TellsWhatHasChangedSinceAGeneration) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine->Apply({RiskySpec()}));
  ASSERT_TRUE(engine.BecomesInSync(2));
  EXPECT_TRUE(engine->DiffSince(2, std::nullopt)->plan.Empty());
  const auto since = engine->DiffSince(1, std::nullopt);
  ASSERT_TRUE(since) << since.error().message;
  EXPECT_FALSE(since->plan.Empty());
  EXPECT_TRUE(engine->DiffSince(1, TwoUplinkSpec())->plan.Empty());
  EXPECT_EQ(engine->DiffSince(9, std::nullopt).error().code,
            ErrorCode::kNotFound);
}

// ---- crashes ----

// The files of the state directory, as they are after a step.
struct Files {
  std::string spec;
  std::string history;
};

class EngineCrashTest : public EngineConfirmTest {
 protected:
  Files Now() {
    return {state_.Read("spec.json"), state_.Read("history.json")};
  }

  // An agent starts where these files are, at this moment: the generation that
  // it comes to hold, and what its history says. The kernel is as the last
  // agent left it.
  std::pair<std::uint64_t, std::vector<std::string>> Start(
      const Files& files, const Held& expected) {
    const TemporaryDirectory directory;
    directory.Write("spec.json", files.spec);
    directory.Write("history.json", files.history);
    // What a crash in the middle of a write leaves.
    directory.Write("spec.json.new", "{\"format\": 1, \"gener");
    RunningEngine engine(OptionsIn(directory.path()));
    engine->Restore();
    engine.Start();
    EXPECT_TRUE(engine.Becomes([](const v1::Status& status) {
      return status.generation() == status.observed_generation() &&
             ConditionStatus(status, "Programmed") == "True";
    }));
    EXPECT_TRUE(Ours() == expected);
    return {engine->bulletin().status()->generation(), Told(*engine)};
  }
};

using Outcome3 = std::pair<std::uint64_t, std::vector<std::string>>;

// spec.json is written before history.json, and each is replaced as a whole. So
// these are all states that a kill, a crash or a power cut can leave.
TEST_F(EngineCrashTest, WhereverItIsKilledItEndsInTheOldSpecOrTheConfirmed) {
  Files before;
  Files waiting;
  Files confirmed;
  {
    RunningEngine engine(Options());
    engine.Start();
    ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
    ASSERT_TRUE(engine.BecomesInSync(1));
    old_ = Ours();
    before = Now();
    ASSERT_TRUE(engine->Apply(Risky()));
    ASSERT_TRUE(engine.BecomesInSync(2));
    risky_ = Ours();
    waiting = Now();
    ASSERT_TRUE(engine->Confirm("night", "anna"));
    confirmed = Now();
  }
  clock_.Pass(minutes(11));
  const std::vector<std::string> gone = {"1 accepted", "2 rolled-back",
                                         "3 accepted"};
  const std::vector<std::string> kept = {"1 accepted", "2 confirmed"};
  EXPECT_EQ(Start(before, old_), (Outcome3{1, {"1 accepted"}}));
  EXPECT_EQ(Start({waiting.spec, before.history}, old_), (Outcome3{3, gone}));
  EXPECT_EQ(Start(waiting, old_), (Outcome3{3, gone}));
  EXPECT_EQ(Start({confirmed.spec, waiting.history}, risky_),
            (Outcome3{2, kept}));
  EXPECT_EQ(Start(confirmed, risky_), (Outcome3{2, kept}));
}

TEST_F(EngineCrashTest, WhereverARollbackIsKilledItEndsInTheOldSpec) {
  Files waiting;
  Files gone;
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    waiting = Now();
    clock_.Pass(minutes(11));
    ASSERT_TRUE(engine.BecomesInSync(3));
    gone = Now();
  }
  const Outcome3 end = {3, {"1 accepted", "2 rolled-back", "3 accepted"}};
  EXPECT_EQ(Start(waiting, old_), end);
  EXPECT_EQ(Start({gone.spec, waiting.history}, old_), end);
  EXPECT_EQ(Start(gone, old_), end);
}

TEST_F(EngineCrashTest, ARestartInTimeGoesOnWaiting) {
  Files waiting;
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    waiting = Now();
  }
  clock_.Pass(minutes(9));
  EXPECT_EQ(Start(waiting, risky_), (Outcome3{2, {"1 accepted", "2 pending"}}));
}

TEST_F(EngineCrashTest, AfterARebootWithoutAClockTheOldSpecReturns) {
  Files waiting;
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    waiting = Now();
  }
  machine_.With([](FakeKernel& it) {
    it.routes.clear();
    std::erase_if(it.rules, [](const PolicyRule& rule) {
      return rule.protocol == kProtocol;
    });
  });
  clock_.Set({std::chrono::system_clock::time_point(), seconds(20), "boot2"});
  EXPECT_EQ(Start(waiting, old_).first, 3U);
}

TEST_F(EngineCrashTest, AfterARebootInTimeItWaitsForTheRest) {
  Files waiting;
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Wait(engine));
    waiting = Now();
  }
  const Moment before = clock_.Reader()();
  clock_.Set({before.wall + minutes(4), seconds(20), "boot2"});
  TemporaryDirectory directory;
  directory.Write("spec.json", waiting.spec);
  RunningEngine engine(OptionsIn(directory.path()));
  engine->Restore();
  engine.Start();
  ASSERT_TRUE(engine.BecomesInSync(2));
  // The time server sets the clock; that counts no more.
  clock_.Set(
      {before.wall + std::chrono::hours(9), seconds(20) + minutes(5), "boot2"});
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(engine->Get()->generation, 2U);
  clock_.Set(
      {before.wall + std::chrono::hours(9), seconds(20) + minutes(6), "boot2"});
  EXPECT_TRUE(engine.BecomesInSync(3));
}

}  // namespace
}  // namespace uplinkd
