// RandomState(): any rules that we could ever write.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using Operation = CounterMatch::Operation;

class RuleMaker {
 public:
  RuleMaker(Family family, std::mt19937& random)
      : family_(family), random_(random) {}

  std::uint32_t Below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  bool Coin() { return Below(2) == 0; }

  // `later`: chains that the rule may jump to.
  ChainRule Make(XtTable table, const std::vector<std::string>& later) {
    ChainRule rule;
    if (Below(4) == 0) rule.in_interface = "lan" + std::to_string(Below(9));
    if (Below(4) == 0) rule.out_interface = "wan" + std::to_string(Below(9));
    if (Coin()) rule.source = PrefixMatch{MakePrefix(), Coin()};
    if (Coin()) {
      rule.destination = PrefixMatch{MakePrefix(), Coin()};
    } else if (Coin()) {
      rule.destination_group =
          static_cast<std::uint8_t>(Below(kDestinationGroups));
    }
    // No kind twice: the program cannot read back what it prints of that.
    std::array<std::uint32_t, 11> kinds{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    std::ranges::shuffle(kinds, random_);
    for (std::uint32_t i = Below(4); i > 0; --i) {
      rule.matches.push_back(MakeMatch(kinds.at(i)));
      // Ports are those of a protocol.
      if (kinds.at(i) == 8) rule.protocol = Coin() ? IPPROTO_TCP : IPPROTO_UDP;
    }
    rule.target = MakeTarget(table, later);
    return rule;
  }

 private:
  std::uint32_t Any() { return static_cast<std::uint32_t>(random_()); }

  Address MakeAddress() {
    std::array<std::uint8_t, 16> bytes;
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(1 + Below(255));
    }
    return Address::FromBytes(family_, bytes);
  }

  Prefix MakePrefix() {
    const auto bits = static_cast<std::uint32_t>(FamilyBits(family_));
    return {MakeAddress(), static_cast<int>(1 + Below(bits))};
  }

  Mark MakeMark() {
    const std::uint32_t mask = Any();
    return {Any() & mask, mask};
  }

  // The program prints rates in bit/s, Kbit/s or Mbit/s, each without a
  // fraction: only such capacities come back from a saved table.
  FreeCapacityMatch::Side MakeSide() {
    const Chain estimators = SampleEstimators();
    const auto& target = std::get<EstimateTarget>(
        estimators.at(Below(static_cast<std::uint32_t>(estimators.size())))
            .target);
    const std::uint32_t capacity =
        Coin() ? Below(125000) : 125 * (1000 + Below(999000));
    return {target.estimator, capacity};
  }

  Match MakePorts() {
    PortsMatch match;
    match.invert = Coin();
    if (Coin()) match.side = PortsMatch::Side::kSource;
    for (std::uint32_t i = 1 + Below(7); i > 0; --i) {
      const auto first = static_cast<std::uint16_t>(Below(65000));
      const auto more = static_cast<std::uint16_t>(Coin() ? Below(500) : 0);
      match.ports.push_back({first, static_cast<std::uint16_t>(first + more)});
    }
    return match;
  }

  // As a rule's whole number of connections in a unit of time.
  Match MakeBudget() {
    constexpr std::array<std::uint64_t, 4> kUnits{1, 60, 3600, 86400};
    BudgetMatch match;
    match.interval = kUnits.at(Below(4)) * 1'000'000 / (1 + Below(1000));
    // At most what comes back in a day: more, the kernel does not count.
    const std::uint64_t most = 86400'000'000 / match.interval;
    match.burst =
        1 +
        Below(static_cast<std::uint32_t>(std::min<std::uint64_t>(most, 10000)));
    match.key = static_cast<LimitKey>(Below(4));
    match.invert = Coin();
    // The kernel keeps the parameters of a name that is in use.
    match.name = "upl-" + std::to_string(match.interval) + "-" +
                 std::to_string(match.burst) + "-" +
                 std::to_string(static_cast<int>(match.key));
    return match;
  }

  Match MakeCounter() {
    const std::string name = "list" + std::to_string(Below(3));
    switch (Below(3)) {
      case 0: return CounterMatch{name, Operation::kAtLeast, 1 + Below(255)};
      case 1: return CounterMatch{name, Operation::kIncrement, 0};
      default: return CounterMatch{name, Operation::kReset, 0};
    }
  }

  Match MakeClientList() {
    using Use = ClientListMatch::Operation;
    // The kernel keeps the mask of a list, which is another one in IPv6.
    const std::string name = (family_ == Family::kIpv6 ? "six" : "clients") +
                             std::to_string(Below(3));
    switch (Below(3)) {
      case 0: return ClientListMatch{name, Use::kHolds, 1 + Below(700'000)};
      case 1: return ClientListMatch{name, Use::kAdd, 0};
      default: return ClientListMatch{name, Use::kRemove, 0};
    }
  }

  Match MakeMatch(std::uint32_t kind) {
    switch (kind) {
      case 0: return MarkMatch{MakeMark(), Coin()};
      case 1: return ConnmarkMatch{MakeMark(), Coin()};
      case 2: return NewConnectionMatch{};
      case 3: return RandomMatch{Below(0x80000001)};
      case 4: return SourceCoinMatch{Any(), Coin()};
      case 5: return Coin() ? MakeCounter() : MakeClientList();
      case 7: return DscpMatch{static_cast<std::uint8_t>(Below(64)), Coin()};
      case 8: return MakePorts();
      case 9: {
        const std::uint32_t first = Below(70000);
        return OwnerMatch{{first, first + Below(3)}, Coin()};
      }
      case 10: return MakeBudget();
      default: {
        FreeCapacityMatch match{MakeSide(), std::nullopt};
        if (Coin()) match.right = MakeSide();
        return match;
      }
    }
  }

  Target MakeTarget(XtTable table, const std::vector<std::string>& later) {
    if (!later.empty() && Below(20) == 0) {
      return JumpTarget{
          later.at(Below(static_cast<std::uint32_t>(later.size()))), Coin()};
    }
    if (Below(5) == 0) return ReturnTarget{};
    if (Below(5) == 0) return ContinueTarget{};
    if (table == NatOf(family_)) {
      if (Coin()) return MasqueradeTarget{};
      if (Coin()) return NetmapTarget{MakePrefix()};
      return SnatTarget{MakeAddress()};
    }
    const std::uint32_t mask = Any();
    switch (Below(3)) {
      case 0: return SetMarkTarget{MakeMark()};
      case 1: return SaveMarkTarget{mask};
      default: return RestoreMarkTarget{mask};
    }
  }

  Family family_;
  std::mt19937& random_;
};

}  // namespace

XtTableState RandomState(XtTable table, std::size_t count,
                         std::mt19937& random) {
  constexpr std::size_t kRulesPerChain = 50;
  std::vector<std::string> names;
  for (std::size_t i = 0; i * kRulesPerChain < count; ++i) {
    names.push_back("UPL-" + std::to_string(100 + i));
  }
  RuleMaker maker(FamilyOf(table), random);
  XtTableState state;
  state.chains["UPL-00"] = SampleEstimators();
  while (!names.empty()) {
    const std::string name = names.front();
    names.erase(names.begin());
    Chain& chain = state.chains[name];
    for (std::size_t i = 0; i < kRulesPerChain && count > 0; ++i, --count) {
      chain.push_back(maker.Make(table, names));
    }
  }
  state.jumps[XtHook::kPostrouting] = {{0, JumpTo("UPL-100")}};
  return state;
}

}  // namespace uplinkd
