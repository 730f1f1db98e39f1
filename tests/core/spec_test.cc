// Ids, marks, tables and weights: the numbers that follow from a spec.
#include "reconciler/spec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace uplinkd {
namespace {

// Uplinks with these names, no ids yet.
Spec Named(const std::vector<std::string>& names) {
  Spec spec;
  for (const std::string& name : names) {
    Uplink uplink;
    uplink.name = name;
    uplink.interface = name;
    spec.uplinks.push_back(uplink);
  }
  return spec;
}

std::map<std::string, UplinkId> IdsOf(const Spec& spec) {
  std::map<std::string, UplinkId> ids;
  for (const Uplink& uplink : spec.uplinks) ids[uplink.name] = uplink.id;
  return ids;
}

using Ids = std::map<std::string, UplinkId>;

TEST(AssignIds, CountsFromOneInTheOrderOfTheNames) {
  EXPECT_EQ(IdsOf(AssignIds(Named({"b", "a", "c"}), {})),
            (Ids{{"a", 1}, {"b", 2}, {"c", 3}}));
}

TEST(AssignIds, KeepsIdsThatAreGiven) {
  Spec spec = Named({"a", "b"});
  spec.uplinks[1].id = 1;
  EXPECT_EQ(IdsOf(AssignIds(spec, {{"b", 7}})), (Ids{{"a", 2}, {"b", 1}}));
}

TEST(AssignIds, PrefersTheRememberedId) {
  EXPECT_EQ(IdsOf(AssignIds(Named({"a", "b"}), {{"a", 9}})),
            (Ids{{"a", 9}, {"b", 1}}));
}

TEST(AssignIds, GivesNobodyTheIdOfANameThatIsGone) {
  EXPECT_EQ(IdsOf(AssignIds(Named({"new"}), {{"gone", 1}})), (Ids{{"new", 2}}));
}

TEST(AssignIds, ReusesTheIdsOfGoneNamesWhenNoOthersAreLeft) {
  Spec spec = Named({"new"});
  spec.mark_mask = 0x7;  // ids 1 to 4
  EXPECT_EQ(
      IdsOf(AssignIds(spec, {{"gone", 1}, {"old", 2}, {"a", 3}, {"b", 4}})),
      (Ids{{"new", 1}}));
}

TEST(AssignIds, LetsAGivenIdWinOverAnothersMemory) {
  Spec spec = Named({"a", "b"});
  spec.uplinks[0].id = 4;
  EXPECT_EQ(IdsOf(AssignIds(spec, {{"b", 4}})), (Ids{{"a", 4}, {"b", 1}}));
}

TEST(AssignIds, ForgetsAnIdThatTheMaskHasNoRoomFor) {
  Spec spec = Named({"a"});
  spec.mark_mask = 0x7;
  EXPECT_EQ(IdsOf(AssignIds(spec, {{"a", 7}})), (Ids{{"a", 1}}));
}

TEST(AssignIds, SkipsTablesThatAreTheKernels) {
  Spec spec = Named({"a", "b", "c"});
  spec.table_base = 251;
  EXPECT_EQ(IdsOf(AssignIds(spec, {})), (Ids{{"a", 1}, {"b", 5}, {"c", 6}}));
}

// A random spec whose names come from a small set, with some ids given.
Spec RandomSpec(std::mt19937& random) {
  std::vector<std::string> names(40);
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = "n" + std::to_string(i);
  }
  std::shuffle(names.begin(), names.end(), random);
  names.resize(random() % kMaxUplinks + 1);
  Spec spec = Named(names);
  std::set<UplinkId> given;
  for (Uplink& uplink : spec.uplinks) {
    const auto id = static_cast<UplinkId>(random() % 60 + 1);
    if (random() % 4 == 0 && given.insert(id).second) uplink.id = id;
  }
  spec.mark_mask = random() % 2 == 0 ? 0xff : 0x3f00;
  return spec;
}

TEST(AssignIdsLaw, NeverGivesAnIdTwiceOrOutOfRange) {
  std::mt19937 random(3);
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = RandomSpec(random);
    Ids remembered;
    for (int j = 0; j < 40; ++j) {
      if (random() % 2 == 0) {
        remembered["n" + std::to_string(j)] =
            static_cast<UplinkId>(random() % 70);
      }
    }
    std::set<UplinkId> seen;
    for (const Uplink& uplink : AssignIds(spec, remembered).uplinks) {
      ASSERT_GE(uplink.id, 1U);
      ASSERT_LE(uplink.id, MaxUplinkId(spec.mark_mask));
      ASSERT_TRUE(IsUsableTable(TableOf(spec, uplink.id)));
      ASSERT_TRUE(seen.insert(uplink.id).second) << uplink.id << " twice";
    }
  }
}

