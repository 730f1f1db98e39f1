// XtInterpreter: walks a packet through chains as the kernel would.
//
// Knows every match and target that the lowering writes; dice, coins, counters
// and rates are the test's. Counts the rules that a packet is held against.
#ifndef UPLINKD_TESTS_CORE_XT_INTERPRETER_H_
#define UPLINKD_TESTS_CORE_XT_INTERPRETER_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/source_coin.h"
#include "tests/core/builders.h"

namespace uplinkd::testing {

struct Packet {
  std::string in_interface;
  std::string out_interface;
  Address source;
  Address destination;
  std::uint8_t protocol = 6;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t dscp = 0;
  MacAddress source_mac{};
  std::uint32_t uid = 0;  // of the program that sends it
  bool is_new = true;
  std::uint32_t mark = 0;
  std::uint32_t connmark = 0;  // of its connection
};

// Of a client, to somewhere.
inline Packet LanPacket(std::string_view destination = "192.0.2.80") {
  Packet packet;
  packet.in_interface = "lan0";
  packet.source = Ip("192.168.10.5");
  packet.destination = Ip(destination);
  return packet;
}

// The kernel's side of the matches.
struct Oracles {
  std::function<std::uint32_t()> dice;           // 31 bits
  std::map<std::string, std::uint32_t> counter;  // xt_recent, by list
  // xt_recent as lists of clients: when each was added, by list.
  std::map<std::string, std::map<Address, std::uint32_t>> clients;
  std::uint32_t now = 0;                      // seconds, the age of clients
  std::map<std::string, std::uint32_t> rate;  // bytes/s, by estimator
  std::map<std::string, std::set<Address>> ipsets;  // their members
  std::map<std::string, std::uint32_t> budget;  // left, by xt_hashlimit's name
  // Whether the coin of this seed shows heads for a client.
  std::function<bool(std::uint32_t seed, const Address& client)> coin;
};

// What happened to a packet in one hook.
struct Walk {
  std::map<std::string, int> rules;                // held against, by chain
  int marks_set = 0;                               // MARK targets
  std::map<std::string, std::uint64_t> estimated;  // packets, by estimator

  int Total() const {
    int total = 0;
    for (const auto& [chain, count] : rules) total += count;
    return total;
  }
  // Those of the choice alone.
  int Choice() const {
    int total = 0;
    for (const auto& [chain, count] : rules) {
      if (chain.starts_with("UPL-FATE")) total += count;
    }
    return total;
  }
};

class XtInterpreter {
 public:
  XtInterpreter(const XtTableState& table, Oracles& oracles)
      : table_(table), oracles_(oracles) {}

  // Jumps of ours in the hook, one after the other.
  Walk Run(XtHook hook, Packet& packet) {
    Walk walk;
    const auto jumps = table_.jumps.find(hook);
    if (jumps == table_.jumps.end()) return walk;
    for (const HookJump& jump : jumps->second) {
      RunChain(std::get<JumpTarget>(jump.rule.target).chain, packet, walk, 0);
    }
    return walk;
  }

 private:
  // A goto leaves nothing behind to come back to, so it is a jump whose return
  // ends this chain too.
  void RunChain(const std::string& name, Packet& packet, Walk& walk,
                int depth) {
    if (depth > 2000) throw std::runtime_error("loop at " + name);
    const auto chain = table_.chains.find(name);
    if (chain == table_.chains.end()) throw std::runtime_error("no " + name);
    for (const ChainRule& rule : chain->second) {
      ++walk.rules[name];
      if (!Matches(rule, packet)) continue;
      if (std::holds_alternative<ReturnTarget>(rule.target)) return;
      if (const auto* jump = std::get_if<JumpTarget>(&rule.target)) {
        RunChain(jump->chain, packet, walk, depth + 1);
        if (jump->go_to) return;
        continue;
      }
      Act(rule.target, packet, walk);
    }
  }

  static bool Matches(const std::optional<PrefixMatch>& match,
                      const Address& address) {
    return !match || match->prefix.Contains(address) != match->invert;
  }

  bool Matches(const ChainRule& rule, const Packet& packet) {
    if (!rule.in_interface.empty() &&
        rule.in_interface != packet.in_interface) {
      return false;
    }
    if (!rule.out_interface.empty() &&
        rule.out_interface != packet.out_interface) {
      return false;
    }
    if (rule.protocol != 0 && rule.protocol != packet.protocol) return false;
    if (!Matches(rule.source, packet.source)) return false;
    if (!Matches(rule.destination, packet.destination)) return false;
    if (rule.destination_group &&
        DestinationGroup(packet.destination) != *rule.destination_group) {
      return false;
    }
    for (const Match& match : rule.matches) {
      const bool hit =
          std::visit([&](const auto& m) { return Matches(m, packet); }, match);
      if (!hit) return false;
    }
    return true;
  }

