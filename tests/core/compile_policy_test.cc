// Policies: whom a tier, an order and a last resort give connections to.

#include "reconciler/compile_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/render.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FactsWithUplinks;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using testing::MembersOf;
using ::testing::Not;
using testing::SpecWithUplinks;

Policy MakePolicy(Algorithm algorithm, std::vector<Tier> tiers) {
  Policy policy;
  policy.name = "voice";
  policy.algorithm = algorithm;
  policy.tiers = std::move(tiers);
  return policy;
}

// Four uplinks; balance is weighted-random over all of them.
Spec WithPolicy(Algorithm algorithm, std::vector<Tier> tiers) {
  Spec spec = SpecWithUplinks(4, Algorithm::kWeightedRandom);
  spec.policies = {MakePolicy(algorithm, std::move(tiers))};
  return spec;
}

Facts WithDown(const std::vector<std::string>& links) {
  Facts facts = FactsWithUplinks(4);
  for (const std::string& link : links) facts.links[link].carrier = false;
  return facts;
}

TEST(CompilePolicy, TakesTheFirstTierWithAnUplinkThatWorks) {
  const Spec spec = WithPolicy(
      Algorithm::kWeightedRandom,
      {{{"wan3", {}}, {"wan1", {}}}, {{"wan2", {}}}, {{"wan4", {}}}});
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({})), "voice"),
              ElementsAre(1, 3));
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan1"})), "voice"),
              ElementsAre(3));
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan1", "wan3"})), "voice"),
              ElementsAre(2));
  EXPECT_THAT(
      MembersOf(Compile(spec, WithDown({"wan1", "wan2", "wan3"})), "voice"),
      ElementsAre(4));
  EXPECT_THAT(
      MembersOf(Compile(spec, WithDown({"wan1", "wan2", "wan3", "wan4"})),
                "voice"),
      IsEmpty());
}

TEST(CompilePolicy, TakesAllUplinksWithoutTiers) {
  const Spec spec = WithPolicy(Algorithm::kSourceHash, {});
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan2"})), "voice"),
              ElementsAre(1, 3, 4));
}

TEST(CompilePolicy, FailsOverInTheOrderGiven) {
  const Spec spec = WithPolicy(Algorithm::kFailover,
                               {{{"wan3", {}}, {"wan1", {}}}, {{"wan2", {}}}});
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({})), "voice"), ElementsAre(3));
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan3"})), "voice"),
              ElementsAre(1));
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan1", "wan3"})), "voice"),
              ElementsAre(2));
}

TEST(CompilePolicy, OverflowFillsInTheOrderGiven) {
  const Spec spec = WithPolicy(Algorithm::kOverflow,
                               {{{"wan3", {}}, {"wan1", {}}, {"wan2", {}}}});
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({})), "voice"),
              ElementsAre(3, 1, 2));
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({"wan3"})), "voice"),
              ElementsAre(1, 2));
}

TEST(CompilePolicy, OverflowFillsUpToTheThreshold) {
  Spec spec = WithPolicy(Algorithm::kOverflow, {{{"wan2", {}}, {"wan1", {}}}});
  spec.policies[0].threshold = 60;
  const Desired desired = Compile(spec, WithDown({}));
  const Choice& choice = desired.filters.at(Family::kIpv4).choices.at("voice");
  EXPECT_EQ(choice.members[0].capacity, 20'000'000U / 8 * 60 / 100);
  EXPECT_EQ(choice.members[1].capacity, 10'000'000U / 8 * 60 / 100);
  EXPECT_EQ(desired.filters.at(Family::kIpv4).estimators.size(), 2U);
}

TEST(CompilePolicy, AnIdleRouterGivesAllToTheFirstOfOverflow) {
  Spec spec = SpecWithUplinks(2, Algorithm::kOverflow);
  spec.balance.tiers = {{{"wan2", {}}, {"wan1", {}}}};
  const Desired desired = Compile(spec, FactsWithUplinks(2));
  EXPECT_EQ(desired.uplinks[0].share, 0);
  EXPECT_EQ(desired.uplinks[1].share, 1);
}

TEST(CompilePolicy, ANameWithoutAnUplinkIsNoMember) {
  // Diff of a spec that lost an uplink: Validate() has said so already.
  const Spec spec = WithPolicy(Algorithm::kWeightedRandom, {{{"gone", {}}}});
  EXPECT_THAT(MembersOf(Compile(spec, WithDown({})), "voice"), IsEmpty());
}

