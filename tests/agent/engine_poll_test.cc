// Polls: the engine looks at the chains, which have no events.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "reconciler/ownership.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using testing::FakeMachine;
using testing::OptionsFor;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class EnginePollTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return OptionsFor(machine_, state_.path()); }
  std::size_t Calls(const std::string& name) {
    return machine_.With(
        [&name](FakeKernel& it) { return std::ranges::count(it.calls, name); });
  }
  std::size_t Passes() { return Calls("observe"); }
  std::size_t Polls() { return Calls("look"); }  // that needed no pass
  void WaitForPolls(std::size_t more) {
    const std::size_t before = Polls();
    while (Polls() < before + more) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  TemporaryDirectory state_;
  FakeMachine machine_;
};

TEST_F(EnginePollTest, ReadsTheChainsOnlyWhileTheyAreAsTheyWere) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  WaitForPolls(1);
  const std::size_t passes = Passes();
  WaitForPolls(3);
  EXPECT_EQ(Passes(), passes);
  // A poll is a pass in everything that is told.
  const std::size_t polls = Polls();
  const auto told = [&engine] {
    const SnapshotPointer metrics = engine->bulletin().metrics();
    const auto count = metrics->passes.find({"in-sync", "poll"});
    return count == metrics->passes.end() ? 0 : count->second;
  };
  while (told() < polls) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(EnginePollTest, RepairsChainsEvenIfADiffSawThemFirst) {
  EngineOptions options = Options();
  options.schedule.poll = milliseconds(200);
  RunningEngine engine(std::move(options));
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  WaitForPolls(1);
  const auto whole = machine_.With([](FakeKernel& it) {
    auto tables = it.Ours().tables;
    it.tables[XtTable::kMangle].SetOurs({});
    return tables;
  });
  const auto diff = engine->Diff(std::nullopt);
  ASSERT_TRUE(diff);
  EXPECT_FALSE(diff->plan.Empty());
  while (machine_.With([](FakeKernel& it) { return it.Ours().tables; }) !=
         whole) {
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// Both are due once the engine has time again; a poll that finds the chains
// untouched looks at no rule.
TEST_F(EnginePollTest, AnEventThatComesWhileAPollIsDueIsAnswered) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  WaitForPolls(1);
  const auto rules = [this] {
    return machine_.With([](FakeKernel& it) { return it.Ours().rules; });
  };
  const auto whole = rules();
  std::promise<void> busy;
  engine->WhenRunning([&busy] {
    busy.set_value();
    std::this_thread::sleep_for(milliseconds(200));  // four polls
  });
  busy.get_future().wait();
  machine_.With([](FakeKernel& it) {
    std::erase_if(it.rules, [](const PolicyRule& rule) {
      return rule.priority == kMarkPriority + 1;
    });
  });
  machine_.Poke();
  ASSERT_NE(rules(), whole);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (rules() != whole && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(rules(), whole);
}

}  // namespace
}  // namespace uplinkd
