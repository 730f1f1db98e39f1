#include "reconciler/xt_choice.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "reconciler/turns.h"

namespace uplinkd {
namespace {

using Chains = std::map<std::string, Chain>;
using Members = std::span<const Member>;

ChainRule Goto(const std::string& chain, std::vector<Match> matches = {}) {
  ChainRule rule;
  rule.matches = std::move(matches);
  rule.target = JumpTarget{.chain = chain, .go_to = true};
  return rule;
}

std::string Numbered(std::string_view base, std::uint64_t first,
                     std::uint64_t last) {
  return std::string(base) + "-" + std::to_string(first) + "-" +
         std::to_string(last);
}

double TotalWeight(Members members) {
  double total = 0;
  for (const Member& member : members) {
    total += static_cast<double>(member.weight);
  }
  return total;
}

// ---- weighted-random and source-hash: a tree over the members' ids ----

// Members are divided at the highest bit in which their ids differ. So a node
// of the tree is the same node whoever else is a member.
UplinkId PivotOf(Members members) {
  const UplinkId low = members.front().id;
  const UplinkId high = members.back().id;
  const int bit = static_cast<int>(std::bit_width(low ^ high)) - 1;
  return high >> bit << bit;
}

// `part` of `whole`, between 1 and whole - 1: every member gets its chance.
std::uint32_t Portion(double part, std::uint32_t whole) {
  const auto exact = static_cast<std::int64_t>(std::llround(part * whole));
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(exact, 1, std::int64_t{whole} - 1));
}

// One throw of the kernel's dice.
void ThrowDice(double chance, UplinkId /*pivot*/, const std::string& low,
               const std::string& high, Chain& node) {
  constexpr std::uint32_t kCertain = 0x80000000;
  node.push_back(
      Goto(low, {RandomMatch{.threshold = Portion(chance, kCertain)}}));
  node.push_back(Goto(high));
}

// A number whose bits are coins of the client is compared with the chance, bit
// by bit from the highest: the first bit that differs decides, on average the
// second. Nothing is left to compare once the rest of the chance is zero.
void TossCoins(double chance, UplinkId pivot, const std::string& low,
               const std::string& high, Chain& node) {
  constexpr int kBits = 10;
  std::uint32_t rest = Portion(chance, 1U << kBits);
  for (int bit = 0; rest != 0; ++bit) {
    constexpr std::uint32_t kTop = 1U << (kBits - 1);
    const bool chance_bit = (rest & kTop) != 0;
    node.push_back(Goto(
        chance_bit ? low : high,
        {SourceCoinMatch{.seed = CoinSeed(pivot, bit), .invert = chance_bit}}));
    rest = (rest << 1) & ((1U << kBits) - 1);
  }
  node.push_back(Goto(high));
}

using Divide = void (*)(double, UplinkId, const std::string&,
                        const std::string&, Chain&);

class MemberTree {
 public:
  MemberTree(std::string_view name, Divide divide, Chains& chains)
      : name_(name), divide_(divide), chains_(chains) {}

  // The chain `name` decides between `members`.
  void Write(const std::string& name, Members members) {
    Chain node;
    if (members.size() == 1) {
      node.push_back(Goto(MarkChainName(members.front().id)));
    } else {
      const UplinkId pivot = PivotOf(members);
      const auto first_high = std::partition_point(
          members.begin(), members.end(),
          [pivot](const Member& member) { return member.id < pivot; });
      const auto count = static_cast<std::size_t>(first_high - members.begin());
      const Members low = members.first(count);
      const Members high = members.subspan(count);
      divide_(TotalWeight(low) / TotalWeight(members), pivot, Child(low),
              Child(high), node);
    }
    chains_[name] = std::move(node);
  }

 private:
  // Where the choice between `members` goes on.
  std::string Child(Members members) {
    if (members.size() == 1) return MarkChainName(members.front().id);
    std::string name = Numbered(name_, members.front().id, members.back().id);
    Write(name, members);
    return name;
  }

  std::string_view name_;
  Divide divide_;
  Chains& chains_;
};

// ---- round-robin: a tree over the turns of a cycle ----

Match Count(CounterMatch::Operation operation, std::uint32_t hits = 0) {
  return CounterMatch{std::string(kTurnCounter), operation, hits};
}

// Turns `first` to `last` (counted from 1), all of them `member`'s.
struct Run {
  std::uint32_t first = 1;
  std::uint32_t last = 1;
  UplinkId member = 0;
};

std::vector<Run> RunsOf(Members members) {
  std::vector<std::uint64_t> weights;
  for (const Member& member : members) weights.push_back(member.weight);
  const std::vector<std::size_t> cycle = SmoothCycle(TurnsPerCycle(weights));
  std::vector<Run> runs;
  std::uint32_t turn = 0;
  for (const std::size_t index : cycle) {
    const UplinkId member = members[index].id;
    ++turn;
    // The last turn starts the count anew, so it stands alone.
    if (!runs.empty() && runs.back().member == member && turn < cycle.size()) {
      runs.back().last = turn;
    } else {
      runs.push_back({turn, turn, member});
    }
  }
  return runs;
}

class TurnTree {
 public:
  explicit TurnTree(Chains& chains) : chains_(chains) {}

