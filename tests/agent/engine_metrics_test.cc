// What the engine gives to the exporter over the life of a spec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "exporters/metrics.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeMachine;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkSpec;

class EngineMetricsTest : public ::testing::Test {
 protected:
  EngineOptions Options() {
    return testing::OptionsFor(machine_, state_.path());
  }

  FakeMachine machine_;
  TemporaryDirectory state_;
};

std::uint64_t CountOf(const DurationHistogram& histogram) {
  return std::accumulate(histogram.counts.begin(), histogram.counts.end(),
                         std::uint64_t{0});
}

std::uint64_t ValueOf(const std::string& metric, const std::string& text) {
  const std::size_t at = text.find("\n" + metric + " ");
  return at == std::string::npos
             ? 0
             : std::stoull(text.substr(at + metric.size() + 2));
}

TEST_F(EngineMetricsTest, AnUplinkThatLeavesTheSpecTakesItsSeriesAlong) {
  RunningEngine engine(Options());
  engine.Start();
  Spec spec = TwoUplinkSpec();
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  // Both fail over, one after the other.
  for (const char* link : {"wan2", "wan1"}) {
    machine_.With([&](FakeKernel& it) {
      Facts facts = testing::TwoUplinkFacts();
      facts.links.erase(link);
      it.SetHost(facts);
    });
    machine_.Poke();
    ASSERT_TRUE(engine.Becomes([&](const v1::Status& status) {
      return testing::PhaseOf(status, link) == "Waiting" &&
             testing::ConditionStatus(status, "Programmed") == "True";
    }));
  }
  machine_.With([](FakeKernel& it) { it.SetHost(testing::TwoUplinkFacts()); });
  machine_.Poke();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return testing::PhaseOf(status, "wan1") == "Ready" &&
           testing::ConditionStatus(status, "Programmed") == "True";
  }));
  const std::string failovers = "uplinkd_failovers_total{uplink=\"wan1\"}";
  const std::string both = RenderMetrics(*engine->bulletin().metrics());
  EXPECT_THAT(both, HasSubstr("\"wan2\""));
  EXPECT_EQ(ValueOf(failovers, both), 1U);

  std::erase_if(spec.uplinks,
                [](const Uplink& uplink) { return uplink.name == "wan2"; });
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(2));
  const std::string rest = RenderMetrics(*engine->bulletin().metrics());
  EXPECT_THAT(rest, Not(HasSubstr("\"wan2\"")));
  EXPECT_EQ(ValueOf(failovers, rest), 1U);
}

TEST_F(EngineMetricsTest, ASpecIsTimedUntilTheKernelIsSeenToHoldIt) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const auto latency = [&] {
    return engine->bulletin().metrics()->programming_latency;
  };
  EXPECT_EQ(CountOf(latency()), 1U);
  EXPECT_GT(latency().sum, 0);
  // The same spec again, and a repair, are no new one.
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  machine_.With([](FakeKernel& it) { it.rules.pop_back(); });
  machine_.Poke();
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(CountOf(latency()), 1U);
}

TEST_F(EngineMetricsTest, TheLastSnapshotIsThereWhileTheKernelDoesNotAnswer) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  machine_.With([&](FakeKernel&) {  // the engine waits for us from now on
    machine_.Poke();
    // What was under way may still end. Otherwise there are fifty a second.
    SnapshotPointer last;
    for (int i = 0; i < 50; ++i) {
      last = engine->bulletin().metrics();
      std::this_thread::sleep_for(milliseconds(300));
      if (engine->bulletin().metrics() == last) break;
    }
    const auto began = std::chrono::steady_clock::now();
    const SnapshotPointer snapshot = engine->bulletin().metrics();
    const std::string text = RenderMetrics(*snapshot);
    EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(200));
    EXPECT_EQ(snapshot, last);
    EXPECT_GE(std::chrono::system_clock::now() - snapshot->taken,
              milliseconds(300));
    EXPECT_THAT(text, HasSubstr("uplinkd_snapshot_timestamp_seconds 1"));
  });
  const SnapshotPointer stuck = engine->bulletin().metrics();
  const auto deadline = std::chrono::steady_clock::now() + seconds(10);
  while (engine->bulletin().metrics()->taken == stuck->taken &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_GT(engine->bulletin().metrics()->taken, stuck->taken);
}

}  // namespace
}  // namespace uplinkd
