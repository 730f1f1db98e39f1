#include "reconciler/xt_traffic.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include "reconciler/short_digest.h"
#include "reconciler/xt_choice.h"

namespace uplinkd {
namespace {

// A field of a match: the chain rules (without a target) that stand for its
// values, any of which may hold.
using Field = std::vector<ChainRule>;

Target GotoTarget(std::string chain) {
  return JumpTarget{.chain = std::move(chain), .go_to = true};
}

// As many matches as the ports need.
Field FieldOfPorts(PortsMatch::Side side, const std::vector<PortRange>& ports,
                   std::uint8_t protocol) {
  Field field;
  std::size_t room = 0;
  for (const PortRange& range : ports) {
    const std::size_t needed = range.first == range.last ? 1 : 2;
    if (room < needed) {
      ChainRule& rule = field.emplace_back();
      rule.protocol = protocol;
      rule.matches = {PortsMatch{side, {}, false}};
      room = kMaxPorts;
    }
    std::get<PortsMatch>(field.back().matches[0]).ports.push_back(range);
    room -= needed;
  }
  return field;
}

template <typename Value, typename Make>
void AddField(const std::vector<Value>& values, Make make,
              std::vector<Field>& fields) {
  Field field;
  for (const Value& value : values) {
    ChainRule rule;
    make(value, rule);
    field.push_back(std::move(rule));
  }
  if (!field.empty()) fields.push_back(std::move(field));
}

void AddMatch(Match match, std::vector<Field>& fields) {
  fields.emplace_back().emplace_back().matches = {std::move(match)};
}

// The fields that `match` gives, but for its limit. `protocol` is the one that
// ports are of.
std::vector<Field> FieldsOf(const TrafficMatch& match, std::uint8_t protocol) {
  std::vector<Field> fields;
  if (!match.interface.empty()) {
    fields.emplace_back().emplace_back().in_interface = match.interface;
  }
  if (match.protocol) {
    fields.emplace_back().emplace_back().protocol = *match.protocol;
  }
  AddField(
      match.source,
      [](const Prefix& value, ChainRule& rule) { rule.source = {value}; },
      fields);
  AddField(
      match.destination,
      [](const Prefix& value, ChainRule& rule) { rule.destination = {value}; },
      fields);
  for (const auto& [side, ports] :
       {std::pair(PortsMatch::Side::kSource, &match.source_ports),
        std::pair(PortsMatch::Side::kDestination, &match.destination_ports)}) {
    if (!ports->empty()) {
      fields.push_back(FieldOfPorts(side, *ports, protocol));
    }
  }
  AddField(
      match.dscp,
      [](std::uint8_t value, ChainRule& rule) {
        rule.matches = {DscpMatch{value}};
      },
      fields);
  AddField(
      match.source_mac,
      [](const MacAddress& value, ChainRule& rule) {
        rule.matches = {MacMatch{value}};
      },
      fields);
  if (!match.source_set.empty()) {
    AddMatch(IpsetMatch{match.source_set, IpsetMatch::Side::kSource}, fields);
  }
  if (!match.destination_set.empty()) {
    AddMatch(IpsetMatch{match.destination_set, IpsetMatch::Side::kDestination},
             fields);
  }
  if (match.mark) AddMatch(MarkMatch{*match.mark}, fields);
  if (match.connmark) AddMatch(ConnmarkMatch{*match.connmark}, fields);
  AddField(
      match.uid,
      [](const UidRange& value, ChainRule& rule) {
        rule.matches = {OwnerMatch{value}};
      },
      fields);
  return fields;
}

// The name stands for the rule and these numbers.
ChainRule BudgetOf(const std::string& rule, const RateLimit& limit) {
  BudgetMatch match;
  match.interval = static_cast<std::uint64_t>(
                       std::chrono::microseconds(limit.unit).count()) /
                   limit.count;
  match.burst = limit.burst;
  match.key = limit.per;
  match.name = "upl-" + rule + "-" +
               ShortDigest(std::to_string(match.interval) + "/" +
                           std::to_string(limit.burst) + "/" +
                           std::to_string(static_cast<int>(limit.per)));
  ChainRule condition;
  condition.matches = {std::move(match)};
  return condition;
}

bool HasMatchLike(const ChainRule& rule, const Match& match) {
  return std::ranges::any_of(rule.matches, [&match](const Match& other) {
    return other.index() == match.index();
  });
}

// Adds the conditions of `more` to `rule`. False, and nothing added, if one
// chain rule cannot hold both: it has one place for each header field, and the
// program cannot read back two matches of one kind.
bool Join(const ChainRule& more, ChainRule& rule) {
  const bool clash =
      (!more.in_interface.empty() && !rule.in_interface.empty()) ||
      (more.source && rule.source) || (more.destination && rule.destination) ||
      (more.protocol != 0 && rule.protocol != 0 &&
       more.protocol != rule.protocol) ||
      std::ranges::any_of(more.matches, [&rule](const Match& match) {
        return HasMatchLike(rule, match);
      });
  if (clash) return false;
  if (!more.in_interface.empty()) rule.in_interface = more.in_interface;
  if (more.source) rule.source = more.source;
  if (more.destination) rule.destination = more.destination;
  if (more.protocol != 0) rule.protocol = more.protocol;
  rule.matches.insert(rule.matches.end(), more.matches.begin(),
                      more.matches.end());
  return true;
}

// The opposite of a chain rule with one condition, where it can be said.
std::optional<ChainRule> Opposite(const ChainRule& condition) {
  ChainRule opposite = condition;
  if (opposite.source) {
    opposite.source->invert = true;
  } else if (opposite.destination) {
    opposite.destination->invert = true;
  } else if (opposite.matches.empty()) {
    return std::nullopt;
  } else {
    std::visit(
        [](auto& match) {
          if constexpr (requires { match.invert; }) match.invert = true;
        },
        opposite.matches[0]);
  }
  return opposite;
}

// A rule taken apart.
struct Parts {
  ChainRule entry;               // all that one chain rule can say
  std::vector<ChainRule> stops;  // any of these that holds: no match
  std::vector<Field> stages;     // of each, one must hold

