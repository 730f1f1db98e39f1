#include "reconciler/xt_lowering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "reconciler/compile.h"
#include "tests/core/builders.h"
#include "tests/core/chooser.h"
#include "tests/core/desired_text.h"
#include "tests/core/random_specs.h"
#include "tests/core/xt_interpreter.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using testing::FactsWithUplinks;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::Key;
using testing::LanPacket;
using ::testing::Not;
using testing::Oracles;
using testing::Packet;
using testing::RandomSpecs;
using testing::SpecWithUplinks;
using testing::TableText;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;
using testing::Walk;
using testing::XtInterpreter;

constexpr Algorithm kAll[] = {
    Algorithm::kLeastLoaded, Algorithm::kWeightedRandom, Algorithm::kRoundRobin,
    Algorithm::kSourceHash, Algorithm::kMultipath};

// A router that packets come to.
class Router {
 public:
  explicit Router(const Desired& desired)
      : mangle_(*desired.state.tables.at(XtTable::kMangle)) {
    oracles_.dice = [this] { return ++dice_ * 0x1234567U & 0x7fffffffU; };
    oracles_.coin = SourceCoin;
    for (const RateEstimator& estimator :
         desired.filters.at(Family::kIpv4).estimators) {
      oracles_.rate[EstimatorName(estimator)] = 0;
    }
  }

  Walk Send(XtHook hook, Packet& packet) {
    return XtInterpreter(mangle_, oracles_).Run(hook, packet);
  }

 private:
  XtTableState mangle_;
  Oracles oracles_;
  std::uint32_t dice_ = 0;
};

Packet FromUplink(const std::string& interface) {
  Packet packet;
  packet.in_interface = interface;
  packet.source = Ip("192.0.2.80");
  packet.destination = Ip("198.51.100.2");
  return packet;
}

Desired TwoUplinks(Algorithm algorithm) {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = algorithm;
  return Compile(spec, TwoUplinkFacts());
}

// ---- what a packet walks ----

TEST(XtLowering, CostsAnEstablishedPacketTwoRules) {
  for (const Algorithm algorithm : kAll) {
    for (std::uint32_t count = 1; count <= 32; ++count) {
      Router router(
          Compile(SpecWithUplinks(count, algorithm), FactsWithUplinks(count)));
      for (const char* interface : {"lan0", "wan1"}) {
        Packet packet = LanPacket();
        packet.in_interface = interface;
        packet.is_new = false;
        packet.connmark = 1;
        const Walk walk = router.Send(XtHook::kPrerouting, packet);
        const bool estimates = algorithm == Algorithm::kLeastLoaded;
        ASSERT_EQ(walk.rules.at("UPL-PREROUTING"), estimates ? 3 : 2);
        ASSERT_EQ(walk.Total(), estimates ? 3 + static_cast<int>(count) : 2);
        ASSERT_EQ(packet.mark, 1U);
      }
    }
  }
}

// So many uplinks that are alike, and so many traffic rules that do not match.
Spec SpecWithRules(Algorithm algorithm, std::uint32_t uplinks, int rules) {
  Spec spec = SpecWithUplinks(uplinks, algorithm);
  for (Uplink& uplink : spec.uplinks) {
    uplink.capacity = spec.uplinks.front().capacity;
  }
  if (algorithm == Algorithm::kOverflow) {
    Tier& tier = spec.balance.tiers.emplace_back();
    for (const Uplink& uplink : spec.uplinks) {
      tier.push_back({uplink.name, std::nullopt});
    }
  }
  for (int i = 0; i < rules; ++i) {
    TrafficRule& rule = spec.traffic.emplace_back();
    rule.name = "rule" + std::to_string(i);
    rule.match.destination = {
        testing::Net("172.16." + std::to_string(i) + ".0/24")};
    rule.use = "wan1";
  }
  return spec;
}

// What an algorithm asks once, whatever the number of members.
int Aside(Algorithm algorithm) {
  switch (algorithm) {
    // The estimators, and whether all are full; a coin is compared bit by bit.
    case Algorithm::kLeastLoaded:
    case Algorithm::kSourceHash: return 2;
    // The next turn; the last one takes the rest.
    case Algorithm::kRoundRobin:
    case Algorithm::kOverflow: return 1;
    default: return 0;
  }
}