TEST(CompilePolicy, WeighsByTheMemberThenTheUplinkThenTheCapacity) {
  Spec spec = WithPolicy(Algorithm::kWeightedRandom,
                         {{{"wan1", 7}, {"wan2", {}}, {"wan3", {}}}});
  spec.uplinks[1].weight = 5;
  const Choice choice =
      Compile(spec, WithDown({})).filters.at(Family::kIpv4).choices.at("voice");
  EXPECT_EQ(choice.members[0].weight, 7U);
  EXPECT_EQ(choice.members[1].weight, 5U);
  EXPECT_EQ(choice.members[2].weight, 30'000U);
}

TEST(CompilePolicy, MeasuresOnlyWhatAPolicyCompares) {
  Spec spec = WithPolicy(Algorithm::kLeastLoaded,
                         {{{"wan1", {}}, {"wan2", {}}}, {{"wan3", {}}}});
  spec.policies[0].measure = Measure::kUpload;
  const Desired desired = Compile(spec, WithDown({"wan2"}));
  std::vector<UplinkId> measured;
  for (const RateEstimator& estimator :
       desired.filters.at(Family::kIpv4).estimators) {
    EXPECT_EQ(estimator.measure, Measure::kUpload);
    measured.push_back(estimator.id);
  }
  EXPECT_THAT(measured, ElementsAre(1, 2, 3));
}

TEST(CompilePolicy, TwoPoliciesOfOneKindShareTheirEstimators) {
  Spec spec = SpecWithUplinks(3, Algorithm::kLeastLoaded);
  spec.policies = {MakePolicy(Algorithm::kLeastLoaded, {})};
  EXPECT_EQ(
      Compile(spec, WithDown({})).filters.at(Family::kIpv4).estimators.size(),
      3U);
  spec.policies[0].estimator.window *= 2;
  EXPECT_EQ(
      Compile(spec, WithDown({})).filters.at(Family::kIpv4).estimators.size(),
      6U);
}

TEST(CompilePolicy, SharesAreThoseOfTheLiveTierOfBalance) {
  Spec spec = SpecWithUplinks(4, Algorithm::kWeightedRandom);
  spec.balance.tiers = {{{"wan1", 3}, {"wan2", 1}}, {{"wan4", {}}}};
  const Desired desired = Compile(spec, WithDown({}));
  std::vector<double> shares;
  for (const UplinkState& uplink : desired.uplinks) {
    shares.push_back(uplink.share);
  }
  EXPECT_THAT(shares, ElementsAre(0.75, 0.25, 0, 0));
}

TEST(CompilePolicy, MultipathIsOverTheLiveTier) {
  Spec spec = SpecWithUplinks(3, Algorithm::kMultipath);
  spec.balance.tiers = {{{"wan2", {}}}, {{"wan1", {}}, {"wan3", {}}}};
  const auto hops = [&](const Facts& facts) {
    const RouteKey key{spec.table_base, Prefix::Default(Family::kIpv4), 0, 0};
    return Compile(spec, facts).state.routes.at(key).next_hops.size();
  };
  EXPECT_EQ(hops(FactsWithUplinks(3)), 1U);
  EXPECT_EQ(hops(WithDown({"wan2"})), 2U);
}

std::vector<std::string> RuleWords(const Spec& spec, const Facts& facts) {
  const Desired desired = Compile(spec, facts);
  std::vector<std::string> words;
  for (const PolicyRule& rule : desired.state.rules) {
    words.push_back(RenderRule(rule));
  }
  return words;
}

TEST(CompilePolicy, TheRuleOfALastResortIsThereBeforeItIsNeeded) {
  Spec spec = WithPolicy(Algorithm::kWeightedRandom, {});
  spec.policies[0].last_resort = LastResort::kUnreachable;
  const std::string unreachable =
      "priority 20051 fwmark 0xfe/0xff unreachable proto 117";
  EXPECT_THAT(RuleWords(spec, WithDown({})), Contains(unreachable));
  spec.policies[0].last_resort = LastResort::kBlackhole;
  EXPECT_THAT(RuleWords(spec, WithDown({})),
              Contains("priority 20052 fwmark 0xfd/0xff blackhole proto 117"));
  spec.policies[0].last_resort = LastResort::kMain;
  EXPECT_THAT(RuleWords(spec, WithDown({})), Not(Contains(HasSubstr("0xfe"))));
}

Chain RootOf(const Spec& spec, const Facts& facts, const std::string& chain) {
  return Compile(spec, facts)
      .state.tables.at(XtTable::kMangle)
      ->chains.at(chain);
}

TEST(CompilePolicy, ALastResortIsNeverTheFateOfAConnection) {
  Spec spec = WithPolicy(Algorithm::kWeightedRandom, {{{"wan1", {}}}});
  const Facts facts = WithDown({"wan1"});
  const auto words = [&](LastResort last_resort) {
    spec.policies[0].last_resort = last_resort;
    const Chain chain = RootOf(spec, facts, "UPL-FATE.voice");
    return chain.size() == 1 ? RenderChainRule(chain[0]) : "not one rule";
  };
  EXPECT_EQ(words(LastResort::kUnreachable), "-j MARK --set-xmark 0xfe/0xff");
  EXPECT_EQ(words(LastResort::kBlackhole), "-j MARK --set-xmark 0xfd/0xff");
  EXPECT_EQ(words(LastResort::kMain), "-j RETURN");
}

TEST(CompilePolicy, BalanceWithAStricterLastResortStillDecides) {
  Spec spec = SpecWithUplinks(1, Algorithm::kWeightedRandom);
  Facts facts = FactsWithUplinks(1);
  facts.links["wan1"].carrier = false;
  const auto chains = [&] {
    return Compile(spec, facts).state.tables.at(XtTable::kMangle)->chains;
  };
  EXPECT_THAT(chains(), Not(Contains(Key("UPL-FATE"))));
  spec.balance.last_resort = LastResort::kBlackhole;
  EXPECT_THAT(chains(), Contains(Key("UPL-FATE")));
}

TEST(CompilePolicy, KeepsTheChainsOfPoliciesApart) {
  Spec spec = WithPolicy(Algorithm::kWeightedRandom, {});
  spec.policies.push_back(spec.policies[0]);
  spec.policies[1].name = "guests";
  const auto chains =
      Compile(spec, WithDown({})).state.tables.at(XtTable::kMangle)->chains;
  for (const char* name : {"UPL-FATE", "UPL-FATE.2", "UPL-FATE.voice",
                           "UPL-FATE.voice.2", "UPL-FATE.guests.2"}) {
    EXPECT_THAT(chains, Contains(Key(name)));
  }
}

// ---- affinity ----

std::vector<UplinkId> Keepers(const Spec& spec, const Facts& facts) {
  const auto memory =
      Compile(spec, facts).filters.at(Family::kIpv4).choices.at("voice").memory;
  return memory ? memory->uplinks : std::vector<UplinkId>{};
}

TEST(CompilePolicy, WithoutAffinityNobodyIsRemembered) {
  const Spec spec = WithPolicy(Algorithm::kWeightedRandom, {});
  EXPECT_EQ(Compile(spec, WithDown({}))
                .filters.at(Family::kIpv4)
                .choices.at("voice")
                .memory,
            std::nullopt);
}

TEST(CompilePolicy, ClientsStayWithAllThatCouldBeChosen) {
  for (const Algorithm algorithm :
       {Algorithm::kWeightedRandom, Algorithm::kFailover, Algorithm::kOverflow,
        Algorithm::kLowestLatency, Algorithm::kLeastConnections}) {
    Spec spec = WithPolicy(
        algorithm,
        {{{"wan3", {}}, {"wan1", {}}, {"wan4", {}}}, {{"wan2", {}}}});
    for (Uplink& uplink : spec.uplinks) {
      uplink.health.emplace().probes = {IcmpProbe{Address::FromIpv4(1)}};
    }
    spec.policies[0].affinity = {AffinityKey::kSource,
                                 std::chrono::seconds(90)};
    EXPECT_EQ(Compile(spec, WithDown({}))
                  .filters.at(Family::kIpv4)
                  .choices.at("voice")
                  .memory->lifetime,
              std::chrono::seconds(90));
    EXPECT_THAT(Keepers(spec, WithDown({})), ElementsAre(1, 3, 4));
    EXPECT_THAT(Keepers(spec, WithDown({"wan3"})), ElementsAre(1, 4));
    EXPECT_THAT(Keepers(spec, WithDown({"wan1", "wan3", "wan4"})),
                ElementsAre(2));
    EXPECT_THAT(Keepers(spec, WithDown({"wan1", "wan2", "wan3", "wan4"})),
                IsEmpty());
    // One that gets no new connections keeps no clients.
    Facts facts = WithDown({});
    facts.health["wan1"] = {HealthState::kDegraded, "slow"};
    facts.draining["wan4"] = "until noon";
    EXPECT_THAT(Keepers(spec, facts), ElementsAre(3));
  }
}

TEST(CompilePolicy, TheLongestNamesFitIntoAChainsName) {
  for (const Algorithm algorithm :
       {Algorithm::kWeightedRandom, Algorithm::kSourceHash,
        Algorithm::kRoundRobin, Algorithm::kLeastLoaded,
        Algorithm::kOverflow}) {
    Spec spec = WithPolicy(
        algorithm, {{{"wan1", {}}, {"wan2", {}}, {"wan3", {}}, {"wan4", {}}}});
    spec.policies[0].name = std::string(15, 'p');
    spec.policies[0].affinity.by = AffinityKey::kSource;
    spec.mark_mask = 0xffff;
    for (Uplink& uplink : spec.uplinks) uplink.id += 295;
    ASSERT_THAT(Validate(spec), IsEmpty());
    const XtTableState mangle =
        *Compile(spec, WithDown({})).state.tables.at(XtTable::kMangle);
    for (const auto& [name, chain] : mangle.chains) {
      EXPECT_LE(name.size(), kMaxChainName) << name;
    }
  }
}

}  // namespace
}  // namespace uplinkd
