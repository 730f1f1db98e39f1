#include "reconciler/trace.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include "reconciler/render.h"
#include "reconciler/source_coin.h"

namespace uplinkd {
namespace {

// Whether something holds: for sure, for sure not, or with a chance.
struct Answer {
  bool sure = true;
  bool holds = true;
  std::optional<double> chance;
  std::string_view decided_by;

  static Answer Of(bool holds) { return {true, holds, {}, {}}; }
  static Answer Perhaps(std::optional<double> chance, std::string_view by) {
    return {false, false, chance, by};
  }
  bool IsNo() const { return sure && !holds; }
};

// Both must hold.
Answer And(const Answer& a, const Answer& b) {
  if (a.IsNo() || b.IsNo()) return Answer::Of(false);
  if (a.sure) return b;
  if (b.sure) return a;
  std::optional<double> chance;
  if (a.chance && b.chance) chance = *a.chance * *b.chance;
  return Answer::Perhaps(chance, a.decided_by);
}

class MatchAnswer {
 public:
  MatchAnswer(const Flow& flow, std::uint32_t mark, std::uint32_t connmark)
      : flow_(flow), mark_(mark), connmark_(connmark) {}

  Answer operator()(const MarkMatch& match) const {
    return Answer::Of(((mark_ & match.mark.mask) == match.mark.value) !=
                      match.invert);
  }
  Answer operator()(const ConnmarkMatch& match) const {
    return Answer::Of(((connmark_ & match.mark.mask) == match.mark.value) !=
                      match.invert);
  }
  Answer operator()(const NewConnectionMatch&) const {
    return Answer::Of(true);
  }
  Answer operator()(const RandomMatch& match) const {
    constexpr double kCertain = 2147483648.0;  // 2^31
    return Answer::Perhaps(match.threshold / kCertain, "at random");
  }
  Answer operator()(const SourceCoinMatch& match) const {
    // The kernel hashes IPv6 addresses in another way.
    if (flow_.source.family() == Family::kIpv6) {
      return Answer::Perhaps(0.5, "by the client's address");
    }
    return Answer::Of(SourceCoin(match.seed, flow_.source) != match.invert);
  }
  Answer operator()(const CounterMatch& match) const {
    if (match.operation == CounterMatch::Operation::kIncrement) {
      return Answer::Of(true);
    }
    return Answer::Perhaps({}, "in turn");
  }
  Answer operator()(const FreeCapacityMatch&) const {
    return Answer::Perhaps({}, "by the measured rates");
  }
  Answer operator()(const PortsMatch& match) const {
    const std::uint16_t port = match.side == PortsMatch::Side::kSource
                                   ? flow_.source_port
                                   : flow_.destination_port;
    const bool listed =
        std::ranges::any_of(match.ports, [port](const PortRange& range) {
          return range.first <= port && port <= range.last;
        });
    return Answer::Of(listed != match.invert);
  }
  Answer operator()(const DscpMatch& match) const {
    return Answer::Of((match.dscp == flow_.dscp) != match.invert);
  }
  Answer operator()(const MacMatch& match) const {
    if (!flow_.source_mac) {
      return Answer::Perhaps({}, "by the sender's hardware address");
    }
    return Answer::Of((match.source == *flow_.source_mac) != match.invert);
  }
  Answer operator()(const OwnerMatch& match) const {
    const bool within =
        match.uid.first <= flow_.uid && flow_.uid <= match.uid.last;
    return Answer::Of(within != match.invert);
  }
  Answer operator()(const BudgetMatch&) const {
    return Answer::Perhaps({}, "by what is left of a limit");
  }
  Answer operator()(const ClientListMatch& match) const {
    if (match.operation == ClientListMatch::Operation::kAdd) {
      return Answer::Of(true);
    }
    return Answer::Perhaps({}, "by what the client had before");
  }
  Answer operator()(const IpsetMatch&) const {
    return Answer::Perhaps({}, "by what is in an ipset");
  }
  Answer operator()(const OpaqueMatch&) const {
    return Answer::Perhaps({}, "by a rule that uplinkd did not write");
  }

 private:
  const Flow& flow_;
  std::uint32_t mark_;
  std::uint32_t connmark_;
};

bool Holds(const std::optional<PrefixMatch>& match, const Address& address) {
  return !match || match->prefix.Contains(address) != match->invert;
}

bool Holds(const std::optional<std::uint8_t>& group, const Address& address) {
  return !group || DestinationGroup(address) == *group;
}

bool Holds(const std::string& interface, const std::string& is) {
  return interface.empty() || interface == is;
}

// Where the walk is: a chain, and the number of the next rule.
struct Place {
  std::string chain;
  std::size_t next = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

// All that the rest of the walk depends on.
struct Position {
  std::vector<Place> stack;  // the last one is where it is
  std::uint32_t mark = 0;
  std::uint32_t connmark = 0;