// Its traffic rules, its choice, and what tells it from internal traffic: a
// rule per internal network.
TEST(XtLowering, CostsANewConnectionItsRulesAndItsChoice) {
  constexpr int kRules = 100;
  // The mark restored, none, new, from a LAN, on to the choice; the mark set,
  // saved.
  constexpr int kFixed = 7;
  for (const Algorithm algorithm : testing::kChoosing) {
    for (const std::uint32_t count : {2U, 3U, 8U, 32U}) {
      const Spec spec = SpecWithRules(algorithm, count, kRules);
      const Desired desired = Compile(spec, FactsWithUplinks(count));
      Packet packet = LanPacket();
      const Walk walk = Router(desired).Send(XtHook::kPrerouting, packet);
      ASSERT_NE(packet.connmark, 0U);
      int estimates = 0;
      for (const auto& [chain, rules] : walk.rules) {
        if (chain.starts_with("UPL-ESTIMATE")) estimates += rules;
      }
      const int uplinks = static_cast<int>(count);
      const bool compares = algorithm == Algorithm::kLeastLoaded ||
                            algorithm == Algorithm::kOverflow;
      const int choice = compares ? uplinks : 2 * testing::Log2(count);
      const int internal =
          static_cast<int>(desired.filters.at(Family::kIpv4).internal.size());
      EXPECT_LE(walk.Total() - estimates,
                kRules + choice + kFixed + Aside(algorithm) + internal)
          << static_cast<int>(algorithm) << " of " << count;
    }
  }
}

TEST(XtLowering, GivesAFateOnceAndKeepsIt) {
  for (const Algorithm algorithm : kAll) {
    Router router(TwoUplinks(algorithm));
    Packet packet = FromUplink("wan2");
    router.Send(XtHook::kPrerouting, packet);
    const std::uint32_t fate = packet.connmark;
    ASSERT_EQ(fate, 2U);
    for (int i = 0; i < 100; ++i) {
      packet.mark = 0;
      const Walk walk = router.Send(XtHook::kPrerouting, packet);
      ASSERT_EQ(packet.mark, fate);
      ASSERT_EQ(packet.connmark, fate);
      ASSERT_EQ(walk.marks_set, 0);
      packet.mark = 0;
      router.Send(XtHook::kOutput, packet);
      ASSERT_EQ(packet.mark, fate);
    }
  }
}

TEST(XtLowering, AnswersWhereTheRequestCameIn) {
  for (const Algorithm algorithm : kAll) {
    Router router(TwoUplinks(algorithm));
    Packet packet = FromUplink("wan2");
    router.Send(XtHook::kPrerouting, packet);
    // The packet too, so that a strict source check passes.
    EXPECT_EQ(packet.mark, 2U);
    EXPECT_EQ(packet.connmark, 2U);
  }
}

TEST(XtLowering, DivertsNothingInternal) {
  for (const char* destination :
       {"192.168.10.77", "198.51.100.1", "203.0.113.2", "224.0.0.251",
        "255.255.255.255"}) {
    Router router(TwoUplinks(Algorithm::kWeightedRandom));
    Packet packet = LanPacket(destination);
    router.Send(XtHook::kPrerouting, packet);
    EXPECT_EQ(packet.connmark, 0U) << destination;
  }
}

TEST(XtLowering, BalancesOnlyTheSourcesOfTheLans) {
  Router router(TwoUplinks(Algorithm::kWeightedRandom));
  Packet stranger = LanPacket();
  stranger.source = Ip("192.168.99.5");
  router.Send(XtHook::kPrerouting, stranger);
  EXPECT_EQ(stranger.connmark, 0U);
  Packet vpn = LanPacket();
  vpn.in_interface = "tun0";
  router.Send(XtHook::kPrerouting, vpn);
  EXPECT_EQ(vpn.connmark, 0U);
}

TEST(XtLowering, LeavesForeignMarkBitsAlone) {
  Spec spec = TwoUplinkSpec();
  spec.mark_mask = 0xff00;
  Router router(Compile(spec, TwoUplinkFacts()));
  Packet packet = LanPacket();
  packet.mark = 0xabcd00ef;
  packet.connmark = 0x12340056;
  router.Send(XtHook::kPrerouting, packet);
  EXPECT_EQ(packet.mark & ~spec.mark_mask, 0xabcd00efU);
  EXPECT_EQ(packet.connmark & ~spec.mark_mask, 0x12340056U);
  EXPECT_EQ(packet.mark & spec.mark_mask, 0x100U);
  EXPECT_EQ(packet.connmark & spec.mark_mask, 0x100U);
}

