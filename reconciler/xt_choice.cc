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
#include "reconciler/xt_affinity.h"

namespace uplinkd {
namespace {

using Chains = std::map<std::string, Chain>;
using Members = std::span<const Member>;

// The node of a tree that divides what is below `number` from the rest.
std::string NodeName(const std::string& root, std::uint64_t number) {
  return root + "." + std::to_string(number);
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

// `part` of `whole`, between 1 and whole - 1: every member that is to have a
// chance gets one.
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
  MemberTree(std::string root, Divide divide, Chains& chains)
      : root_(std::move(root)), divide_(divide), chains_(chains) {}

  // The root decides between `members`.
  void Write(Members members) { WriteNode(root_, members); }

 private:
  void WriteNode(const std::string& name, Members members) {
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
      const double low_weight = TotalWeight(low);
      const double high_weight = TotalWeight(high);
      if (low_weight == 0 || high_weight == 0) {
        // The side without a chance is left out; the other keeps its name.
        node.push_back(Goto(Child(low_weight == 0 ? high : low)));
      } else {
        divide_(low_weight / (low_weight + high_weight), pivot, Child(low),
                Child(high), node);
      }
    }
    chains_[name] = std::move(node);
  }

  // Where the choice between `members` goes on.
  std::string Child(Members members) {
    if (members.size() == 1) return MarkChainName(members.front().id);
    std::string name = NodeName(root_, PivotOf(members));
    WriteNode(name, members);
    return name;
  }

  std::string root_;
  Divide divide_;
  Chains& chains_;
};

// ---- round-robin: a tree over the turns of a cycle ----

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
  TurnTree(std::string root, std::string counter, Chains& chains)
      : root_(std::move(root)), counter_(std::move(counter)), chains_(chains) {}

  // Every packet first takes a number, 1 for the first one, then finds its
  // turn. A count beyond the cycle (two processors at once, or a cycle that
  // became shorter) is the last turn, which sets it back.
  void Write(Members members) {
    ChainRule take_number;
    take_number.matches = {Count(CounterMatch::Operation::kIncrement)};
    Chain node = {std::move(take_number)};
    Divide(RunsOf(members), true, node);
    chains_[root_] = std::move(node);
  }

 private:
  Match Count(CounterMatch::Operation operation, std::uint32_t hits = 0) const {
    return CounterMatch{counter_, operation, hits};
  }

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

  std::string Child(std::span<const Run> runs, bool ends_cycle) {
    const Run& first = runs.front();
    if (runs.size() == 1) {
      return ends_cycle ? WriteReset(first) : MarkChainName(first.member);
    }
    std::string name = NodeName(root_, runs[runs.size() / 2].first);
    Chain node;
    Divide(runs, ends_cycle, node);
    chains_[name] = std::move(node);
    return name;
  }

  // Nothing is divided at 0: the number is free for the end of the cycle.
  std::string WriteReset(const Run& last) {
    std::string name = NodeName(root_, 0);
    ChainRule reset;
    reset.matches = {Count(CounterMatch::Operation::kReset)};
    chains_[name] = {std::move(reset), Goto(MarkChainName(last.member))};
    return name;
  }

  std::string root_;
  std::string counter_;
  Chains& chains_;
};

// ---- what the kernel measures ----

FreeCapacityMatch::Side SideOf(
    const Member& member, const std::map<UplinkId, std::string>& estimators) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return {estimators.at(member.id),
          static_cast<std::uint32_t>(std::min(member.capacity, kMost))};
}

// ---- least-loaded: a tournament ----

class Tournament {
 public:
  Tournament(const std::string& policy, Members members,
             const std::map<UplinkId, std::string>& estimators, Chains& chains)
      : root_(FateChainName(policy)),
        tie_("UPL-FULL" + PolicySuffix(policy)),
        members_(members),
        estimators_(estimators),
        chains_(chains) {}

  void Write() {
    for (std::size_t i = 0; i < members_.size(); ++i) WriteChampion(i);
    MemberTree(tie_, ThrowDice, chains_).Write(members_);
  }

 private:
  std::string ChampionChain(std::size_t index) const {
    return index == 0 ? root_ : NodeName(root_, members_[index].id);
  }

