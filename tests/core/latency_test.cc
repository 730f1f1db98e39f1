// Who answers soonest, and when that matters.
#include "reconciler/latency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "reconciler/compile.h"
#include "reconciler/plan.h"
#include "tests/core/builders.h"
#include "tests/core/generators.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Random;
using testing::SpecWithUplinks;

RankedChoice Between(std::vector<std::string> members, std::string leader) {
  return {members, members, std::move(leader)};
}

TEST(Latency, ALeadOfAFifthAndAMillisecondIsClear) {
  EXPECT_TRUE(IsClearlySooner(24ms, 30ms));
  EXPECT_FALSE(IsClearlySooner(24ms + 1ns, 30ms));
  // Not back again.
  EXPECT_FALSE(IsClearlySooner(24ms, 24ms));
  EXPECT_FALSE(IsClearlySooner(30ms, 24ms));
  // A fifth of a short way is noise.
  EXPECT_TRUE(IsClearlySooner(1ms, 2ms));
  EXPECT_FALSE(IsClearlySooner(1001us, 2ms));
  EXPECT_FALSE(IsClearlySooner(0ms, 999us));
}

TEST(Latency, TheLeaderStaysUntilAnotherOneIsClearlySooner) {
  const RankedChoice choice = Between({"a", "b", "c"}, "b");
  EXPECT_THAT(Rank(choice, {{"a", 25ms}, {"b", 30ms}, {"c", 28ms}}),
              ElementsAre("b", "a", "c"));
  EXPECT_THAT(Rank(choice, {{"a", 25ms}, {"b", 30ms}, {"c", 20ms}}),
              ElementsAre("c", "a", "b"));
}

TEST(Latency, WhoWasNotMeasuredComesLastInTheOrderOfThePolicy) {
  EXPECT_THAT(Rank(Between({"c", "a", "b"}, "c"), {}),
              ElementsAre("c", "a", "b"));
  EXPECT_THAT(Rank(Between({"c", "a", "b", "d"}, "c"), {{"d", 90ms}}),
              ElementsAre("d", "c", "a", "b"));
  EXPECT_THAT(Rank(Between({"c", "a", "b", "d"}, "d"), {{"d", 90ms}}),
              ElementsAre("d", "c", "a", "b"));
}

TEST(Latency, WhoDoesNotServeCannotLeadButIsRanked) {
  RankedChoice choice = Between({"a", "b", "c", "d"}, "a");
  choice.serving = {"a", "b"};
  const RoundTrips round_trips = {
      {"a", 50ms}, {"b", 45ms}, {"c", 9ms}, {"d", 5ms}};
  EXPECT_THAT(Rank(choice, round_trips), ElementsAre("a", "d", "c", "b"));
  choice.serving = {};
  choice.leader = "";
  EXPECT_THAT(Rank(choice, round_trips), ElementsAre("d", "c", "b", "a"));
}