  bool Simple() const { return stops.empty() && stages.empty(); }
};

// The limits are asked last: only a connection for which all else holds may use
// up a budget.
void AddLimits(const TrafficIntent& rule, Parts& parts) {
  std::vector<ChainRule> limits;
  if (rule.match.limit) {
    limits.push_back(BudgetOf(rule.name, *rule.match.limit));
  }
  if (rule.except.limit) {
    limits.push_back(*Opposite(BudgetOf(rule.name, *rule.except.limit)));
  }
  for (const ChainRule& limit : limits) {
    if (!parts.Simple() || !Join(limit, parts.entry)) {
      parts.stages.push_back({limit});
    }
  }
}

Parts TakeApart(const TrafficIntent& rule) {
  Parts parts;
  const std::uint8_t protocol = rule.match.protocol.value_or(0);
  for (Field& field : FieldsOf(rule.match, protocol)) {
    if (field.size() != 1 || !Join(field[0], parts.entry)) {
      parts.stages.push_back(std::move(field));
    }
  }
  for (const Field& field : FieldsOf(rule.except, protocol)) {
    if (field.size() == 1) {
      const std::optional<ChainRule> opposite = Opposite(field[0]);
      if (opposite && Join(*opposite, parts.entry)) continue;
    }
    parts.stops.insert(parts.stops.end(), field.begin(), field.end());
  }
  AddLimits(rule, parts);
  return parts;
}

class TrafficLowering {
 public:
  explicit TrafficLowering(std::string_view line) : begin_(line), line_(line) {}

  std::map<std::string, Chain> Run(Chain before,
                                   const std::vector<TrafficIntent>& rules,
                                   const Target& otherwise) {
    chains_[line_] = std::move(before);
    for (const TrafficIntent& rule : rules) Write(rule);
    // A return at the end of a chain is what happens anyway.
    if (!std::holds_alternative<ReturnTarget>(otherwise)) {
      Add(line_, {}, otherwise);
    }
    return std::move(chains_);
  }

 private:
  void Add(const std::string& chain, ChainRule rule, Target target) {
    rule.target = std::move(target);
    chains_[chain].push_back(std::move(rule));
  }

  void Write(const TrafficIntent& rule) {
    const Parts parts = TakeApart(rule);
    const Target verdict = LowerVerdict(rule.verdict);
    if (parts.Simple()) return Add(line_, parts.entry, verdict);
    const std::string rest = begin_ + "." + rule.name;
    const std::string own = "UPL-RULE." + rule.name;
    Add(line_, parts.entry, GotoTarget(own));
    Add(line_, {}, GotoTarget(rest));
    for (const ChainRule& stop : parts.stops) Add(own, stop, GotoTarget(rest));
    std::string stage = own;
    for (std::size_t i = 0; i < parts.stages.size(); ++i) {
      const bool last = i + 1 == parts.stages.size();
      const std::string next = own + "." + std::to_string(i + 1);
      for (const ChainRule& value : parts.stages[i]) {
        Add(stage, value, last ? verdict : GotoTarget(next));
      }
      Add(stage, {}, GotoTarget(rest));
      stage = next;
    }
    if (parts.stages.empty()) Add(own, {}, verdict);
    line_ = rest;
    chains_[line_];
  }

  std::string begin_;  // names the chains of the line
  std::string line_;   // the chain that the next rule is written to
  std::map<std::string, Chain> chains_;
};

}  // namespace

std::string OnlyChainName(UplinkId id) {
  return "UPL-ONLY-" + std::to_string(id);
}

Target LowerVerdict(const TrafficVerdict& verdict) {
  if (const auto* policy = std::get_if<PolicyVerdict>(&verdict)) {
    return GotoTarget(FateChainName(policy->policy));
  }
  if (const auto* uplink = std::get_if<UplinkVerdict>(&verdict)) {
    return GotoTarget(OnlyChainName(uplink->id));
  }
  return ReturnTarget{};
}

std::map<std::string, Chain> LowerTraffic(
    std::string_view line, Chain before,
    const std::vector<TrafficIntent>& rules, const Target& otherwise) {
  return TrafficLowering(line).Run(std::move(before), rules, otherwise);
}

}  // namespace uplinkd