TEST(XtLoweringLaw, EveryNewLanConnectionGetsTheFateOfAReadyUplink) {
  RandomSpecs random;
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = random.MakeSpec();
    Facts facts = random.MakeFacts();
    facts.links["lan0"].up = true;
    const Desired desired = Compile(spec, facts);
    std::set<std::uint32_t> ready = {};
    for (const UplinkState& uplink : desired.uplinks) {
      if (uplink.phase == UplinkPhase::kReady) ready.insert(uplink.mark.value);
    }
    const bool chooses =
        spec.balance.algorithm != Algorithm::kMultipath && !ready.empty();
    Router router(desired);
    Packet packet = LanPacket();
    const Walk walk = router.Send(XtHook::kPrerouting, packet);
    ASSERT_EQ(walk.marks_set, chooses ? 1 : 0);
    ASSERT_EQ(packet.mark, packet.connmark);
    ASSERT_EQ(ready.contains(packet.connmark), chooses);
  }
}

TEST(XtLoweringLaw, WhatComesInByAnUplinkThatIsSetUpGetsItsFate) {
  RandomSpecs random;
  for (int i = 0; i < 10'000; ++i) {
    const Desired desired = Compile(random.MakeSpec(), random.MakeFacts());
    Router router(desired);
    // What is for nobody's address is for the first on the interface.
    std::map<std::string, std::uint32_t> first;
    const auto set_up = [](const UplinkState& uplink) {
      return CarriesConnections(uplink.phase) ||
             uplink.phase == UplinkPhase::kDown;
    };
    for (const UplinkState& uplink : desired.uplinks) {
      if (set_up(uplink)) first.emplace(uplink.interface, uplink.mark.value);
    }
    for (const UplinkState& uplink : desired.uplinks) {
      Packet packet = FromUplink(uplink.interface);
      router.Send(XtHook::kPrerouting, packet);
      ASSERT_EQ(packet.connmark, first[uplink.interface]);
      if (!set_up(uplink)) continue;
      packet = FromUplink(uplink.interface);
      packet.destination = *uplink.address;
      router.Send(XtHook::kPrerouting, packet);
      ASSERT_EQ(packet.connmark, uplink.mark.value);
    }
  }
}

// ---- multipath ----

TEST(XtLowering, RemembersWhatTheRouteChose) {
  const Desired desired = TwoUplinks(Algorithm::kMultipath);
  Router router(desired);
  Packet packet = LanPacket();
  router.Send(XtHook::kPrerouting, packet);
  EXPECT_EQ(packet.connmark, 0U);
  packet.out_interface = "wan2";
  router.Send(XtHook::kPostrouting, packet);
  EXPECT_EQ(packet.connmark, 2U);
  // From now on the mark decides, and one rule is enough to see it.
  packet.is_new = false;
  EXPECT_EQ(router.Send(XtHook::kPostrouting, packet).Total(), 1);
}

TEST(XtLowering, HasNoPostroutingWhereNothingNeedsIt) {
  for (const Algorithm algorithm :
       {Algorithm::kLeastLoaded, Algorithm::kWeightedRandom}) {
    const Desired desired = TwoUplinks(algorithm);
    const XtTableState& mangle = *desired.state.tables.at(XtTable::kMangle);
    EXPECT_THAT(mangle.jumps, Not(Contains(Key(XtHook::kPostrouting))));
    EXPECT_THAT(mangle.chains, Not(Contains(Key("UPL-POSTROUTING"))));
  }
}

// ---- estimators ----

std::map<std::string, std::uint64_t> Estimated(Measure measure, XtHook hook,
                                               Packet packet) {
  Spec spec = TwoUplinkSpec();
  spec.balance.measure = measure;
  Router router(Compile(spec, TwoUplinkFacts()));
  return router.Send(hook, packet).estimated;
}

TEST(XtLowering, EstimatesTheDirectionsThatAreMeasured) {
  Packet out = LanPacket();
  out.out_interface = "wan2";
  const Packet in = FromUplink("wan2");
  const auto download = Estimated(Measure::kDownload, XtHook::kPrerouting, in);
  EXPECT_EQ(download.size(), 1U);
  EXPECT_TRUE(Estimated(Measure::kDownload, XtHook::kPostrouting, out).empty());
  EXPECT_TRUE(Estimated(Measure::kUpload, XtHook::kPrerouting, in).empty());
  EXPECT_EQ(Estimated(Measure::kUpload, XtHook::kPostrouting, out).size(), 1U);
  // Both directions make one sum.
  const auto both = Estimated(Measure::kBoth, XtHook::kPrerouting, in);
  EXPECT_EQ(both.size(), 1U);
  EXPECT_EQ(both, Estimated(Measure::kBoth, XtHook::kPostrouting, out));
}