TEST(AssignIdsLaw, IgnoresTheOrderOfTheUplinks) {
  std::mt19937 random(4);
  for (int i = 0; i < 10'000; ++i) {
    Spec spec = RandomSpec(random);
    const Ids before = IdsOf(AssignIds(spec, {{"n1", 3}, {"n2", 1}}));
    std::shuffle(spec.uplinks.begin(), spec.uplinks.end(), random);
    ASSERT_EQ(IdsOf(AssignIds(spec, {{"n1", 3}, {"n2", 1}})), before);
  }
}

// The life of a router: uplinks come, go, come back and move about in the list,
// and the caller remembers what was given. No name ever changes its number.
TEST(AssignIdsLaw, KeepsTheNumberOfANameThroughAllChanges) {
  std::mt19937 random(5);
  for (int life = 0; life < 500; ++life) {
    Ids remembered;
    for (int change = 0; change < 20; ++change) {
      Spec spec = RandomSpec(random);
      spec.mark_mask = 0xff;
      for (Uplink& uplink : spec.uplinks) uplink.id = 0;
      for (const auto& [name, id] : IdsOf(AssignIds(spec, remembered))) {
        const auto [known, is_new] = remembered.emplace(name, id);
        ASSERT_EQ(known->second, id) << name;
      }
    }
  }
}

TEST(MaxUplinkId, LeavesTheReservedValuesOut) {
  EXPECT_EQ(MaxUplinkId(0xff), 252U);
  EXPECT_EQ(MaxUplinkId(0xff00), 252U);
  EXPECT_EQ(MaxUplinkId(0x7), 4U);
  EXPECT_EQ(MaxUplinkId(0x3), 0U);
  EXPECT_EQ(MaxUplinkId(0x1), 0U);
  EXPECT_EQ(MaxUplinkId(0x80000000), 0U);
}

TEST(MaxUplinkId, LeavesRoomBetweenThePrioritiesOfOurRules) {
  EXPECT_EQ(MaxUplinkId(0xffff), 299U);
  EXPECT_EQ(MaxUplinkId(0xffffffff), 299U);
}

TEST(MaxUplinkId, IsZeroForAMaskThatCannotBe) {
  EXPECT_EQ(MaxUplinkId(0), 0U);
  EXPECT_EQ(MaxUplinkId(0x101), 0U);
}

TEST(MarkOf, ShiftsTheIdIntoTheMask) {
  Spec spec;
  spec.mark_mask = 0xff00;
  EXPECT_EQ(MarkOf(spec, 3), (Mark{0x300, 0xff00}));
  spec.mark_mask = 0xff;
  EXPECT_EQ(MarkOf(spec, 254), (Mark{0xfe, 0xff}));
  spec.mark_mask = 0xc0000000;
  EXPECT_EQ(MarkOf(spec, 2), (Mark{0x80000000, 0xc0000000}));
}

TEST(TableOf, AddsTheIdToTheBase) {
  Spec spec;
  EXPECT_EQ(TableOf(spec, 1), 11U);
  spec.table_base = 1000;
  EXPECT_EQ(TableOf(spec, 32), 1032U);
}

TEST(WeightOf, IsTheWeightElseTheCapacityElseOne) {
  Uplink uplink;
  EXPECT_EQ(WeightOf(uplink, Measure::kDownload), 1U);
  uplink.capacity = {40'000'000, 10'000'000};
  EXPECT_EQ(WeightOf(uplink, Measure::kDownload), 40'000U);
  EXPECT_EQ(WeightOf(uplink, Measure::kUpload), 10'000U);
  EXPECT_EQ(WeightOf(uplink, Measure::kBoth), 50'000U);
  uplink.capacity.upload = 500;
  EXPECT_EQ(WeightOf(uplink, Measure::kUpload), 1U);
  uplink.weight = 7;
  EXPECT_EQ(WeightOf(uplink, Measure::kDownload), 7U);
}

TEST(CapacityIn, IsUnknownForBothIfOneIsUnknown) {
  EXPECT_EQ(CapacityIn({100, 0}, Measure::kBoth), 0U);
  EXPECT_EQ(CapacityIn({100, 50}, Measure::kBoth), 150U);
  EXPECT_EQ(CapacityIn({100, 0}, Measure::kDownload), 100U);
}

}  // namespace
}  // namespace uplinkd
