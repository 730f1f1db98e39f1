// Failover, failback and drains as the engine carries them out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "agent/engine.h"
#include "tests/agent/fake_host.h"
#include "tests/agent/temporary_directory.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeMachine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OptionsFor;
using testing::PhaseOf;
using testing::RunningEngine;
using testing::TemporaryDirectory;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

constexpr Mark kWan1{1, 0xff};
constexpr Mark kWan2{2, 0xff};

class EngineFailoverTest : public ::testing::Test {
 protected:
  EngineOptions Options() { return OptionsFor(machine_, state_.path()); }

  // `count` connections with the mark of an uplink.
  void Track(int count, std::uint32_t mark,
             const std::string& source = "192.168.10.2") {
    machine_.WithCounters([&](FakeMachine::Counters& it) {
      for (int i = 0; i < count; ++i) {
        Connection connection;
        connection.source = testing::Ip(source);
        connection.source_port = static_cast<std::uint16_t>(1000 + i);
        connection.mark = mark;
        it.tracked.push_back(connection);
      }
    });
  }
  std::size_t Tracked(std::uint32_t mark) {
    return machine_.WithCounters([&](FakeMachine::Counters& it) {
      return static_cast<std::size_t>(
          std::ranges::count(it.tracked, mark, &Connection::mark));
    });
  }
  std::vector<Mark> Cuts() {
    return machine_.WithCounters(
        [](FakeMachine::Counters& it) { return it.cuts; });
  }
  // The line of that uplink goes, or comes back.
  void SetLine(const std::string& uplink, bool carrier) {
    machine_.With([&](FakeKernel& it) {
      Facts facts = TwoUplinkFacts();
      for (const std::string& other : dead_) {
        facts.links.at(other).carrier = false;
      }
      facts.links.at(uplink).carrier = carrier;
      it.SetHost(facts);
    });
    if (carrier) {
      std::erase(dead_, uplink);
    } else {
      dead_.push_back(uplink);
    }
    machine_.Poke();
  }
  void Begin(RunningEngine& engine, const Spec& spec = TwoUplinkSpec()) {
    engine.Start();
    ASSERT_TRUE(engine->Apply({spec}));
    ASSERT_TRUE(engine.BecomesInSync(1));
  }
  static bool Reaches(RunningEngine& engine, const std::string& uplink,
                      const std::string& phase) {
    return engine.Becomes([&](const v1::Status& status) {
      return PhaseOf(status, uplink) == phase;
    });
  }
  // Waits until `holds`; the test's timeout ends it.
  static void Await(const std::function<bool()>& holds) {
    while (!holds()) std::this_thread::sleep_for(milliseconds(1));
  }

  TemporaryDirectory state_;
  FakeMachine machine_;

 private:
  std::vector<std::string> dead_;
};

TEST_F(EngineFailoverTest, CutsWhatLeavesTheSpecWhileItsRuleStillHolds) {
  std::vector<std::pair<bool, bool>> seen;  // its rule, and a fate for it
  machine_.WithCounters([&](FakeMachine::Counters& it) {
    it.when_cut = [&](FakeKernel& kernel) {
      const State ours = kernel.Ours();
      seen.emplace_back(
          std::ranges::find(ours.rules, kWan2, &PolicyRule::mark) !=
              ours.rules.end(),
          ours.tables.at(XtTable::kMangle)->chains.contains("UPL-MARK-2"));
    };
  });
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  Spec spec = TwoUplinkSpec();
  spec.uplinks.pop_back();
  ASSERT_TRUE(engine->Apply({spec}));
  Await([&] { return Tracked(2) == 0; });
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.front(), std::pair(true, false));
}