TEST(XtLowering, NamesAnEstimatorAfterAllThatItMeasures) {
  using std::chrono::milliseconds;
  const RateEstimator one = {
      299, "wan1", Measure::kDownload, {milliseconds(250), milliseconds(500)}};
  std::set<std::string> names = {EstimatorName(one)};
  RateEstimator other = one;
  other.parameters.interval = milliseconds(500);
  names.insert(EstimatorName(other));
  other = one;
  other.parameters.window = milliseconds(1000);
  names.insert(EstimatorName(other));
  other = one;
  other.measure = Measure::kUpload;
  names.insert(EstimatorName(other));
  other = one;
  other.interface = "wan2";
  names.insert(EstimatorName(other));
  other = one;
  other.id = 298;
  names.insert(EstimatorName(other));
  EXPECT_EQ(names.size(), 6U);
  for (const std::string& name : names) EXPECT_LE(name.size(), 15U);
}

TEST(XtLowering, GivesTheKernelPowersOfTwo) {
  using std::chrono::milliseconds;
  struct Case {
    int interval, window;
    int interval_log2, ewma_log2;
  };
  for (const Case& c :
       {Case{250, 500, -2, 1}, Case{250, 8000, -2, 5}, Case{500, 2000, -1, 2},
        Case{1000, 8000, 0, 3}, Case{8000, 16000, 3, 1}}) {
    FilterIntent intent;
    intent.mark_mask = 0xff;
    intent.estimators = {{1,
                          "wan1",
                          Measure::kDownload,
                          {milliseconds(c.interval), milliseconds(c.window)}}};
    const Chain chain = LowerToXtables(intent)
                            .at(XtTable::kMangle)
                            ->chains.at("UPL-ESTIMATE-IN");
    const auto& target = std::get<EstimateTarget>(chain.at(0).target);
    EXPECT_EQ(target.interval_log2, c.interval_log2);
    EXPECT_EQ(target.ewma_log2, c.ewma_log2);
  }
}

// The kernel takes a table only if each estimator stands before the matches
// that read it, in the order of the chains' names.
TEST(XtLoweringLaw, EstimatorsComeBeforeTheirMatches) {
  RandomSpecs random;
  for (int i = 0; i < 10'000; ++i) {
    const Desired desired = Compile(random.MakeSpec(), random.MakeFacts());
    std::set<std::string> known;
    for (const auto& [name, chain] :
         desired.state.tables.at(XtTable::kMangle)->chains) {
      for (const ChainRule& rule : chain) {
        if (const auto* e = std::get_if<EstimateTarget>(&rule.target)) {
          known.insert(e->estimator);
        }
        for (const Match& match : rule.matches) {
          const auto* free = std::get_if<FreeCapacityMatch>(&match);
          if (free == nullptr) continue;
          ASSERT_TRUE(known.contains(free->left.estimator));
          ASSERT_TRUE(!free->right || known.contains(free->right->estimator));
        }
      }
    }
  }
}

// ---- the tables as a whole ----

TEST(XtLoweringLaw, TablesAreClosedAndNamesFit) {
  RandomSpecs random(RandomSpecs::Families::kBoth);
  for (int i = 0; i < 10'000; ++i) {
    const Desired desired = Compile(random.MakeSpec(), random.MakeFacts());
    for (const auto& [table, content] : desired.state.tables) {
      std::set<std::string> targets;
      for (const auto& [hook, jumps] : content->jumps) {
        ASSERT_EQ(jumps.size(), 1U);
        ASSERT_EQ(jumps[0].position, 0U);
        targets.insert(std::get<JumpTarget>(jumps[0].rule.target).chain);
      }
      for (const auto& [name, chain] : content->chains) {
        ASSERT_LE(name.size(), kMaxChainName);
        ASSERT_TRUE(IsOwnedChain(name));
        for (const ChainRule& rule : chain) {
          const auto* jump = std::get_if<JumpTarget>(&rule.target);
          if (jump) targets.insert(jump->chain);
        }
      }
      // Every chain is gone to, and every target is there.
      ASSERT_EQ(targets.size(), content->chains.size());
      for (const std::string& target : targets) {
        ASSERT_TRUE(content->chains.contains(target)) << target;
      }
    }
  }
}

TEST(XtLowering, HasTheChainsThatAreAlwaysThere) {
  for (const Algorithm algorithm : kAll) {
    const std::string text = TableText(TwoUplinks(algorithm), XtTable::kMangle);
    for (const char* chain : {"UPL-PREROUTING", "UPL-NEW", "UPL-MARK-1",
                              "UPL-MARK-2", "UPL-OUTPUT"}) {
      EXPECT_THAT(text, HasSubstr("-A " + std::string(chain) + " "));
    }
  }
}

}  // namespace
}  // namespace uplinkd
