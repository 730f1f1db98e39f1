#include "reconciler/water_fill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>

namespace uplinkd {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kFills = 10'000;
constexpr double kTiny = 1e-9;

TEST(WaterFill, GivesTheWidthsWhereLevelsAreEqual) {
  EXPECT_THAT(WaterFill({{0, 4}, {0, 1}}, 7),
              ElementsAre(DoubleEq(0.8), DoubleEq(0.2)));
  EXPECT_THAT(WaterFill({{40, 4}, {10, 1}}, 7),
              ElementsAre(DoubleNear(0.8, kTiny), DoubleNear(0.2, kTiny)));
}

TEST(WaterFill, FillsTheLowerVesselFirst) {
  // Up to 4 per width there is room for 4 in the second; 1 of 5 is left over.
  EXPECT_THAT(WaterFill({{16, 4}, {0, 1}}, 5),
              ElementsAre(DoubleNear(0.16, kTiny), DoubleNear(0.84, kTiny)));
}

TEST(WaterFill, GivesNothingToAVesselAboveTheLevel) {
  EXPECT_THAT(WaterFill({{30, 4}, {0, 1}}, 5), ElementsAre(0, 1));
  // Just as high as the water comes.
  EXPECT_THAT(WaterFill({{20, 4}, {0, 1}}, 5), ElementsAre(0, 1));
}

TEST(WaterFill, GivesAllToAnOnlyVessel) {
  EXPECT_THAT(WaterFill({{1000, 3}}, 1), ElementsAre(1));
  EXPECT_THAT(WaterFill({}, 1), IsEmpty());
}

class RandomVessels {
 public:
  std::uint64_t Draw(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
  }

  // Up to 32, as full as a whole conntrack table, as wide as a Tbit/s.
  void Make() {
    constexpr std::uint64_t kWidest[] = {1, 20, 65'535, 1'000'000'000};
    constexpr std::uint64_t kFullest[] = {0, 5, 1000, 4'000'000};
    const std::uint64_t widest = kWidest[Draw(0, 3)];
    const std::uint64_t fullest = kFullest[Draw(0, 3)];
    vessels.resize(Draw(1, Draw(0, 3) == 0 ? 32 : 5));
    for (Vessel& vessel : vessels) {
      vessel.held = static_cast<double>(Draw(0, fullest));
      vessel.width = static_cast<double>(Draw(1, widest));
    }
    poured = static_cast<double>(Draw(10, 100'000)) / 10;
  }

  void Shuffle() { std::shuffle(vessels.begin(), vessels.end(), random_); }

  std::vector<Vessel> vessels;
  double poured = 1;

 private:
  std::mt19937_64 random_{20261126};
};

// How far off a share may be for the rounding of what is held.
double Rounding(const RandomVessels& random) {
  double most = 1;
  for (const Vessel& vessel : random.vessels) {
    most = std::max(most, vessel.held);
  }
  return 1e-12 * most * static_cast<double>(random.vessels.size());
}

TEST(WaterFill, SharesAreNeverNegativeAndSumToOne) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    const std::vector<double> shares = WaterFill(random.vessels, random.poured);
    ASSERT_EQ(shares.size(), random.vessels.size());
    for (const double share : shares) ASSERT_GE(share, 0);
    ASSERT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, kTiny);
  }
}

TEST(WaterFill, LevelsOutAllThatGetAnything) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    const std::vector<double> shares = WaterFill(random.vessels, random.poured);
    // Where the water stands, from what each vessel holds in the end.
    double level = 0;
    for (std::size_t v = 0; v < shares.size(); ++v) {
      if (shares[v] == 0) continue;
      const Vessel& vessel = random.vessels[v];
      level = std::max(
          level, (vessel.held + shares[v] * random.poured) / vessel.width);
    }
    for (std::size_t v = 0; v < shares.size(); ++v) {
      const Vessel& vessel = random.vessels[v];
      const double stands =
          (vessel.held + shares[v] * random.poured) / vessel.width;
      ASSERT_GE(stands * (1 + kTiny), level) << "case " << i;
      if (shares[v] > 0) {
        ASSERT_LE(stands, level * (1 + kTiny)) << "case " << i;
      }
    }
  }
}

TEST(WaterFill, IgnoresTheOrder) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    const auto sorted = [&] {
      std::vector<double> shares = WaterFill(random.vessels, random.poured);
      std::ranges::sort(shares);
      return shares;
    };
    const std::vector<double> one = sorted();
    random.Shuffle();
    const std::vector<double> other = sorted();
    for (std::size_t v = 0; v < one.size(); ++v) {
      ASSERT_NEAR(one[v], other[v], Rounding(random));
    }
  }
}

TEST(WaterFill, WhoHoldsMoreGetsLess) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    const std::vector<double> before = WaterFill(random.vessels, random.poured);
    const std::size_t fuller = random.Draw(0, before.size() - 1);
    random.vessels[fuller].held += static_cast<double>(random.Draw(1, 50));
    const std::vector<double> after = WaterFill(random.vessels, random.poured);
    for (std::size_t v = 0; v < before.size(); ++v) {
      if (v == fuller) {
        ASSERT_LE(after[v], before[v] + Rounding(random));
      } else {
        ASSERT_GE(after[v], before[v] - Rounding(random));
      }
    }
  }
}

TEST(WaterFill, MuchMoreWaterThanThereWasGivesTheWidths) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    double width = 0;
    for (const Vessel& vessel : random.vessels) width += vessel.width;
    const std::vector<double> shares = WaterFill(random.vessels, 1e18);
    for (std::size_t v = 0; v < shares.size(); ++v) {
      ASSERT_NEAR(shares[v], random.vessels[v].width / width, 1e-6);
    }
  }
}

TEST(InParts, RoundsToTheLargestRemainders) {
  EXPECT_THAT(InParts({0.5, 0.3, 0.2}, 10), ElementsAre(5, 3, 2));
  EXPECT_THAT(InParts({1.0 / 3, 2.0 / 3}, 10), ElementsAre(3, 7));
  EXPECT_THAT(InParts({0.26, 0.26, 0.48}, 10), ElementsAre(3, 2, 5));
  EXPECT_THAT(InParts({0, 1}, 10), ElementsAre(0, 10));
  EXPECT_THAT(InParts({}, 10), IsEmpty());
}

TEST(InParts, AreAsManyAsWantedAndNoneIsAWholeOneOff) {
  RandomVessels random;
  for (int i = 0; i < kFills; ++i) {
    random.Make();
    const std::vector<double> shares = WaterFill(random.vessels, random.poured);
    const std::vector<std::uint64_t> parts = InParts(shares, 1000);
    ASSERT_EQ(std::accumulate(parts.begin(), parts.end(), std::uint64_t{0}),
              1000U);
    for (std::size_t v = 0; v < shares.size(); ++v) {
      ASSERT_NEAR(static_cast<double>(parts[v]), shares[v] * 1000, 1.000001);
      if (shares[v] == 0) {
        ASSERT_EQ(parts[v], 0U);
      }
    }
  }
}

}  // namespace
}  // namespace uplinkd
