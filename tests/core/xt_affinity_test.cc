// Clients that come back, in the chains of every choice.
#include "reconciler/xt_affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "reconciler/render.h"
#include "tests/core/chooser.h"

namespace uplinkd {
namespace {

using testing::Chooser;
using testing::Client;
using ::testing::ElementsAre;
using testing::kChoosing;
using testing::kMask;
using testing::MakeChoice;
using testing::RandomChoices;

constexpr std::chrono::seconds kLifetime{600};

// The members keep their clients.
Choice Remembering(Choice choice) {
  choice.memory.emplace().lifetime = kLifetime;
  for (const Member& member : choice.members) {
    choice.memory->uplinks.push_back(member.id);
  }
  return choice;
}

std::vector<std::string> Words(const Chain& chain) {
  std::vector<std::string> words;
  for (const ChainRule& rule : chain) words.push_back(RenderChainRule(rule));
  return words;
}

TEST(XtAffinity, AsksTheListsThenChoosesThenRemembers) {
  const auto chains = LowerChoice(
      "voice", Remembering(MakeChoice(Algorithm::kWeightedRandom, {1, 1})),
      kMask, {});
  EXPECT_THAT(
      Words(chains.at("UPL-FATE.voice")),
      ElementsAre("-m recent --name UPL-SAME.voice.1 --mask 255.255.255.255 "
                  "--rsource --rcheck "
                  "--seconds 600 -g UPL-SAME.voice.1",
                  "-m recent --name UPL-SAME.voice.2 --mask 255.255.255.255 "
                  "--rsource --rcheck "
                  "--seconds 600 -g UPL-SAME.voice.2",
                  "-m recent --name UPL-SAME.voice.1 --mask 255.255.255.255 "
                  "--rsource --remove",
                  "-m recent --name UPL-SAME.voice.2 --mask 255.255.255.255 "
                  "--rsource --remove",
                  "-m statistic --mode random --probability 0.50000000000 "
                  "-g UPL-SAME.voice.1",
                  "-g UPL-SAME.voice.2"));
  EXPECT_THAT(Words(chains.at("UPL-SAME.voice.2")),
              ElementsAre("-m recent --name UPL-SAME.voice.2 --mask "
                          "255.255.255.255 --rsource --set",
                          "-g UPL-MARK-2"));
  EXPECT_EQ(ClientListName(kBalance, 7), "UPL-SAME.7");
}

TEST(XtAffinity, AClientKeepsItsUplinkUnderEveryAlgorithm) {
  RandomChoices random;
  for (const Algorithm algorithm : kChoosing) {
    for (int run = 0; run < 20; ++run) {
      Chooser chooser(Remembering(random.Make(algorithm)));
      std::map<std::uint32_t, UplinkId> first;
      for (int round = 0; round < 5; ++round) {
        for (std::uint32_t client = 1; client <= 20; ++client) {
          const UplinkId got = chooser.Choose(Client(client));
          EXPECT_NE(got, 0U);
          EXPECT_EQ(first.try_emplace(client, got).first->second, got);
        }
        chooser.oracles().now += 400;
      }
    }
  }
}

// From the last new connection on, not from the first.
TEST(XtAffinity, AClientIsForgottenWhenItStaysAwayForALifetime) {
  Chooser chooser(Remembering(MakeChoice(Algorithm::kRoundRobin, {1, 1, 1})));
  EXPECT_EQ(chooser.Choose(Client(1)), 1U);
  EXPECT_EQ(chooser.Choose(Client(2)), 2U);
  chooser.oracles().now += 600;
  EXPECT_EQ(chooser.Choose(Client(1)), 1U);
  chooser.oracles().now += 1;
  EXPECT_EQ(chooser.Choose(Client(1)), 1U);
  EXPECT_EQ(chooser.Choose(Client(2)), 3U);
}

TEST(XtAffinity, AClientIsOnOneListAtMost) {
  Chooser chooser(Remembering(MakeChoice(Algorithm::kRoundRobin, {1, 1, 1})));
  for (int i = 0; i < 7; ++i) {
    chooser.Choose(Client(1));
    int lists = 0;
    for (const auto& [name, clients] : chooser.oracles().clients) {
      lists += static_cast<int>(clients.count(Address::FromIpv4(Client(1))));
    }
    EXPECT_EQ(lists, 1);
    chooser.oracles().now += 601;
  }
}

TEST(XtAffinity, CostsAtMostTwoLooksAtEachListAndOnlyTheNew) {
  const std::vector<std::uint64_t> weights(32, 10);
  Chooser plain(MakeChoice(Algorithm::kSourceHash, weights));
  Chooser chooser(Remembering(MakeChoice(Algorithm::kSourceHash, weights)));
  for (std::uint32_t client = 1; client <= 100; ++client) {
    plain.Choose(Client(client));
    chooser.Choose(Client(client));
    EXPECT_EQ(chooser.walk().Choice(), plain.walk().Choice() + 64);
    const UplinkId got = chooser.Choose(Client(client));
    EXPECT_EQ(chooser.walk().Choice(), static_cast<int>(got));
  }
}

// ---- by source and destination ----

Choice RememberingPairs(Choice choice) {
  choice = Remembering(std::move(choice));
  choice.memory->by_destination = true;
  return choice;
}

std::uint32_t Server(std::uint32_t number) {
  return 0xcb007100 + number;
}

TEST(XtPairAffinity, EachGroupOfDestinationsHasItsLists) {
  const auto chains = LowerChoice(
      "voice", RememberingPairs(MakeChoice(Algorithm::kWeightedRandom, {1, 1})),
      kMask, {});
  const std::vector<std::string> root = Words(chains.at("UPL-FATE.voice"));
  ASSERT_EQ(root.size(), 16U);
  EXPECT_EQ(root[0], "-d 0.0.0.0/0.0.0.15 -g UPL-GROUP.voice.0");
  EXPECT_EQ(root[15], "-d 0.0.0.15/0.0.0.15 -g UPL-GROUP.voice.15");
  EXPECT_THAT(
      Words(chains.at("UPL-GROUP.voice.5")),
      ElementsAre("-m recent --name UPL-SAME.voice.1-5 --mask 255.255.255.255 "
                  "--rsource --rcheck --seconds 600 -g UPL-SAME.voice.1",
                  "-m recent --name UPL-SAME.voice.2-5 --mask 255.255.255.255 "
                  "--rsource --rcheck --seconds 600 -g UPL-SAME.voice.2",
                  "-m recent --name UPL-SAME.voice.1-5 --mask 255.255.255.255 "
                  "--rsource --remove",
                  "-m recent --name UPL-SAME.voice.2-5 --mask 255.255.255.255 "
                  "--rsource --remove",
                  "-g UPL-PICK.voice"));
  EXPECT_THAT(Words(chains.at("UPL-PICK.voice")),
              ElementsAre("-m statistic --mode random --probability "
                          "0.50000000000 -g UPL-SAME.voice.1",
                          "-g UPL-SAME.voice.2"));
  const std::vector<std::string> same = Words(chains.at("UPL-SAME.voice.2"));
  ASSERT_EQ(same.size(), 17U);
  EXPECT_EQ(same[5],
            "-d 0.0.0.5/0.0.0.15 -m recent --name UPL-SAME.voice.2-5 --mask "
            "255.255.255.255 --rsource --set");
  EXPECT_EQ(same[16], "-g UPL-MARK-2");
}

TEST(XtPairAffinity, APairKeepsItsUplinkUnderEveryAlgorithm) {
  RandomChoices random;
  for (const Algorithm algorithm : kChoosing) {
    for (int run = 0; run < 10; ++run) {
      Chooser chooser(RememberingPairs(random.Make(algorithm)));
      std::map<std::pair<std::uint32_t, std::uint32_t>, UplinkId> first;
      for (int round = 0; round < 3; ++round) {
        for (std::uint32_t i = 0; i < 200; ++i) {
          const auto pair = std::pair(Client(i % 10), Server(i / 10));
          const UplinkId got = chooser.Choose(pair.first, pair.second);
          EXPECT_NE(got, 0U);
          EXPECT_EQ(first.try_emplace(pair, got).first->second, got);
        }
        chooser.oracles().now += 400;
      }
    }
  }
}

TEST(XtPairAffinity, DestinationsOfOtherGroupsAreDecidedAnew) {
  Chooser chooser(
      RememberingPairs(MakeChoice(Algorithm::kRoundRobin, {1, 1, 1})));
  for (std::uint32_t server = 0; server < 16; ++server) {
    EXPECT_EQ(chooser.Choose(Client(1), Server(server)), server % 3 + 1);
  }
  // The seventeenth is of the first one's group.
  EXPECT_EQ(chooser.Choose(Client(1), Server(16)), 1U);
  chooser.oracles().now += 601;
  EXPECT_EQ(chooser.Choose(Client(1), Server(16)), 2U);
  EXPECT_EQ(chooser.Choose(Client(1), Server(0)), 2U);
  // And one client on one list of a group.
  int lists = 0;
  for (const auto& [name, clients] : chooser.oracles().clients) {
    if (name.ends_with("-0")) {
      lists += static_cast<int>(clients.count(Address::FromIpv4(Client(1))));
    }
  }
  EXPECT_EQ(lists, 1);
}

// An uplink that another one leads, by latency or by order, keeps its own.
TEST(XtAffinity, ClientsStayWithWhatIsPassedOver) {
  Choice choice = MakeChoice(Algorithm::kLowestLatency, {1});
  choice.memory = ClientMemory{{1, 2}, kLifetime};
  const auto chains = LowerChoice(kBalance, choice, kMask, {});
  EXPECT_THAT(Words(chains.at("UPL-FATE")),
              ElementsAre("-m recent --name UPL-SAME.1 --mask 255.255.255.255 "
                          "--rsource --rcheck "
                          "--seconds 600 -g UPL-SAME.1",
                          "-m recent --name UPL-SAME.2 --mask 255.255.255.255 "
                          "--rsource --rcheck "
                          "--seconds 600 -g UPL-SAME.2",
                          "-m recent --name UPL-SAME.1 --mask 255.255.255.255 "
                          "--rsource --remove",
                          "-m recent --name UPL-SAME.2 --mask 255.255.255.255 "
                          "--rsource --remove",
                          "-g UPL-SAME.1"));
  EXPECT_THAT(
      Words(chains.at("UPL-SAME.2")),
      ElementsAre(
          "-m recent --name UPL-SAME.2 --mask 255.255.255.255 --rsource --set",
          "-g UPL-MARK-2"));
}

TEST(XtAffinity, ALastResortIsNotRemembered) {
  Choice choice = MakeChoice(Algorithm::kWeightedRandom, {});
  const auto plain = LowerChoice(kBalance, choice, kMask, {});
  EXPECT_EQ(LowerChoice(kBalance, Remembering(choice), kMask, {}), plain);
}

}  // namespace
}  // namespace uplinkd