TEST_F(EngineFailoverTest, CutsAfterTheNewFatesAreInForce) {
  bool chains_name_wan2 = true;
  machine_.WithCounters([&](FakeMachine::Counters& it) {
    it.when_cut = [&](FakeKernel& kernel) {
      const State ours = kernel.Ours();
      const auto& chains = ours.tables.at(XtTable::kMangle)->chains;
      chains_name_wan2 = chains.contains("UPL-MARK-2");
    };
  });
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(3, 1);
  Track(5, 2);
  const auto watcher = engine->bulletin().Subscribe();
  SetLine("wan2", false);
  Await([&] { return Tracked(2) == 0; });
  EXPECT_FALSE(chains_name_wan2);
  EXPECT_EQ(Tracked(1), 3U);

  // Watchers and the exporter are told.
  std::vector<std::string> told;
  while (told.empty()) {
    const auto news = watcher->Next(milliseconds(10000));
    ASSERT_TRUE(news);
    if (news->event == nullptr || news->event->result() != "cut") continue;
    EXPECT_EQ(news->event->trigger(), "failover");
    told.push_back(news->event->message());
  }
  EXPECT_THAT(told, ElementsAre("cut 5 connections of wan2, which stopped "
                                "carrying them"));
  Await([&] { return !engine->bulletin().metrics()->connections_cut.empty(); });
  const SnapshotPointer metrics = engine->bulletin().metrics();
  EXPECT_EQ(metrics->failovers.at("wan2"), 1U);
  EXPECT_EQ(metrics->connections_cut.at({"wan2", "failover"}), 5U);
}

TEST_F(EngineFailoverTest, LooksForStragglersASecondLater) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  SetLine("wan2", false);
  Await([&] { return Tracked(2) == 0; });
  Track(1, 2);  // it got its fate before, and was confirmed after
  Await([&] { return Tracked(2) == 0; });
  EXPECT_THAT(Cuts(), ElementsAre(kWan2, kWan2));
}

TEST_F(EngineFailoverTest, WaitsForTheCommitThatFailed) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.refuses = [](const Step& step) -> std::optional<Error> {
      if (step.stage != Stage::kMangle) return std::nullopt;
      return Error{ErrorCode::kDeadlineExceeded, "the xtables lock is held", 0};
    };
  });
  SetLine("wan2", false);
  ASSERT_TRUE(Reaches(engine, "wan2", "Waiting"));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_THAT(Cuts(), IsEmpty());
  machine_.WithCounters(
      [](FakeMachine::Counters& it) { it.refuses = nullptr; });
  Await([&] { return Tracked(2) == 0; });
}

TEST_F(EngineFailoverTest, ACutThatFailsIsToldAndTriedAgain) {
  machine_.WithCounters([](FakeMachine::Counters& it) {
    it.cut_error = Error{ErrorCode::kPermissionDenied, "not permitted", 1};
  });
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  SetLine("wan2", false);
  const auto warns = [](const v1::Status& status) {
    return std::ranges::any_of(status.warnings(), [](const auto& warning) {
      return warning ==
             "cannot cut the connections of wan2, which stopped carrying "
             "them: not permitted";
    });
  };
  ASSERT_TRUE(engine.Becomes(warns));
  // All else goes on.
  EXPECT_TRUE(engine.BecomesInSync(1));
  machine_.WithCounters(
      [](FakeMachine::Counters& it) { it.cut_error.reset(); });
  Await([&] { return Tracked(2) == 0; });
  EXPECT_TRUE(
      engine.Becomes([&](const v1::Status& status) { return !warns(status); }));
}

TEST_F(EngineFailoverTest, CutsNothingWhenTheLastUplinkDies) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  SetLine("wan1", false);
  ASSERT_TRUE(Reaches(engine, "wan1", "Waiting"));
  Track(5, 2);
  SetLine("wan2", false);
  ASSERT_TRUE(Reaches(engine, "wan2", "Waiting"));
  std::this_thread::sleep_for(milliseconds(1200));
  EXPECT_EQ(Tracked(2), 5U);
  for (const Mark& mark : Cuts()) EXPECT_EQ(mark, kWan1);
}

