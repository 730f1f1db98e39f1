#include "reconciler/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "reconciler/compile.h"
#include "reconciler/xt_choice.h"
#include "reconciler/xt_lowering.h"
#include "tests/core/builders.h"
#include "tests/core/random_specs.h"
#include "tests/core/xt_interpreter.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;
using testing::Oracles;
using testing::Packet;
using testing::RandomSpecs;
using testing::SpecWithUplinks;
using testing::XtInterpreter;

Flow FromLan(const char* source = "192.168.10.5") {
  Flow flow;
  flow.in_interface = "lan0";
  flow.source = Ip(source);
  flow.destination = Ip("192.0.2.80");
  flow.destination_port = 443;
  return flow;
}

Trace TraceOf(const Spec& spec, const Flow& flow,
              const Facts& facts = FactsWithUplinks(4)) {
  const Desired desired = Compile(spec, facts);
  return TracePacket(*desired.state.tables.at(XtTable::kMangle),
                     XtHook::kPrerouting, flow);
}

std::vector<std::string> Words(const Trace& trace) {
  std::vector<std::string> words;
  for (const TraceStep& step : trace.steps) {
    words.push_back(step.chain + " " + std::to_string(step.number) + " " +
                    step.rule);
  }
  return words;
}

std::map<std::uint32_t, double> Chances(const Trace& trace) {
  std::map<std::uint32_t, double> chances;
  for (const TraceOutcome& outcome : trace.outcomes) {
    chances[outcome.mark] = outcome.chance.value_or(-1);
  }
  return chances;
}

TEST(Trace, TellsEveryRuleThatHolds) {
  Spec spec = SpecWithUplinks(4, Algorithm::kFailover);
  spec.balance.tiers = {{{"wan3", {}}}};
  const Trace trace = TraceOf(spec, FromLan());
  EXPECT_THAT(
      Words(trace),
      ElementsAre("PREROUTING 1 -j UPL-PREROUTING",
                  "UPL-PREROUTING 1 -j CONNMARK --restore-mark --nfmask 0xff "
                  "--ctmask 0xff",
                  "UPL-PREROUTING 3 -m conntrack --ctstate NEW -g UPL-NEW",
                  "UPL-NEW 1 -i lan0 -s 192.168.10.0/24 -g UPL-TRAFFIC",
                  "UPL-TRAFFIC 7 -g UPL-FATE", "UPL-FATE 1 -g UPL-MARK-3",
                  "UPL-MARK-3 1 -j MARK --set-xmark 0x3/0xff",
                  "UPL-MARK-3 2 -j CONNMARK --save-mark --nfmask 0xff "
                  "--ctmask 0xff"));
  EXPECT_EQ(trace.decided_by, "");
  EXPECT_THAT(trace.outcomes, ElementsAre(TraceOutcome{3, 1.0}));
}

TEST(Trace, InternalDestinationsAreNotDiverted) {
  Flow flow = FromLan();
  flow.destination = Ip("192.168.10.9");
  const Trace trace =
      TraceOf(SpecWithUplinks(4, Algorithm::kLeastLoaded), flow);
  EXPECT_THAT(trace.outcomes, ElementsAre(TraceOutcome{0, 1.0}));
  EXPECT_EQ(trace.decided_by, "");
}

TEST(Trace, KeepsTheMarksOfOthers) {
  Flow flow = FromLan();
  flow.mark = 0x1200;
  Spec spec = SpecWithUplinks(4, Algorithm::kFailover);
  spec.balance.tiers = {{{"wan3", {}}}};
  EXPECT_THAT(TraceOf(spec, flow).outcomes,
              ElementsAre(TraceOutcome{0x1203, 1.0}));
}

TEST(Trace, GivesTheChancesOfTheDice) {
  Spec spec = SpecWithUplinks(4, Algorithm::kWeightedRandom);
  for (std::uint32_t i = 0; i < 4; ++i) spec.uplinks[i].weight = i + 1;
  const Trace trace = TraceOf(spec, FromLan());
  EXPECT_EQ(trace.decided_by, "at random");
  const std::map<std::uint32_t, double> chances = Chances(trace);
  ASSERT_EQ(chances.size(), 4U);
  for (const auto& [mark, chance] : chances) {
    EXPECT_NEAR(chance, mark / 10.0, 1e-6) << mark;
  }
  // The way to the choice is sure, and told.
  EXPECT_EQ(trace.steps.back().chain, "UPL-TRAFFIC");
}

