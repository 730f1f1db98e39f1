// What holds of every choice, whoever its members are.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "reconciler/ownership.h"
#include "reconciler/turns.h"
#include "reconciler/xt_choice.h"
#include "tests/core/chooser.h"

namespace uplinkd {
namespace {

using testing::Chooser;
using testing::EstimatorOf;
using testing::kChoosing;
using testing::Log2;
using testing::MakeChoice;
using testing::RandomChoices;
using testing::TableOf;

// How likely each fate is if every die and every coin is fair and they know
// nothing of each other. Only for chains of dice and coins.
void Spread(const XtTableState& table, const std::string& name, double chance,
            std::map<std::string, double>& chances) {
  if (name.starts_with("UPL-MARK-")) {
    chances[name] += chance;
    return;
  }
  std::map<std::string, double> onwards;
  for (const ChainRule& rule : table.chains.at(name)) {
    double hit = 1;
    for (const Match& match : rule.matches) {
      const auto* dice = std::get_if<RandomMatch>(&match);
      hit *= dice ? dice->threshold / 2147483648.0 : 0.5;
    }
    onwards[std::get<JumpTarget>(rule.target).chain] += chance * hit;
    chance *= 1 - hit;
  }
  EXPECT_EQ(chance, 0);
  for (const auto& [next, part] : onwards) {
    Spread(table, next, part, chances);
  }
}

std::map<std::string, double> ChancesOf(const Choice& choice) {
  std::map<std::string, double> chances;
  Spread(TableOf(choice), FateChainName(kBalance), 1, chances);
  return chances;
}

double TotalWeight(const Choice& choice) {
  double total = 0;
  for (const Member& member : choice.members) {
    total += static_cast<double>(member.weight);
  }
  return total;
}

TEST(XtChoiceLaw, EveryConnectionGetsExactlyOneMembersFate) {
  RandomChoices random;
  for (const Algorithm algorithm : kChoosing) {
    for (int i = 0; i < 10'000; ++i) {
      const Choice choice = random.Make(algorithm);
      Chooser chooser(choice);
      for (auto& [estimator, rate] : chooser.oracles().rate) {
        rate = static_cast<std::uint32_t>(random.Draw(0, 60) * 1'000'000);
      }
      chooser.oracles().counter[TurnCounterName(kBalance)] =
          static_cast<std::uint32_t>(random.Draw(0, 255));
      const UplinkId fate =
          chooser.Choose(static_cast<std::uint32_t>(random.Draw(1, 1U << 31)));
      ASSERT_EQ(chooser.walk().marks_set, 1);
      ASSERT_TRUE(std::any_of(choice.members.begin(), choice.members.end(),
                              [&](const Member& m) { return m.id == fate; }));
    }
  }
}

TEST(XtChoiceLaw, NamesFitAndNoChainIsLeftOver) {
  RandomChoices random;
  for (const Algorithm algorithm : kChoosing) {
    for (int i = 0; i < 10'000; ++i) {
      const XtTableState table = TableOf(random.Make(algorithm));
      std::set<std::string> reached = {FateChainName(kBalance)};
      for (const auto& [name, chain] : table.chains) {
        ASSERT_LE(name.size(), kMaxChainName);
        ASSERT_TRUE(IsOwnedChain(name));
        for (const ChainRule& rule : chain) {
          const auto* jump = std::get_if<JumpTarget>(&rule.target);
          if (jump) reached.insert(jump->chain);
        }
      }
      ASSERT_EQ(reached.size(), table.chains.size());
    }
  }
}

TEST(XtChoiceLaw, GivesTheLightestMemberAChance) {
  for (const Algorithm algorithm :
       {Algorithm::kWeightedRandom, Algorithm::kSourceHash}) {
    const auto chances =
        ChancesOf(MakeChoice(algorithm, {1'000'000'000'000, 1}));
    EXPECT_GT(chances.at("UPL-MARK-2"), 0);
    EXPECT_GT(chances.at("UPL-MARK-1"), 0.99);
  }
}

TEST(XtChoiceLaw, WeightedRandomIsFair) {
  RandomChoices random;
  for (int i = 0; i < 10'000; ++i) {
    const Choice choice = random.Make(Algorithm::kWeightedRandom);
    const std::map<std::string, double> chances = ChancesOf(choice);
    for (const Member& member : choice.members) {
      ASSERT_NEAR(chances.at(MarkChainName(member.id)),
                  static_cast<double>(member.weight) / TotalWeight(choice),
                  1e-8);
    }
  }
}

TEST(XtChoiceLaw, LeastConnectionsGivesEachItsShareAndLeavesNoChainOver) {
  RandomChoices random;
  for (int i = 0; i < 10'000; ++i) {
    Choice choice = random.Make(Algorithm::kLeastConnections);
    for (std::size_t m = 1; m < choice.members.size(); ++m) {
      if (random.Draw(0, 2) == 0) choice.members[m].weight = 0;
    }
    std::map<std::string, double> chances = ChancesOf(choice);
    for (const Member& member : choice.members) {
      ASSERT_NEAR(chances[MarkChainName(member.id)],
                  static_cast<double>(member.weight) / TotalWeight(choice),
                  1e-8);
      ASSERT_EQ(chances[MarkChainName(member.id)] == 0, member.weight == 0);
    }
    std::set<std::string> reached = {FateChainName(kBalance)};
    const auto chains = LowerChoice(kBalance, choice, 0xff, {});
    for (const auto& [name, chain] : chains) {
      for (const ChainRule& rule : chain) {
        reached.insert(std::get<JumpTarget>(rule.target).chain);
      }
    }
    for (const auto& [name, chain] : chains) {
      ASSERT_TRUE(reached.contains(name)) << name;
    }
  }
}

TEST(XtChoiceLaw, SourceHashIsFairToTenBitsPerNode) {
  RandomChoices random;
  for (int i = 0; i < 10'000; ++i) {
    const Choice choice = random.Make(Algorithm::kSourceHash);
    const std::map<std::string, double> chances = ChancesOf(choice);
    for (const Member& member : choice.members) {
      // At most eight nodes on the way, each off by half a step, or by a whole
      // one where a chance would be none.
      ASSERT_NEAR(chances.at(MarkChainName(member.id)),
                  static_cast<double>(member.weight) / TotalWeight(choice),
                  8.0 / 1024);
    }
  }
}

TEST(XtChoiceLaw, RoundRobinIsExactInEveryCycle) {
  RandomChoices random;
  for (int i = 0; i < 10'000; ++i) {
    const Choice choice = random.Make(Algorithm::kRoundRobin);
    if (choice.members.size() < 2) continue;
    std::vector<std::uint64_t> weights;
    for (const Member& member : choice.members) {
      weights.push_back(member.weight);
    }
    const std::vector<std::uint64_t> turns = TurnsPerCycle(weights);
    std::map<UplinkId, std::uint64_t> expected;
    std::uint64_t length = 0;
    for (std::size_t m = 0; m < turns.size(); ++m) {
      expected[choice.members[m].id] = turns[m];
      length += turns[m];
    }
    Chooser chooser(choice);
    for (int cycle = 0; cycle < 2; ++cycle) {
      std::map<UplinkId, std::uint64_t> counts;
      for (std::uint64_t turn = 0; turn < length; ++turn) {
        ++counts[chooser.Choose()];
        ASSERT_LE(chooser.walk().Choice(), 2 * Log2(length) + 3);
      }
      ASSERT_EQ(counts, expected);
      ASSERT_EQ(chooser.oracles().counter[TurnCounterName(kBalance)], 0U);
    }
  }
}

TEST(XtChoiceLaw, LeastLoadedTakesTheMostFreeCapacity) {
  RandomChoices random;
  for (int i = 0; i < 10'000; ++i) {
    const Choice choice = random.Make(Algorithm::kLeastLoaded);
    Chooser chooser(choice);
    std::map<UplinkId, std::uint64_t> free;
    std::uint64_t most = 0;
    for (const Member& member : choice.members) {
      const std::uint64_t rate = random.Draw(0, 60) * 1'000'000;
      chooser.oracles().rate[EstimatorOf(member.id)] =
          static_cast<std::uint32_t>(rate);
      free[member.id] = member.capacity > rate ? member.capacity - rate : 0;
      most = std::max(most, free[member.id]);
    }
    ASSERT_EQ(free.at(chooser.Choose()), most);
    // Ties of saturated uplinks are for the dice, after all comparisons.
    const auto count = static_cast<int>(choice.members.size());
    const int tie_rules = most == 0 ? 2 * 8 : 0;
    ASSERT_LE(chooser.walk().Choice(), count + 1 + tie_rules);
  }
}

}  // namespace
}  // namespace uplinkd