TEST_F(EngineFailoverTest, ADisabledUplinkIsAsAskedNotDegraded) {
  RunningEngine engine(Options());
  Spec spec = TwoUplinkSpec();
  ASSERT_NO_FATAL_FAILURE(Begin(engine, spec));
  Track(2, 2);
  spec.uplinks[1].mode = UplinkMode::kDisabled;
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine.BecomesInSync(2));
  EXPECT_EQ(Tracked(2), 0U);
  const StatusPointer status = engine->bulletin().status();
  EXPECT_EQ(PhaseOf(*status, "wan2"), "Disabled");
  EXPECT_EQ(testing::ConditionStatus(*status, "Degraded"), "False");
  EXPECT_TRUE(engine->bulletin().metrics()->failovers.empty());
}

// ---- drains ----

TEST_F(EngineFailoverTest, ADrainedUplinkGetsNoNewConnections) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  const auto deadline = engine->Drain("wan2", std::nullopt, kClient);
  ASSERT_TRUE(deadline) << deadline.error().message;
  EXPECT_FALSE(*deadline);
  ASSERT_TRUE(Reaches(engine, "wan2", "Draining"));
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(engine->bulletin().status()->uplinks(1).intended_share(), 0);
  EXPECT_EQ(testing::ConditionStatus(*engine->bulletin().status(), "Degraded"),
            "False");
  EXPECT_TRUE(engine->Diff(std::nullopt)->plan.Empty());
  EXPECT_EQ(Tracked(2), 5U);

  ASSERT_TRUE(engine->Undrain("wan2", kClient));
  ASSERT_TRUE(Reaches(engine, "wan2", "Ready"));
  EXPECT_EQ(engine->bulletin().status()->corrections(), 0U);
}

TEST_F(EngineFailoverTest, CutsWhatIsLeftAtTheDeadlineOnce) {
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine));
  Track(5, 2);
  ASSERT_TRUE(engine->Drain("wan2", milliseconds(300), kClient));
  ASSERT_TRUE(Reaches(engine, "wan2", "Draining"));
  EXPECT_EQ(Tracked(2), 5U);
  Await([&] { return Tracked(2) == 0; });
  Track(1, 2);  // it came in by wan2
  std::this_thread::sleep_for(milliseconds(1200));
  EXPECT_EQ(Tracked(2), 1U);
  // The looks that found nothing new since have not taken it back.
  const v1::UplinkStatus wan2 = engine->bulletin().status()->uplinks(1);
  EXPECT_EQ(wan2.phase(), "Draining");
  EXPECT_THAT(wan2.reason(), HasSubstr("was cut"));
  EXPECT_EQ(engine->bulletin().metrics()->connections_cut.at({"wan2", "drain"}),
            5U);
}

TEST_F(EngineFailoverTest, ADrainSurvivesTheAgent) {
  {
    RunningEngine engine(Options());
    ASSERT_NO_FATAL_FAILURE(Begin(engine));
    ASSERT_TRUE(engine->Drain("wan2", std::nullopt, kClient));
  }
  RunningEngine engine(Options());
  engine->Restore();
  engine.Start();
  ASSERT_TRUE(engine.BecomesInSync(1));
  EXPECT_EQ(PhaseOf(*engine->bulletin().status(), "wan2"), "Draining");
}

TEST_F(EngineFailoverTest, ADrainEndsWithItsUplink) {
  RunningEngine engine(Options());
  Spec spec = TwoUplinkSpec();
  ASSERT_NO_FATAL_FAILURE(Begin(engine, spec));
  ASSERT_TRUE(engine->Drain("wan2", std::nullopt, kClient));
  spec.uplinks.pop_back();
  ASSERT_TRUE(engine->Apply({spec}));
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  ASSERT_TRUE(engine.BecomesInSync(3));
  EXPECT_EQ(PhaseOf(*engine->bulletin().status(), "wan2"), "Ready");
}

