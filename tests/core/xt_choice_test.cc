#include "reconciler/xt_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "reconciler/turns.h"
#include "tests/core/chooser.h"

namespace uplinkd {
namespace {

using testing::Chooser;
using testing::Client;
using ::testing::ElementsAre;
using testing::kChoosing;
using testing::kMask;
using testing::Log2;
using testing::MakeChoice;
using testing::TableOf;

// ---- what all have in common ----

TEST(XtChoice, HasNoChainsWithoutMembers) {
  for (const Algorithm algorithm : kChoosing) {
    const auto chains =
        LowerChoice(kBalance, MakeChoice(algorithm, {}), kMask, {});
    ChainRule to_main;
    to_main.target = ReturnTarget{};
    EXPECT_THAT(chains, ElementsAre(std::pair("UPL-FATE", Chain{to_main})));
  }
}

TEST(XtChoice, GoesStraightToASingleMember) {
  for (const Algorithm algorithm : kChoosing) {
    Chooser chooser(MakeChoice(algorithm, {5}));
    EXPECT_EQ(chooser.Choose(), 1U);
    EXPECT_EQ(chooser.walk().Choice(), 1);
  }
}

TEST(XtChoice, TakesFewRulesHoweverManyMembers) {
  for (std::size_t count = 2; count <= 32; ++count) {
    const std::vector<std::uint64_t> weights(count, 10);
    Chooser dice(MakeChoice(Algorithm::kWeightedRandom, weights));
    Chooser turns(MakeChoice(Algorithm::kRoundRobin, weights));
    Chooser loads(MakeChoice(Algorithm::kLeastLoaded, weights));
    for (int i = 0; i < 1000; ++i) {
      dice.Choose();
      ASSERT_LE(dice.walk().Choice(), 2 * Log2(count) + 2);
      turns.Choose();
      ASSERT_LE(turns.walk().Choice(), 2 * Log2(count) + 3);
      loads.Choose();
      ASSERT_LE(loads.walk().Choice(), static_cast<int>(count) + 6);
    }
  }
}

TEST(XtChoice, TakesFewRulesForSparseIdsToo) {
  Choice choice =
      MakeChoice(Algorithm::kWeightedRandom, std::vector<std::uint64_t>(8, 1));
  for (std::size_t i = 0; i < 8; ++i) choice.members[i].id = 1U << i;
  Chooser chooser(choice);
  for (int i = 0; i < 1000; ++i) {
    chooser.Choose();
    ASSERT_LE(chooser.walk().Choice(), 2 * 8);
  }
}

// ---- weighted-random ----

TEST(XtChoice, ThrowsDiceByWeight) {
  EXPECT_THAT(
      LowerChoice(kBalance, MakeChoice(Algorithm::kWeightedRandom, {3, 1}),
                  kMask, {}),
      ElementsAre(::testing::Key("UPL-FATE")));
  Chooser chooser(MakeChoice(Algorithm::kWeightedRandom, {40, 10, 30, 20}));
  std::map<UplinkId, int> counts;
  for (int i = 0; i < 100'000; ++i) ++counts[chooser.Choose()];
  EXPECT_NEAR(counts[1], 40'000, 800);
  EXPECT_NEAR(counts[2], 10'000, 500);
  EXPECT_NEAR(counts[3], 30'000, 800);
  EXPECT_NEAR(counts[4], 20'000, 700);
}

// ---- least-connections ----

std::vector<std::string> NamesOf(const std::map<std::string, Chain>& chains) {
  std::vector<std::string> names;
  names.reserve(chains.size());
  for (const auto& [name, chain] : chains) names.push_back(name);
  return names;
}

std::map<std::string, Chain> Lower(const std::vector<std::uint64_t>& shares) {
  return LowerChoice(kBalance, MakeChoice(Algorithm::kLeastConnections, shares),
                     kMask, {});
}

TEST(XtChoice, GivesNothingToAMemberWithoutAShare) {
  Chooser chooser(MakeChoice(Algorithm::kLeastConnections, {400, 0, 100, 500}));
  std::map<UplinkId, int> counts;
  for (int i = 0; i < 100'000; ++i) ++counts[chooser.Choose()];
  EXPECT_NEAR(counts[1], 40'000, 800);
  EXPECT_EQ(counts[2], 0);
  EXPECT_NEAR(counts[3], 10'000, 500);
  EXPECT_NEAR(counts[4], 50'000, 800);
}

TEST(XtChoice, GivesAllToTheOnlyMemberWithAShare) {
  for (std::size_t only = 0; only < 5; ++only) {
    std::vector<std::uint64_t> shares(5, 0);
    shares[only] = 1000;
    Chooser chooser(MakeChoice(Algorithm::kLeastConnections, shares));
    for (int i = 0; i < 100; ++i) ASSERT_EQ(chooser.Choose(), only + 1);
  }
}

TEST(XtChoice, KeepsTheNamesOfNodesWhenSharesMove) {
  EXPECT_THAT(NamesOf(Lower({250, 250, 250, 250})),
              ElementsAre("UPL-FATE", "UPL-FATE.2", "UPL-FATE.3"));
  EXPECT_EQ(NamesOf(Lower({0, 100, 800, 100})),
            NamesOf(Lower({250, 250, 250, 250})));
  EXPECT_EQ(NamesOf(Lower({10, 90, 900, 0})),
            NamesOf(Lower({250, 250, 250, 250})));
  // Of a node that leads nowhere nothing is left.
  EXPECT_THAT(NamesOf(Lower({500, 0, 0, 500})),
              ElementsAre("UPL-FATE", "UPL-FATE.2"));
}

TEST(XtChoice, ChangesOneChainWhenOneBoundaryMoves) {
  const auto before = Lower({250, 250, 250, 250});
  const auto after = Lower({350, 150, 250, 250});
  int changed = 0;
  for (const auto& [name, chain] : before) {
    changed += after.at(name) == chain ? 0 : 1;
  }
  // The one of the two, and those above it whose sums moved with them.
  EXPECT_LE(changed, 2);
  EXPECT_EQ(after.size(), before.size());
}

TEST(XtChoice, KnowsTheChainsOfAPolicy) {
  for (const char* chain : {"UPL-FATE", "UPL-FATE.2", "UPL-FATE.17"}) {
    EXPECT_TRUE(IsChainOfChoice(chain, kBalance)) << chain;
  }
  for (const char* chain : {"UPL-FATE.voice", "UPL-FATE.voice.2", "UPL-FATE.",
                            "UPL-FATES", "UPL-NEW", ""}) {
    EXPECT_FALSE(IsChainOfChoice(chain, kBalance)) << chain;
  }
  EXPECT_TRUE(IsChainOfChoice("UPL-FATE.voice", "voice"));
  EXPECT_TRUE(IsChainOfChoice("UPL-FATE.voice.2", "voice"));
  EXPECT_FALSE(IsChainOfChoice("UPL-FATE.voice2", "voice"));
  EXPECT_FALSE(IsChainOfChoice("UPL-FATE.2", "voice"));
}

// ---- source-hash ----

TEST(XtChoice, HashesClientsByWeight) {
  Chooser chooser(MakeChoice(Algorithm::kSourceHash, {40, 10, 30, 20}));
  std::map<UplinkId, int> counts;
  double rules = 0;
  for (std::uint32_t i = 0; i < 40'000; ++i) {
    ++counts[chooser.Choose(Client(i))];
    rules += chooser.walk().Choice();
  }
  EXPECT_NEAR(counts[1], 16'000, 600);
  EXPECT_NEAR(counts[2], 4'000, 400);
  EXPECT_NEAR(counts[3], 12'000, 600);
  EXPECT_NEAR(counts[4], 8'000, 500);
  // Two coins per node on average.
  EXPECT_LT(rules / 40'000, 2 * 3 + 0.5);
}

TEST(XtChoice, HashesNeighboursApart) {
  Chooser chooser(MakeChoice(Algorithm::kSourceHash, {1, 1}));
  for (std::uint32_t net = 0; net < 20; ++net) {
    int first = 0;
    for (std::uint32_t host = 1; host < 255; ++host) {
      first += chooser.Choose(0xc0a80000 + net * 256 + host) == 1 ? 1 : 0;
    }
    EXPECT_NEAR(first, 127, 40) << "192.168." << net << ".0/24";
  }
}

TEST(XtChoice, KeepsAClientOnItsUplink) {
  Chooser chooser(MakeChoice(Algorithm::kSourceHash, {4, 1, 3}));
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const UplinkId first = chooser.Choose(Client(i));
    ASSERT_EQ(chooser.Choose(Client(i)), first);
  }
}

double PartThatMoves(const Choice& before, const Choice& after,
                     UplinkId besides = 0) {
  Chooser one(before);
  Chooser other(after);
  int moved = 0;
  int counted = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    const UplinkId was = one.Choose(Client(i));
    if (was == besides) continue;
    ++counted;
    moved += was != other.Choose(Client(i)) ? 1 : 0;
  }
  return static_cast<double>(moved) / counted;
}

TEST(XtChoice, MovesOnlyABoundaryWhenWeightsChange) {
  EXPECT_NEAR(PartThatMoves(MakeChoice(Algorithm::kSourceHash, {50, 50}),
                            MakeChoice(Algorithm::kSourceHash, {60, 40})),
              0.1, 0.02);
}

TEST(XtChoice, MovesFewClientsOfOthersWhenAnUplinkLeaves) {
  const Choice all =
      MakeChoice(Algorithm::kSourceHash, std::vector<std::uint64_t>(8, 10));
  for (std::size_t leaving = 0; leaving < 8; ++leaving) {
    Choice rest = all;
    rest.members.erase(rest.members.begin() +
                       static_cast<std::ptrdiff_t>(leaving));
    // Hashing anew would move six of seven.
    EXPECT_LT(PartThatMoves(all, rest, all.members[leaving].id), 0.2);
  }
}

// ---- round-robin ----

TEST(XtChoice, TakesTurns) {
  Chooser chooser(MakeChoice(Algorithm::kRoundRobin, {5, 1, 1}));
  std::vector<UplinkId> fates;
  fates.reserve(14);
  for (int i = 0; i < 14; ++i) fates.push_back(chooser.Choose());
  EXPECT_THAT(fates, ElementsAre(1, 1, 2, 1, 3, 1, 1,  //
                                 1, 1, 2, 1, 3, 1, 1));
}

TEST(XtChoice, CountsEachConnectionOnce) {
  Chooser chooser(MakeChoice(Algorithm::kRoundRobin, {3, 2, 2}));
  std::uint32_t& count = chooser.oracles().counter[TurnCounterName(kBalance)];
  for (std::uint32_t turn = 1; turn <= 21; ++turn) {
    chooser.Choose();
    ASSERT_EQ(count, turn % 7);
  }
}

TEST(XtChoice, ComesBackFromACountBeyondTheCycle) {
  Chooser chooser(MakeChoice(Algorithm::kRoundRobin, {1, 1}));
  chooser.oracles().counter[TurnCounterName(kBalance)] = 200;
  chooser.Choose();
  EXPECT_EQ(chooser.Choose(), 1U);
  EXPECT_EQ(chooser.Choose(), 2U);
}

TEST(XtChoice, CountsNoFurtherThanAListCan) {
  const XtTableState table = TableOf(
      MakeChoice(Algorithm::kRoundRobin, {9973, 101, 7919, 1, 3'000'000}));
  for (const auto& [name, chain] : table.chains) {
    for (const ChainRule& rule : chain) {
      for (const Match& match : rule.matches) {
        const auto* counter = std::get_if<CounterMatch>(&match);
        EXPECT_TRUE(counter == nullptr || counter->hits <= kMaxCycle);
      }
    }
  }
}

// ---- least-loaded ----

TEST(XtChoice, SpreadsByCapacityOnceAllAreFull) {
  Chooser chooser(MakeChoice(Algorithm::kLeastLoaded, {40, 10}));
  chooser.oracles().rate["u1"] = 45;
  chooser.oracles().rate["u2"] = 10;
  std::map<UplinkId, int> counts;
  for (int i = 0; i < 10'000; ++i) ++counts[chooser.Choose()];
  EXPECT_NEAR(counts[1], 8'000, 200);
  EXPECT_NEAR(counts[2], 2'000, 200);
}

TEST(XtChoice, ComparesTheRatesOfTheKernelsWidth) {
  Choice choice = MakeChoice(Algorithm::kLeastLoaded, {1, 2});
  choice.members[1].capacity = 12'500'000'000;  // 100 Gbit/s
  Chooser chooser(choice);
  EXPECT_EQ(chooser.Choose(), 2U);
  EXPECT_EQ(std::get<FreeCapacityMatch>(
                chooser.table().chains.at("UPL-FATE")[0].matches[0])
                .left.capacity,
            0xffffffffU);
}

// ---- overflow ----

TEST(XtChoice, FillsOneMemberAfterTheOther) {
  Choice choice = MakeChoice(Algorithm::kOverflow, {40, 10, 20});
  std::swap(choice.members[0], choice.members[2]);  // 3, 2, 1
  Chooser chooser(choice);
  auto& rate = chooser.oracles().rate;
  EXPECT_EQ(chooser.Choose(), 3U);
  rate["u3"] = 19;
  EXPECT_EQ(chooser.Choose(), 3U);
  rate["u3"] = 20;
  EXPECT_EQ(chooser.Choose(), 2U);
  rate["u2"] = 99;
  EXPECT_EQ(chooser.Choose(), 1U);
  rate["u1"] = 99;  // all are full: the last takes the rest
  EXPECT_EQ(chooser.Choose(), 1U);
  rate["u3"] = 0;
  EXPECT_EQ(chooser.Choose(), 3U);
}

TEST(XtChoice, TakesOneRulePerFullMemberForOverflow) {
  Chooser chooser(
      MakeChoice(Algorithm::kOverflow, std::vector<std::uint64_t>(32, 10)));
  chooser.Choose();
  EXPECT_EQ(chooser.walk().Choice(), 2);
  for (auto& [estimator, rate] : chooser.oracles().rate) rate = 10;
  EXPECT_EQ(chooser.Choose(), 32U);
  EXPECT_EQ(chooser.walk().Choice(), 32);
}

// ---- seeds ----

TEST(XtChoice, HasADifferentCoinForEveryBitOfEveryNode) {
  std::set<std::uint32_t> seeds;
  for (UplinkId pivot = 1; pivot < 300; ++pivot) {
    for (int bit = 0; bit < 10; ++bit) seeds.insert(CoinSeed(pivot, bit));
  }
  EXPECT_EQ(seeds.size(), 299U * 10U);
}

TEST(XtChoice, NeverChangesItsCoins) {
  // Clients would change their uplinks with an upgrade of the agent.
  EXPECT_EQ(CoinSeed(2, 0), 0xfaed0e12);
}

}  // namespace
}  // namespace uplinkd