  friend auto operator<=>(const Position&, const Position&) = default;
};

using Chances = std::map<std::uint32_t, std::optional<double>>;

// Adds what comes out of a branch that is taken with that chance.
void AddBranch(const Chances& branch, std::optional<double> chance,
               Chances& all) {
  for (const auto& [mark, known] : branch) {
    std::optional<double> part;
    if (chance && known) part = *chance * *known;
    const auto [entry, is_new] = all.try_emplace(mark, part);
    if (is_new) continue;
    if (entry->second && part) {
      *entry->second += *part;
    } else {
      entry->second.reset();
    }
  }
}

class Walker {
 public:
  Walker(const XtTableState& table, const Flow& flow)
      : table_(table), flow_(flow) {}

  Trace Run(XtHook hook) {
    Position start;
    start.mark = flow_.mark;
    start.connmark = flow_.connmark;
    const auto jumps = table_.jumps.find(hook);
    if (jumps != table_.jumps.end()) {
      const HookJump& jump = jumps->second.front();
      trace_.steps.push_back({std::string(XtHookName(hook)), jump.position + 1,
                              RenderChainRule(jump.rule)});
      start.stack = {{std::get<JumpTarget>(jump.rule.target).chain, 0}};
    }
    for (const auto& [mark, chance] : Walk(std::move(start))) {
      trace_.outcomes.push_back({mark, chance});
    }
    return std::move(trace_);
  }

 private:
  // Every way from there on.
  Chances Walk(Position position) {
    while (!position.stack.empty()) {
      const ChainRule* rule = Next(position);
      if (rule == nullptr) {
        position.stack.pop_back();
        continue;
      }
      const Answer answer = Ask(*rule, position);
      if (answer.IsNo()) continue;
      const bool matters =
          !std::holds_alternative<ContinueTarget>(rule->target);
      if (!answer.sure && matters) return Fork(*rule, answer, position);
      if (answer.sure) Tell(*rule, position);
      if (matters && Act(*rule, position)) break;
    }
    return {{position.mark, 1.0}};
  }

  const ChainRule* Next(Position& position) const {
    Place& place = position.stack.back();
    const auto chain = table_.chains.find(place.chain);
    if (chain == table_.chains.end() || place.next >= chain->second.size()) {
      return nullptr;
    }
    return &chain->second[place.next++];
  }

  Answer Ask(const ChainRule& rule, const Position& position) const {
    if (!Holds(rule.in_interface, flow_.in_interface) ||
        !Holds(rule.out_interface, flow_.out_interface) ||
        !Holds(rule.source, flow_.source) ||
        !Holds(rule.destination, flow_.destination) ||
        !Holds(rule.destination_group, flow_.destination) ||
        (rule.protocol != 0 && rule.protocol != flow_.protocol)) {
      return Answer::Of(false);
    }
    Answer answer = Answer::Of(true);
    const MatchAnswer ask(flow_, position.mark, position.connmark);
    for (const Match& match : rule.matches) {
      answer = And(answer, std::visit(ask, match));
    }
    return answer;
  }

  void Tell(const ChainRule& rule, const Position& position) {
    if (!trace_.decided_by.empty()) return;
    const Place& place = position.stack.back();
    trace_.steps.push_back({place.chain, place.next, RenderChainRule(rule)});
  }

  // Both ways, each once: many lead to the same place.
  Chances Fork(const ChainRule& rule, const Answer& answer, Position position) {
    if (trace_.decided_by.empty()) trace_.decided_by = answer.decided_by;
    const auto known = known_.find(position);
    if (known != known_.end()) return known->second;
    Position taken = position;
    const bool ends = Act(rule, taken);
    Chances all;
    AddBranch(ends ? Chances{{taken.mark, 1.0}} : Walk(std::move(taken)),
              answer.chance, all);
    std::optional<double> rest;
    if (answer.chance) rest = 1 - *answer.chance;
    AddBranch(Walk(position), rest, all);
    known_.emplace(std::move(position), all);
    return all;
  }

  // True: the walk through this table ends here.
  static bool Act(const ChainRule& rule, Position& position) {
    const Target& target = rule.target;
    if (std::holds_alternative<ReturnTarget>(target)) {
      position.stack.pop_back();
    } else if (const auto* jump = std::get_if<JumpTarget>(&target)) {
      if (jump->go_to) position.stack.pop_back();
      position.stack.push_back({jump->chain, 0});
    } else if (const auto* set = std::get_if<SetMarkTarget>(&target)) {
      position.mark = (position.mark & ~set->mark.mask) ^ set->mark.value;
    } else if (const auto* save = std::get_if<SaveMarkTarget>(&target)) {
      position.connmark =
          (position.connmark & ~save->mask) | (position.mark & save->mask);
    } else if (const auto* restore = std::get_if<RestoreMarkTarget>(&target)) {
      position.mark = (position.mark & ~restore->mask) |
                      (position.connmark & restore->mask);
    } else if (std::holds_alternative<EstimateTarget>(target)) {
      return false;
    } else {  // a translation, or a verdict of somebody else's
      return true;
    }
    return false;
  }

  const XtTableState& table_;
  const Flow& flow_;
  Trace trace_;
  std::map<Position, Chances> known_;
};

}  // namespace

Trace TracePacket(const XtTableState& table, XtHook hook, const Flow& flow) {
  return Walker(table, flow).Run(hook);
}

}  // namespace uplinkd
