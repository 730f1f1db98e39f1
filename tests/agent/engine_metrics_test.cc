// What the engine gives to the exporter over the life of a spec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "exporters/metrics.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/fake_probes.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeMachine;
using testing::FakeProbes;
using testing::FastHealth;
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

// The verdict of before would say that all is well.
TEST_F(EngineMetricsTest, NothingIsSaidOfTheHealthOfAnUplinkWithoutALink) {
  FakeProbes probes;
  EngineOptions options = Options();
  options.start_probe = probes.Starter();
  RunningEngine engine(std::move(options));
  engine.Start();
  Spec spec = TwoUplinkSpec();
  for (Uplink& uplink : spec.uplinks) uplink.health = FastHealth();
  ASSERT_TRUE(engine->Apply({spec}));
  const auto becomes = [&](const std::string& phase, const std::string& state) {
    return engine.Becomes([&](const v1::Status& status) {
      return testing::PhaseOf(status, "wan2") == phase &&
             status.uplinks(1).health().state() == state;
    });
  };
  ASSERT_TRUE(becomes("Ready", "Up"));
  machine_.With([](FakeKernel& it) {
    Facts facts = testing::TwoUplinkFacts();
    facts.links.erase("wan2");
    it.SetHost(facts);
  });
  machine_.Poke();
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return testing::PhaseOf(status, "wan2") == "Waiting";
  }));
  const StatusPointer status = engine->bulletin().status();
  const v1::HealthStatus& health = status->uplinks(1).health();
  EXPECT_EQ(health.state(), "Unknown");
  EXPECT_FALSE(health.has_latency());
  EXPECT_FALSE(health.probes(0).has_answered());
  const std::string text = RenderMetrics(*engine->bulletin().metrics());
  const std::string uplink = "{uplink=\"wan2\"";
  EXPECT_EQ(
      ValueOf("uplinkd_uplink_health" + uplink + ",state=\"Unknown\"}", text),
      1U);
  for (const char* family : {"uplink_loss_ratio", "uplink_latency_seconds",
                             "uplink_round_trip_seconds", "probe_success",
                             "probe_duration_seconds", "probe_loss_ratio"}) {
    EXPECT_THAT(text, Not(HasSubstr("uplinkd_" + std::string(family) + uplink)))
        << family;
  }
  machine_.With([](FakeKernel& it) { it.SetHost(testing::TwoUplinkFacts()); });
  machine_.Poke();
  EXPECT_TRUE(becomes("Ready", "Up"));
}

// A table that is quiet is counted once a minute.
TEST_F(EngineMetricsTest, ConnectionsThatWereCutAreToldOfNoMore) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.connections = {{1, {.all = 4}}, {2, {.all = 3}}};
    for (int i = 0; i < 3; ++i) {
      Connection& connection = it.tracked.emplace_back();
      connection.source = testing::Ip("192.168.10.2");
      connection.mark = 2;
    }
    it.when_cut = [&it](FakeKernel&) { it.connections.erase(2); };
  });
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  const auto shows = [&](std::uint64_t first, std::uint64_t second) {
    return engine.Becomes([&](const v1::Status& status) {
      return status.uplinks_size() == 2 &&
             status.uplinks(0).connections() == first &&
             status.uplinks(1).connections() == second;
    });
  };
  ASSERT_TRUE(shows(4, 3));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const auto began = std::chrono::steady_clock::now();
  machine_.With([](FakeKernel& it) {
    Facts facts = testing::TwoUplinkFacts();
    facts.links.erase("wan2");
    it.SetHost(facts);
  });
  machine_.Poke();
  ASSERT_TRUE(shows(4, 0));
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(30));
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

// The LAN's link goes, and the kernel takes routes along in every table.
TEST_F(EngineMetricsTest, RoutesThatWentWithALinkAreNoDrift) {
  RunningEngine engine(Options());
  engine.Start();
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(1));
  const auto set_lan = [&](bool up) {
    machine_.With([&](FakeKernel& it) {
      Facts facts = testing::TwoUplinkFacts();
      facts.links.at("lan0").up = up;
      it.SetHost(facts);
    });
    machine_.Poke();
    return engine.Becomes([&](const v1::Status& status) {
      return (status.warnings_size() == 0) == up &&
             testing::ConditionStatus(status, "Programmed") == "True";
    });
  };
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(set_lan(false));
    ASSERT_TRUE(set_lan(true));
  }
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
}

}  // namespace
}  // namespace uplinkd