TEST(Trace, SaysByWhatTheKernelDecides) {
  for (const auto& [algorithm, words] : std::map<Algorithm, std::string>{
           {Algorithm::kLeastLoaded, "by the measured rates"},
           {Algorithm::kRoundRobin, "in turn"}}) {
    const Trace trace = TraceOf(SpecWithUplinks(4, algorithm), FromLan());
    EXPECT_EQ(trace.decided_by, words);
    std::set<std::uint32_t> marks;
    for (const TraceOutcome& outcome : trace.outcomes) {
      marks.insert(outcome.mark);
      EXPECT_FALSE(outcome.chance);
    }
    EXPECT_THAT(marks, ElementsAre(1, 2, 3, 4));
  }
}

TEST(Trace, AHashOfTheSourceIsSure) {
  const Spec spec = SpecWithUplinks(4, Algorithm::kSourceHash);
  std::set<std::uint32_t> marks;
  for (int i = 2; i < 60; ++i) {
    const Trace trace =
        TraceOf(spec, FromLan(("192.168.10." + std::to_string(i)).c_str()));
    ASSERT_EQ(trace.outcomes.size(), 1U);
    EXPECT_EQ(trace.outcomes[0].chance, 1.0);
    marks.insert(trace.outcomes[0].mark);
  }
  EXPECT_EQ(marks.size(), 4U);
}

TEST(Trace, WhatOthersWroteIntoAChainMayHoldOrNot) {
  Spec spec = SpecWithUplinks(4, Algorithm::kFailover);
  spec.balance.tiers = {{{"wan3", {}}}};
  Desired desired = Compile(spec, FactsWithUplinks(4));
  XtTableState& mangle = desired.state.tables[XtTable::kMangle].Edit();
  ChainRule foreign;
  foreign.matches = {OpaqueMatch{"string r1 0123456789abcdef"}};
  foreign.target = JumpTarget{"UPL-MARK-1", true};
  Chain& fate = mangle.chains.at("UPL-FATE");
  fate.insert(fate.begin(), foreign);
  const Trace trace = TracePacket(mangle, XtHook::kPrerouting, FromLan());
  EXPECT_EQ(trace.decided_by, "by a rule that uplinkd did not write");
  EXPECT_THAT(trace.outcomes, ElementsAre(TraceOutcome{1, std::nullopt},
                                          TraceOutcome{3, std::nullopt}));
}

TEST(Trace, WithoutChainsNothingHappens) {
  const Trace trace =
      TracePacket(XtTableState{}, XtHook::kPrerouting, FromLan());
  EXPECT_THAT(trace.steps, IsEmpty());
  EXPECT_THAT(trace.outcomes, ElementsAre(TraceOutcome{0, 1.0}));
}

// Whatever the kernel's dice, counters and rates do.
TEST(TraceLaw, EveryWayThatAPacketGoesIsAnOutcome) {
  RandomSpecs random;
  std::size_t forks = 0;
  for (int i = 0; i < 2'000; ++i) {
    const Desired desired = Compile(random.MakeSpec(), random.MakeFacts());
    const XtTableState& mangle = *desired.state.tables.at(XtTable::kMangle);
    Flow flow =
        FromLan(("192.168.10." + std::to_string(random.Draw(2, 250))).c_str());
    const std::map<std::uint32_t, double> outcomes =
        Chances(TracePacket(mangle, XtHook::kPrerouting, flow));
    forks += outcomes.size() > 1 ? 1 : 0;
    double total = 0;
    for (const auto& [mark, chance] : outcomes) total += chance;
    if (outcomes.begin()->second >= 0) {
      ASSERT_NEAR(total, 1, 1e-9) << i;
    }
    for (int j = 0; j < 20; ++j) {
      Oracles oracles;
      oracles.dice = [&] {
        return static_cast<std::uint32_t>(random.Draw(0, 0x7fffffff));
      };
      oracles.coin = SourceCoin;
      for (const RateEstimator& estimator :
           desired.filters.at(Family::kIpv4).estimators) {
        oracles.rate[EstimatorName(estimator)] =
            static_cast<std::uint32_t>(random.Draw(0, 100'000'000));
      }
      for (std::uint32_t turn = 0; turn < 3; ++turn) {
        oracles.counter[TurnCounterName(kBalance)] =
            static_cast<std::uint32_t>(random.Draw(0, 255));
      }
      Packet packet;
      packet.in_interface = flow.in_interface;
      packet.source = flow.source;
      packet.destination = flow.destination;
      packet.destination_port = flow.destination_port;
      XtInterpreter(mangle, oracles).Run(XtHook::kPrerouting, packet);
      ASSERT_TRUE(outcomes.contains(packet.mark)) << i << " " << packet.mark;
    }
  }
  EXPECT_GT(forks, 250U);
}

}  // namespace
}  // namespace uplinkd
