#include "reconciler/turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace uplinkd {
namespace {

using ::testing::ElementsAre;

TEST(Turns, ReducesWeights) {
  EXPECT_THAT(TurnsPerCycle({40'000, 10'000}), ElementsAre(4, 1));
  EXPECT_THAT(TurnsPerCycle({1, 1, 1}), ElementsAre(1, 1, 1));
  EXPECT_THAT(TurnsPerCycle({200, 55}), ElementsAre(40, 11));
  EXPECT_THAT(TurnsPerCycle({128, 127}), ElementsAre(128, 127));
}

TEST(Turns, TakesTheShortestCycleThatIsCloseEnough) {
  // 16.86 % of the weight, 17.02 % of the turns.
  EXPECT_THAT(TurnsPerCycle({355, 72}), ElementsAre(39, 8));
  EXPECT_THAT(TurnsPerCycle({1'000'000, 1'000'001}), ElementsAre(1, 1));
}

TEST(Turns, GivesEveryoneATurnHoweverLight) {
  EXPECT_THAT(TurnsPerCycle({1, 1'000'000}), ElementsAre(1, 254));
  EXPECT_THAT(TurnsPerCycle({1, 1'000'000, 1}), ElementsAre(1, 253, 1));
}

TEST(Turns, SpreadsTheTurnsOfACycle) {
  EXPECT_THAT(SmoothCycle({5, 1, 1}), ElementsAre(0, 0, 1, 0, 2, 0, 0));
  EXPECT_THAT(SmoothCycle({1, 1}), ElementsAre(0, 1));
}

class TurnsLaw : public ::testing::Test {
 protected:
  std::vector<std::uint64_t> DrawWeights() {
    const std::size_t count = std::uniform_int_distribution<>(2, 32)(random_);
    const int digits = std::uniform_int_distribution<>(1, 7)(random_);
    const auto most = static_cast<std::uint64_t>(std::pow(10, digits));
    std::vector<std::uint64_t> weights(count);
    for (std::uint64_t& weight : weights) {
      weight = std::uniform_int_distribution<std::uint64_t>(1, most)(random_);
    }
    return weights;
  }

  std::mt19937 random_{42};
};

TEST_F(TurnsLaw, CyclesAreShortAndFair) {
  for (int i = 0; i < 10'000; ++i) {
    const std::vector<std::uint64_t> weights = DrawWeights();
    const std::vector<std::uint64_t> turns = TurnsPerCycle(weights);
    ASSERT_EQ(turns.size(), weights.size());
    const auto length =
        std::accumulate(turns.begin(), turns.end(), std::uint64_t{0});
    ASSERT_LE(length, kMaxCycle);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    std::uint64_t lifted = 0;
    for (std::size_t m = 0; m < turns.size(); ++m) {
      ASSERT_GE(turns[m], 1U);
      const double exact =
          static_cast<double>(length) * static_cast<double>(weights[m]) / total;
      // Those too light for a turn of their own take it from the others.
      if (exact < 1) ++lifted;
      ASSERT_LE(static_cast<double>(turns[m]), exact + 1);
    }
    for (std::size_t m = 0; m < turns.size(); ++m) {
      const double exact =
          static_cast<double>(length) * static_cast<double>(weights[m]) / total;
      ASSERT_GE(static_cast<double>(turns[m]),
                exact - 1 - static_cast<double>(lifted));
    }
  }
}

TEST_F(TurnsLaw, NoMemberWaitsMuchLongerThanItsPart) {
  for (int i = 0; i < 10'000; ++i) {
    const std::vector<std::uint64_t> turns = TurnsPerCycle(DrawWeights());
    const std::vector<std::size_t> cycle = SmoothCycle(turns);
    std::vector<std::uint64_t> served(turns.size(), 0);
    for (std::size_t at = 0; at < cycle.size(); ++at) {
      ++served[cycle[at]];
      for (std::size_t m = 0; m < turns.size(); ++m) {
        const double due = static_cast<double>(turns[m]) *
                           static_cast<double>(at + 1) /
                           static_cast<double>(cycle.size());
        // Known bound of the method: never a whole number of turns equal to
        // that of the members off.
        ASSERT_LT(std::abs(due - static_cast<double>(served[m])),
                  static_cast<double>(turns.size()));
      }
    }
    ASSERT_EQ(served, turns);
  }
}

}  // namespace
}  // namespace uplinkd