  FreeCapacityMatch::Side Side(std::size_t index) const {
    return SideOf(members_[index], estimators_);
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
      chain.push_back(Goto(tie_, {FreeCapacityMatch{Side(0), std::nullopt}}));
    }
    chain.push_back(Goto(MarkChainName(members_[index].id)));
    chains_[ChampionChain(index)] = std::move(chain);
  }

  std::string root_;
  std::string tie_;
  Members members_;
  const std::map<UplinkId, std::string>& estimators_;
  Chains& chains_;
};

// ---- overflow: one after the other ----

FreeCapacityMatch IsFull(const Member& member,
                         const std::map<UplinkId, std::string>& estimators) {
  return {SideOf(member, estimators), std::nullopt};
}

// Each member has a chain: it is for a connection that found all before it
// full. The last takes what is left.
void WriteOverflow(const std::string& root, Members members,
                   const std::map<UplinkId, std::string>& estimators,
                   Chains& chains) {
  std::string name = root;
  for (std::size_t i = 0; i < members.size(); ++i) {
    Chain& chain = chains[name];
    if (i + 1 < members.size()) {
      name = NodeName(root, members[i + 1].id);
      chain.push_back(Goto(name, {IsFull(members[i], estimators)}));
    }
    chain.push_back(Goto(MarkChainName(members[i].id)));
  }
}

// The chains that decide between `members`, one at least.
Chains LowerDecision(const std::string& policy, const Choice& choice,
                     const std::map<UplinkId, std::string>& estimators) {
  Chains chains;
  const Members members(choice.members);
  const std::string root = FateChainName(policy);
  if (members.size() == 1) {
    chains[root] = {Goto(MarkChainName(members.front().id))};
    return chains;
  }
  switch (choice.algorithm) {
    case Algorithm::kLeastLoaded:
      Tournament(policy, members, estimators, chains).Write();
      break;
    case Algorithm::kWeightedRandom:
    case Algorithm::kLeastConnections:  // its shares are the weights
      MemberTree(root, ThrowDice, chains).Write(members);
      break;
    case Algorithm::kSourceHash:
      MemberTree(root, TossCoins, chains).Write(members);
      break;
    case Algorithm::kRoundRobin:
      TurnTree(root, TurnCounterName(policy), chains).Write(members);
      break;
    case Algorithm::kOverflow:
      WriteOverflow(root, members, estimators, chains);
      break;
    case Algorithm::kFailover:  // one member at most
    case Algorithm::kLowestLatency:
    case Algorithm::kMultipath:  // the route chooses
      break;
  }
  return chains;
}

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

ChainRule Goto(std::string_view chain, std::vector<Match> matches) {
  ChainRule rule;
  rule.matches = std::move(matches);
  rule.target = JumpTarget{.chain = std::string(chain), .go_to = true};
  return rule;
}

std::string PolicySuffix(const std::string& policy) {
  return policy == kBalance ? "" : "." + policy;
}

std::string FateChainName(const std::string& policy) {
  return "UPL-FATE" + PolicySuffix(policy);
}

bool IsChainOfChoice(std::string_view chain, const std::string& policy) {
  if (chain == PickChainName(policy)) return true;
  const std::string root = FateChainName(policy);
  if (!chain.starts_with(root)) return false;
  const std::string_view node = chain.substr(root.size());
  if (node.empty()) return true;
  // After the dot a number: names of policies begin with a letter.
  return node.size() > 1 && node.front() == '.' &&
         std::ranges::all_of(node.substr(1),
                             [](char c) { return c >= '0' && c <= '9'; });
}

// The mark is the packet's alone: the next attempt is a new decision.
ChainRule LastResortRule(LastResort last_resort, std::uint32_t mark_mask) {
  ChainRule rule;
  rule.target = ReturnTarget{};
  if (const std::optional<Mark> mark = MarkOf(mark_mask, last_resort)) {
    rule.target = SetMarkTarget{*mark};
  }
  return rule;
}

std::string TurnCounterName(const std::string& policy) {
  return "UPL-TURN" + PolicySuffix(policy);
}

std::map<std::string, Chain> LowerChoice(
    const std::string& policy, const Choice& choice, std::uint32_t mark_mask,
    const std::map<UplinkId, std::string>& estimators) {
  if (choice.members.empty()) {
    return {{FateChainName(policy),
             {LastResortRule(choice.last_resort, mark_mask)}}};
  }
  Chains chains = LowerDecision(policy, choice, estimators);
  if (choice.memory) RememberClients(policy, *choice.memory, chains);
  return chains;
}

}  // namespace uplinkd