TEST_F(EngineFailoverTest, DrainsOnlyWhatThereIsToDrain) {
  RunningEngine engine(Options());
  engine.Start();
  EXPECT_EQ(engine->Drain("wan2", {}, kClient).error().code,
            ErrorCode::kNotFound);
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].mode = UplinkMode::kDraining;
  spec.uplinks[1].mode = UplinkMode::kDisabled;
  ASSERT_TRUE(engine->Apply({spec}));
  const auto unknown = engine->Drain("wan3", {}, kClient);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr("wan1, wan2"));
  EXPECT_EQ(engine->Undrain("wan3", kClient).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(engine->Drain("wan2", {}, kClient).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_EQ(engine->Undrain("wan1", kClient).error().code,
            ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(engine->Undrain("wan2", kClient));
}

// ---- failback ----

TEST_F(EngineFailoverTest, SaysWhenAFailbackWillCut) {
  Spec spec = TwoUplinkSpec();
  spec.balance.tiers = {{{"wan1", {}}}, {{"wan2", {}}}};
  spec.balance.on_failback = OnFailback::kDrain;
  spec.balance.drain_deadline = milliseconds(700);
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine, spec));
  SetLine("wan1", false);
  ASSERT_TRUE(Reaches(engine, "wan1", "Waiting"));
  Track(4, 2);
  SetLine("wan1", true);
  ASSERT_TRUE(engine.Becomes([](const v1::Status& status) {
    return std::ranges::any_of(status.warnings(), [](const auto& warning) {
      return warning.find(
                 "what is left of the connections of wan2 is cut "
                 "at ") == 0;
    });
  }));
  EXPECT_EQ(Tracked(2), 4U);
  Await([&] { return Tracked(2) == 0; });
  EXPECT_TRUE(engine.Becomes(
      [](const v1::Status& status) { return status.warnings().empty(); }));
}

// ---- families ----

TEST_F(EngineFailoverTest, LosingIpv6AloneCutsThoseConnectionsAlone) {
  Spec spec = TwoUplinkSpec();
  Facts facts = TwoUplinkFacts();
  for (Uplink& uplink : spec.uplinks) uplink.families = UplinkFamilies::kBoth;
  for (const std::string n : {"1", "2"}) {
    Link& link = facts.links.at("wan" + n);
    link.addresses.push_back(
        testing::AddressOnLink("2001:db8:" + n + "::2/64"));
    link.default_route6 = DefaultRoute{testing::Ip("fe80::1")};
  }
  machine_.With([&](FakeKernel& it) { it.SetHost(facts); });
  RunningEngine engine(Options());
  ASSERT_NO_FATAL_FAILURE(Begin(engine, spec));
  Track(3, 2);
  Track(2, 1, "2001:db8::7");
  Track(4, 2, "2001:db8::7");
  const auto watcher = engine->bulletin().Subscribe();
  facts.links.at("wan2").default_route6.reset();
  machine_.With([&](FakeKernel& it) { it.SetHost(facts); });
  machine_.Poke();
  Await([&] { return Tracked(2) == 3; });
  EXPECT_EQ(Tracked(1), 2U);
  std::string told;
  while (told.empty()) {
    const auto news = watcher->Next(milliseconds(10000));
    ASSERT_TRUE(news);
    if (news->event != nullptr && news->event->result() == "cut") {
      told = news->event->message();
    }
  }
  EXPECT_EQ(told,
            "cut 4 IPv6 connections of wan2, which stopped carrying them");
  EXPECT_TRUE(Reaches(engine, "wan2", "Ready"));  // in IPv4
}

// ---- connections ----

TEST_F(EngineFailoverTest, CountsTheConnectionsOfTheKernel) {
  RunningEngine engine(Options());
  engine.Start();
  EXPECT_EQ(engine->CountConnections("").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(engine->Apply({TwoUplinkSpec()}));
  Track(3, 1);
  Track(5, 2);
  const auto all = engine->CountConnections("");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->ToProto(1).uplinks(0).connections(), 3U);
  EXPECT_EQ(all->ToProto(1).uplinks(1).connections(), 5U);
  const auto one = engine->CountConnections("wan2");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->ToProto(1).uplinks_size(), 1);
  EXPECT_EQ(engine->CountConnections("wan3").error().code,
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace uplinkd