  static bool Matches(const MarkMatch& match, const Packet& packet) {
    return ((packet.mark & match.mark.mask) == match.mark.value) !=
           match.invert;
  }
  static bool Matches(const ConnmarkMatch& match, const Packet& packet) {
    return ((packet.connmark & match.mark.mask) == match.mark.value) !=
           match.invert;
  }
  static bool Matches(const NewConnectionMatch& /*match*/,
                      const Packet& packet) {
    return packet.is_new;
  }
  bool Matches(const RandomMatch& match, const Packet& /*packet*/) {
    return oracles_.dice() < match.threshold;
  }
  bool Matches(const SourceCoinMatch& match, const Packet& packet) {
    return oracles_.coin(match.seed, packet.source) != match.invert;
  }
  bool Matches(const CounterMatch& match, const Packet& /*packet*/) {
    std::uint32_t& count = oracles_.counter[match.name];
    switch (match.operation) {
      case CounterMatch::Operation::kAtLeast: return count >= match.hits;
      case CounterMatch::Operation::kIncrement: ++count; return true;
      case CounterMatch::Operation::kReset: {
        const bool was_there = count != 0;
        count = 0;
        return was_there;
      }
    }
    return false;
  }
  bool Matches(const ClientListMatch& match, const Packet& packet) {
    std::map<Address, std::uint32_t>& list = oracles_.clients[match.name];
    switch (match.operation) {
      case ClientListMatch::Operation::kHolds: {
        const auto client = list.find(packet.source);
        return client != list.end() &&
               oracles_.now - client->second <= match.seconds;
      }
      case ClientListMatch::Operation::kAdd:
        list[packet.source] = oracles_.now;
        return true;
      case ClientListMatch::Operation::kRemove:
        return list.erase(packet.source) != 0;
    }
    return false;
  }
  std::uint32_t Free(const FreeCapacityMatch::Side& side) const {
    const std::uint32_t rate = oracles_.rate.at(side.estimator);
    return side.capacity > rate ? side.capacity - rate : 0;
  }
  bool Matches(const FreeCapacityMatch& match, const Packet& /*packet*/) {
    return match.right ? Free(match.left) > Free(*match.right)
                       : Free(match.left) == 0;
  }
  static bool Matches(const PortsMatch& match, const Packet& packet) {
    const std::uint16_t port = match.side == PortsMatch::Side::kSource
                                   ? packet.source_port
                                   : packet.destination_port;
    const bool hit =
        std::ranges::any_of(match.ports, [port](const PortRange& range) {
          return range.first <= port && port <= range.last;
        });
    return hit != match.invert;
  }
  static bool Matches(const DscpMatch& match, const Packet& packet) {
    return (match.dscp == packet.dscp) != match.invert;
  }
  static bool Matches(const MacMatch& match, const Packet& packet) {
    return (match.source == packet.source_mac) != match.invert;
  }
  static bool Matches(const OwnerMatch& match, const Packet& packet) {
    const bool hit =
        match.uid.first <= packet.uid && packet.uid <= match.uid.last;
    return hit != match.invert;
  }
  bool Matches(const IpsetMatch& match, const Packet& packet) {
    const Address& address = match.side == IpsetMatch::Side::kSource
                                 ? packet.source
                                 : packet.destination;
    return oracles_.ipsets[match.set].contains(address) != match.invert;
  }
  // The budgets of a test know neither time nor addresses.
  bool Matches(const BudgetMatch& match, const Packet& /*packet*/) {
    const auto known = oracles_.budget.try_emplace(match.name, match.burst);
    std::uint32_t& left = known.first->second;
    const bool within = left > 0;
    if (within) --left;
    return within != match.invert;
  }
  static bool Matches(const OpaqueMatch& match, const Packet& /*packet*/) {
    throw std::runtime_error("opaque " + match.text);
  }

  static void Act(const Target& target, Packet& packet, Walk& walk) {
    if (const auto* set = std::get_if<SetMarkTarget>(&target)) {
      packet.mark = (packet.mark & ~set->mark.mask) ^ set->mark.value;
      ++walk.marks_set;
    } else if (const auto* save = std::get_if<SaveMarkTarget>(&target)) {
      packet.connmark =
          (packet.connmark & ~save->mask) | (packet.mark & save->mask);
    } else if (const auto* restore = std::get_if<RestoreMarkTarget>(&target)) {
      packet.mark =
          (packet.mark & ~restore->mask) | (packet.connmark & restore->mask);
    } else if (const auto* estimate = std::get_if<EstimateTarget>(&target)) {
      ++walk.estimated[estimate->estimator];
    } else if (!std::holds_alternative<ContinueTarget>(target)) {
      throw std::runtime_error("a target that mangle does not have");
    }
  }

  const XtTableState& table_;
  Oracles& oracles_;
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_XT_INTERPRETER_H_
