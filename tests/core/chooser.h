// Chooser: makes a choice in lowered chains again and again.
#ifndef UPLINKD_TESTS_CORE_CHOOSER_H_
#define UPLINKD_TESTS_CORE_CHOOSER_H_

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "reconciler/xt_choice.h"
#include "tests/core/xt_interpreter.h"

namespace uplinkd::testing {

inline constexpr std::uint32_t kMask = 0xff;

inline std::string EstimatorOf(UplinkId id) {
  return "u" + std::to_string(id);
}

// The address of a client.
inline std::uint32_t Client(std::uint32_t number) {
  return 0x0a000000 + number;
}

// The chains of a choice, hung in prerouting, with the mark chains that they
// go to.
inline XtTableState TableOf(const Choice& choice) {
  XtTableState table;
  std::map<UplinkId, std::string> estimators;
  for (const Member& member : choice.members) {
    estimators[member.id] = EstimatorOf(member.id);
    ChainRule set;
    set.target = SetMarkTarget{member.fate};
    ChainRule save;
    save.target = SaveMarkTarget{kMask};
    table.chains[MarkChainName(member.id)] = {set, save};
  }
  table.chains.merge(LowerChoice(kBalance, choice, kMask, estimators));
  ChainRule jump;
  jump.target = JumpTarget{FateChainName(kBalance), false};
  table.jumps[XtHook::kPrerouting] = {{0, jump}};
  return table;
}

inline Choice MakeChoice(Algorithm algorithm,
                         const std::vector<std::uint64_t>& weights) {
  Choice choice;
  choice.algorithm = algorithm;
  UplinkId id = 0;
  for (const std::uint64_t weight : weights) {
    ++id;
    choice.members.push_back({id, {id, kMask}, weight, weight});
  }
  return choice;
}

// Chooses again and again, with fair dice.
class Chooser {
 public:
  explicit Chooser(const Choice& choice) : table_(TableOf(choice)) {
    oracles_.dice = [this] { return dice_() & 0x7fffffffU; };
    oracles_.coin = SourceCoin;
    for (const Member& member : choice.members) {
      oracles_.rate[EstimatorOf(member.id)] = 0;
    }
  }

  // The fate of a new connection of this client.
  UplinkId Choose(std::uint32_t client = 0xc0a80a05,
                  std::uint32_t server = 0xc6336401) {
    Packet packet;
    packet.source = Address::FromIpv4(client);
    packet.destination = Address::FromIpv4(server);
    walk_ = XtInterpreter(table_, oracles_).Run(XtHook::kPrerouting, packet);
    EXPECT_EQ(packet.mark, packet.connmark);
    return packet.connmark;
  }

  // Of the last choice.
  const Walk& walk() const { return walk_; }
  Oracles& oracles() { return oracles_; }
  const XtTableState& table() const { return table_; }

 private:
  XtTableState table_;
  Oracles oracles_;
  std::mt19937 dice_{7};
  Walk walk_;
};

class RandomChoices {
 public:
  std::uint64_t Draw(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
  }

  Choice Make(Algorithm algorithm) {
    const std::uint64_t most = Draw(0, 20) == 0 ? 32 : 6;
    std::set<UplinkId> ids;
    const std::uint64_t count = Draw(1, most);
    while (ids.size() < count) ids.insert(static_cast<UplinkId>(Draw(1, 252)));
    constexpr std::uint64_t kHeaviest[] = {1, 5, 20, 100'000};
    const std::uint64_t heaviest = kHeaviest[Draw(0, 3)];
    Choice choice;
    choice.algorithm = algorithm;
    for (const UplinkId id : ids) {
      choice.members.push_back(
          {id, {id, kMask}, Draw(1, heaviest), Draw(0, 50) * 1'000'000});
    }
    return choice;
  }

 private:
  std::mt19937_64 random_{20261122};
};

inline constexpr Algorithm kChoosing[] = {
    Algorithm::kLeastLoaded,      Algorithm::kWeightedRandom,
    Algorithm::kRoundRobin,       Algorithm::kSourceHash,
    Algorithm::kLeastConnections, Algorithm::kOverflow};

inline int Log2(std::size_t count) {
  return static_cast<int>(std::ceil(std::log2(static_cast<double>(count))));
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_CHOOSER_H_