  // Appends to `node` the decision between `runs`, two or more.
  void Divide(std::span<const Run> runs, bool ends_cycle, Chain& node) {
    const std::size_t half = runs.size() / 2;
    const std::span<const Run> early = runs.first(half);
    const std::span<const Run> late = runs.subspan(half);
    node.push_back(
        Goto(Child(late, ends_cycle),
             {Count(CounterMatch::Operation::kAtLeast, late.front().first)}));
    node.push_back(Goto(Child(early, false)));
  }

 private:
  std::string Child(std::span<const Run> runs, bool ends_cycle) {
    const Run& first = runs.front();
    if (runs.size() == 1 && !ends_cycle) return MarkChainName(first.member);
    std::string name = Numbered(kFateChain, first.first, runs.back().last);
    Chain node;
    if (runs.size() == 1) {
      ChainRule reset;
      reset.matches = {Count(CounterMatch::Operation::kReset)};
      node.push_back(std::move(reset));
      node.push_back(Goto(MarkChainName(first.member)));
    } else {
      Divide(runs, ends_cycle, node);
    }
    chains_[name] = std::move(node);
    return name;
  }

  Chains& chains_;
};

// Every packet first takes a number, 1 for the first one, then finds its turn.
// A count beyond the cycle (two processors at once, or a cycle that became
// shorter) is the last turn, which sets it back.
void WriteTurns(Members members, Chains& chains) {
  ChainRule take_number;
  take_number.matches = {Count(CounterMatch::Operation::kIncrement)};
  Chain root = {std::move(take_number)};
  TurnTree(chains).Divide(RunsOf(members), true, root);
  chains[std::string(kFateChain)] = std::move(root);
}

// ---- least-loaded: a tournament ----

class Tournament {
 public:
  Tournament(Members members, const std::map<UplinkId, std::string>& estimators,
             Chains& chains)
      : members_(members), estimators_(estimators), chains_(chains) {}

  void Write() {
    for (std::size_t i = 0; i < members_.size(); ++i) WriteChampion(i);
    MemberTree(kTie, ThrowDice, chains_).Write(std::string(kTie), members_);
  }

 private:
  static constexpr std::string_view kTie = "UPL-FATE-FULL";

  std::string ChampionChain(std::size_t index) const {
    if (index == 0) return std::string(kFateChain);
    return std::string(kFateChain) + "-" + std::to_string(members_[index].id);
  }

  FreeCapacityMatch::Side Side(std::size_t index) const {
    const Member& member = members_[index];
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    return {estimators_.at(member.id),
            static_cast<std::uint32_t>(std::min(member.capacity, kMost))};
  }

  // Nobody before `index` has more free capacity than it. Once a later one
  // has, that one carries on.
  void WriteChampion(std::size_t index) {
    Chain chain;
    chain.reserve(members_.size() - index + 1);
    for (std::size_t later = index + 1; later < members_.size(); ++later) {
      chain.push_back(Goto(ChampionChain(later),
                           {FreeCapacityMatch{Side(later), Side(index)}}));
    }
    if (index == 0) {
      chain.push_back(
          Goto(std::string(kTie), {FreeCapacityMatch{Side(0), std::nullopt}}));
    }
    chain.push_back(Goto(MarkChainName(members_[index].id)));
    chains_[ChampionChain(index)] = std::move(chain);
  }

  Members members_;
  const std::map<UplinkId, std::string>& estimators_;
  Chains& chains_;
};

}  // namespace

std::string MarkChainName(UplinkId id) {
  return "UPL-MARK-" + std::to_string(id);
}

std::uint32_t CoinSeed(UplinkId pivot, int bit) {
  // The finalizer of MurmurHash3, so that neighbours share no pattern.
  std::uint32_t seed = pivot * 16 + static_cast<std::uint32_t>(bit) + 1;
  seed ^= seed >> 16;
  seed *= 0x85ebca6b;
  seed ^= seed >> 13;
  seed *= 0xc2b2ae35;
  seed ^= seed >> 16;
  return seed;
}

std::map<std::string, Chain> LowerChoice(
    const Choice& choice, const std::map<UplinkId, std::string>& estimators) {
  Chains chains;
  const Members members(choice.members);
  if (members.empty()) return chains;
  const std::string root(kFateChain);
  if (members.size() == 1) {
    chains[root] = {Goto(MarkChainName(members.front().id))};
    return chains;
  }
  switch (choice.algorithm) {
    case Algorithm::kLeastLoaded:
      Tournament(members, estimators, chains).Write();
      break;
    case Algorithm::kWeightedRandom:
      MemberTree(kFateChain, ThrowDice, chains).Write(root, members);
      break;
    case Algorithm::kSourceHash:
      MemberTree(kFateChain, TossCoins, chains).Write(root, members);
      break;
    case Algorithm::kRoundRobin: WriteTurns(members, chains); break;
    case Algorithm::kMultipath: break;  // the route chooses
  }
  return chains;
}

}  // namespace uplinkd