// Whatever is measured: no two uplinks take each other's place for ever while
// nothing changes, and the one that leads is within the margin of the best.
TEST(Latency, ARankingIsAtRest) {
  Random random(1);
  for (int run = 0; run < 2000; ++run) {
    RankedChoice choice;
    RoundTrips round_trips;
    for (std::uint64_t i = 0; i < 1 + random.Below(6); ++i) {
      const std::string name = "wan" + std::to_string(i);
      choice.members.push_back(name);
      if (random.Chance(80)) {
        round_trips[name] = std::chrono::microseconds(random.Below(60'000));
      }
    }
    choice.serving = choice.members;
    choice.leader = random.AnyOf(choice.members);
    const Ranking first = Rank(choice, round_trips);
    EXPECT_EQ(std::set(first.begin(), first.end()),
              std::set(choice.members.begin(), choice.members.end()));
    choice.leader = first.front();
    EXPECT_EQ(Rank(choice, round_trips), first);
    if (round_trips.empty()) continue;
    ASSERT_TRUE(round_trips.contains(first.front()));
    for (const auto& [uplink, round_trip] : round_trips) {
      EXPECT_FALSE(IsClearlySooner(round_trip, round_trips.at(first.front())));
    }
  }
}

// ---- a round ----

Health Mixed(std::uint32_t quorum) {
  Health health;
  health.probes = {ArpProbe{}, IcmpProbe{Ip("192.0.2.1")},
                   TcpProbe{Ip("192.0.2.2"), 443}};
  health.quorum = quorum;
  return health;
}

std::vector<ProbeResult> Took(std::vector<int> milliseconds) {
  std::vector<ProbeResult> results;
  for (const int count : milliseconds) {
    results.push_back({count >= 0, std::chrono::milliseconds(count), ""});
  }
  return results;
}

TEST(Latency, ARoundMeasuresTheQuorumthBestAnswerFromBehindTheLink) {
  EXPECT_EQ(RoundTripOf(Mixed(1), Took({1, 30, 20})), 20ms);
  EXPECT_EQ(RoundTripOf(Mixed(2), Took({1, 30, 20})), 30ms);
  EXPECT_EQ(RoundTripOf(Mixed(3), Took({1, 30, 20})), 30ms);
  EXPECT_EQ(RoundTripOf(Mixed(1), Took({1, 30, -1})), 30ms);
  EXPECT_EQ(RoundTripOf(Mixed(2), Took({1, 30, -1})), std::nullopt);
  EXPECT_EQ(RoundTripOf(Mixed(1), Took({1, -1, -1})), std::nullopt);
  Health arp;
  arp.probes = {ArpProbe{}};
  EXPECT_EQ(RoundTripOf(arp, Took({1})), std::nullopt);
}

// ---- compile ----

Spec Voice(std::vector<Tier> tiers) {
  Spec spec = SpecWithUplinks(4, Algorithm::kWeightedRandom);
  for (Uplink& uplink : spec.uplinks) {
    uplink.health.emplace().probes = {IcmpProbe{Ip("192.0.2.1")}};
  }
  Policy voice;
  voice.name = "voice";
  voice.algorithm = Algorithm::kLowestLatency;
  voice.tiers = std::move(tiers);
  spec.policies = {voice};
  return spec;
}

UplinkId Chosen(const Spec& spec, const Facts& facts) {
  const Choice choice =
      Compile(spec, facts).filters.at(Family::kIpv4).choices.at("voice");
  EXPECT_EQ(choice.members.size(), 1U);
  return choice.members.empty() ? 0 : choice.members.front().id;
}

TEST(Latency, TheFirstInTheRankingThatServesIsChosen) {
  const Spec spec =
      Voice({{{"wan3", {}}, {"wan1", {}}}, {{"wan4", {}}, {"wan2", {}}}});
  ASSERT_THAT(Validate(spec), IsEmpty());
  Facts facts = FactsWithUplinks(4);
  EXPECT_EQ(Chosen(spec, facts), 3U);
  facts.rankings["voice"] = {"wan2", "wan1", "wan4", "wan3"};
  EXPECT_EQ(Chosen(spec, facts), 1U);
  facts.health["wan1"] = {HealthState::kDegraded, "slow"};
  EXPECT_EQ(Chosen(spec, facts), 3U);
  facts.health["wan3"] = facts.health["wan1"];
  EXPECT_EQ(Chosen(spec, facts), 1U);
  facts.links["wan1"].carrier = facts.links["wan3"].carrier = false;
  EXPECT_EQ(Chosen(spec, facts), 2U);
  facts.rankings["voice"] = {"wan1"};
  EXPECT_EQ(Chosen(spec, facts), 4U);
}

TEST(Latency, WithoutTiersTheIdsAreTheOrder) {
  Spec spec = Voice({});
  Facts facts = FactsWithUplinks(4);
  EXPECT_EQ(Chosen(spec, facts), 1U);
  std::ranges::reverse(spec.uplinks);
  EXPECT_EQ(Chosen(spec, facts), 1U);
  EXPECT_THAT(Compile(spec, facts).ranked.at("voice").members,
              ElementsAre("wan1", "wan2", "wan3", "wan4"));
}

TEST(Latency, CompileSaysWhoCouldLead) {
  const Spec spec = Voice({{{"wan3", {}}, {"wan1", {}}}, {{"wan2", {}}}});
  Facts facts = FactsWithUplinks(4);
  facts.rankings["voice"] = {"wan1"};
  RankedChoice choice = Compile(spec, facts).ranked.at("voice");
  EXPECT_THAT(choice.members, ElementsAre("wan3", "wan1", "wan2"));
  EXPECT_THAT(choice.serving, ElementsAre("wan3", "wan1"));
  EXPECT_EQ(choice.leader, "wan1");
  for (const char* link : {"wan1", "wan2", "wan3"}) facts.links.erase(link);
  choice = Compile(spec, facts).ranked.at("voice");
  EXPECT_THAT(choice.serving, IsEmpty());
  EXPECT_EQ(choice.leader, "");
}

TEST(Latency, AMoveIsOneCommitOfOneSmallChain) {
  const Spec spec = Voice({});
  Facts facts = FactsWithUplinks(4);
  State before = Compile(spec, facts).state;
  facts.rankings["voice"] = {"wan4"};
  const Plan plan = MakePlan(Compile(spec, facts), before);
  ASSERT_EQ(plan.steps.size(), 1U);
  const auto& edit = std::get<EditXtTable>(plan.steps[0].change);
  // One rule takes the place of another.
  EXPECT_EQ(edit.edits.size(), 2U);
  for (const ChainEdit& one : edit.edits) {
    EXPECT_EQ(one.chain, "UPL-FATE.voice");
  }
  // What stands behind the leader is no reason to write.
  State after = Compile(spec, facts).state;
  facts.rankings["voice"] = {"wan4", "wan2", "wan1"};
  EXPECT_TRUE(MakePlan(Compile(spec, facts), after).Empty());
}

}  // namespace
}  // namespace uplinkd
