#include "reconciler/xt_lowering.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "reconciler/hex.h"
#include "reconciler/short_digest.h"
#include "reconciler/xt_choice.h"
#include "reconciler/xt_traffic.h"

namespace uplinkd {
namespace {

// The kernel keeps chains in the order of their names, and an estimator must
// come before the match that reads it: ESTIMATE is before FATE.
constexpr std::string_view kEstimateInChain = "UPL-ESTIMATE-IN";
constexpr std::string_view kEstimateOutChain = "UPL-ESTIMATE-OUT";
constexpr std::string_view kNewChain = "UPL-NEW";
constexpr std::string_view kOutputChain = "UPL-OUTPUT";
constexpr std::string_view kPostroutingChain = "UPL-POSTROUTING";
constexpr std::string_view kPreroutingChain = "UPL-PREROUTING";
constexpr std::string_view kSnatChain = "UPL-SNAT";
constexpr std::string_view kSnatOwnChain = "UPL-SNAT-OWN";

ChainRule Rule(Target target) {
  ChainRule rule;
  rule.target = std::move(target);
  return rule;
}

ChainRule Jump(std::string_view chain) {
  return Rule(JumpTarget{std::string(chain), false});
}

Chain& Add(XtTableState& table, std::string_view name) {
  return table.chains[std::string(name)];
}

void Hook(XtTableState& table, XtHook hook, std::string_view chain) {
  table.jumps[hook] = {{0, Jump(chain)}};
}

ChainRule ReturnIfMarked(std::uint32_t mask) {
  ChainRule rule = Rule(ReturnTarget{});
  rule.matches = {MarkMatch{{0, mask}, true}};
  return rule;
}

// New connections without a fate go on to `next`. Packets with one leave first,
// by a rule that holds: without that they would go on to the end of the chain,
// which is one more rule for the kernel.
void DecideIfNew(std::string_view next, std::uint32_t mask, Chain& chain) {
  chain.push_back(ReturnIfMarked(mask));
  chain.push_back(Goto(next));
  chain.back().matches = {NewConnectionMatch{}};
}

UplinkId IdOf(const Mark& fate) {
  return fate.value >> std::countr_zero(fate.mask);
}

// ---- estimators ----

// log2 of a ratio that is a power of two.
int Log2(std::uint64_t ratio) {
  return static_cast<int>(std::bit_width(ratio)) - 1;
}

EstimateTarget TargetOf(const RateEstimator& estimator) {
  constexpr std::chrono::milliseconds kUnit(250);  // 2^-2 seconds
  const Estimator& parameters = estimator.parameters;
  EstimateTarget target;
  target.estimator = EstimatorName(estimator);
  target.interval_log2 = static_cast<std::int8_t>(
      Log2(static_cast<std::uint64_t>(parameters.interval / kUnit)) - 2);
  target.ewma_log2 = static_cast<std::uint8_t>(Log2(
      static_cast<std::uint64_t>(parameters.window / parameters.interval)));
  return target;
}

// What comes in is seen in prerouting, what goes out in postrouting. Both
// count into one estimator where the sum is wanted.
void WriteEstimators(const FilterIntent& intent, XtTableState& mangle) {
  for (const RateEstimator& estimator : intent.estimators) {
    ChainRule rule = Rule(TargetOf(estimator));
    if (estimator.fate) rule.matches = {ConnmarkMatch{*estimator.fate, false}};
    if (estimator.measure != Measure::kUpload) {
      rule.in_interface = estimator.interface;
      Add(mangle, kEstimateInChain).push_back(rule);
      rule.in_interface.clear();
    }
    if (estimator.measure != Measure::kDownload) {
      rule.out_interface = estimator.interface;
      Add(mangle, kEstimateOutChain).push_back(std::move(rule));
    }
  }
}

// ---- mangle ----

std::set<UplinkId> FateIds(const FilterIntent& intent) {
  std::set<UplinkId> ids;
  for (const auto& [interface, arrivals] : intent.arrivals) {
    ids.insert(IdOf(arrivals.otherwise));
    for (const Arrivals::To& to : arrivals.to) ids.insert(IdOf(to.fate));
  }
  for (const auto& [interface, fate] : intent.departures) {
    ids.insert(IdOf(fate));
  }
  for (const auto& [policy, choice] : intent.choices) {
    for (const Member& member : choice.members) ids.insert(member.id);
    if (!choice.memory) continue;
    ids.insert(choice.memory->uplinks.begin(), choice.memory->uplinks.end());
  }
  return ids;
}

void WriteMarkChains(const FilterIntent& intent, XtTableState& mangle) {
  const std::uint32_t mask = intent.mark_mask;
  for (const UplinkId id : FateIds(intent)) {
    const Mark fate = {id << std::countr_zero(mask), mask};
    Add(mangle, MarkChainName(id)) = {Rule(SetMarkTarget{fate}),
                                      Rule(SaveMarkTarget{mask})};
  }
}

// Whether a connection is any different for having come to `choice`.
bool Decides(const Choice& choice) {
  return !choice.members.empty() || choice.last_resort != LastResort::kMain;
}

bool IsBalance(const TrafficVerdict& verdict) {
  return verdict == TrafficVerdict(PolicyVerdict{kBalance});
}

// Whether any connection comes to the default policy.
bool LeadsToBalance(const FilterIntent& intent) {
  const auto leads = [](const TrafficIntent& rule) {
    return IsBalance(rule.verdict);
  };
  return !intent.traffic.empty() || Decides(intent.choices.at(kBalance)) ||
         (intent.local && (IsBalance(intent.local->otherwise) ||
                           std::ranges::any_of(intent.local->traffic, leads)));
}

// The names of the estimators that least-loaded compares.
std::map<UplinkId, std::string> EstimatorsOf(const FilterIntent& intent,
                                             const Choice& choice) {
  std::map<UplinkId, std::string> names;
  for (const RateEstimator& estimator : intent.estimators) {
    if (estimator.measure == choice.measure &&
        estimator.parameters == choice.estimator) {
      names[estimator.id] = EstimatorName(estimator);
    }
  }
  return names;
}

void WriteChoices(const FilterIntent& intent, XtTableState& mangle) {
  const std::uint32_t mask = intent.mark_mask;
  for (const auto& [policy, choice] : intent.choices) {
    if (policy == kBalance && !LeadsToBalance(intent)) continue;
    mangle.chains.merge(
        LowerChoice(policy, choice, mask, EstimatorsOf(intent, choice)));
  }
  for (const auto& [id, ready] : intent.only) {
    Add(mangle, OnlyChainName(id)) = {
        ready ? Goto(MarkChainName(id))
              : LastResortRule(LastResort::kUnreachable, mask)};
  }
}

void ReturnIfFrom(const std::vector<Prefix>& networks, Chain& chain) {
  for (const Prefix& network : networks) {
    chain.push_back(Rule(ReturnTarget{}));
    chain.back().source = {network};
  }
}

void ReturnIfTo(const std::vector<Prefix>& networks, Chain& chain) {
  for (const Prefix& network : networks) {
    chain.push_back(Rule(ReturnTarget{}));
    chain.back().destination = {network};
  }
}

// What decides about connections from the LANs, but not to internal
// destinations, if anything does.
void WriteTraffic(const FilterIntent& intent, XtTableState& mangle) {
  const bool decides = mangle.chains.contains(FateChainName(kBalance));
  if (intent.traffic.empty() && !decides) return;
  const Target otherwise =
      decides ? LowerVerdict(PolicyVerdict{kBalance}) : Target(ReturnTarget{});
  Chain before;
  ReturnIfTo(intent.internal, before);
  mangle.chains.merge(LowerTraffic(kTrafficChain, std::move(before),
                                   intent.traffic, otherwise));
}

// The router's own new connections. What stays on the router, or goes to an
// internal destination, is not diverted.
void WriteLocal(const FilterIntent& intent, XtTableState& mangle) {
  const LocalIntent& local = *intent.local;
  Chain before = {Rule(ReturnTarget{})};
  before.back().out_interface = "lo";
  ReturnIfFrom(intent.on_link, before);
  ReturnIfTo(intent.internal, before);
  for (const auto& [address, fate] : local.bound) {
    before.push_back(Goto(MarkChainName(IdOf(fate))));
    before.back().source = {Prefix::Host(address)};
  }
  mangle.chains.merge(LowerTraffic(kLocalChain, std::move(before),
                                   local.traffic,
                                   LowerVerdict(local.otherwise)));
}

// Those from the LANs first: there are more of them than uplinks' rules.
void WriteNew(const FilterIntent& intent, XtTableState& mangle) {
  Chain& chain = Add(mangle, kNewChain);
  if (mangle.chains.contains(std::string(kTrafficChain))) {
    for (const LanSource& lan : intent.lans) {
      for (const Prefix& network : lan.networks) {
        chain.push_back(Goto(kTrafficChain));
        chain.back().in_interface = lan.interface;
        chain.back().source = {network};
      }
    }
  }
  ReturnIfFrom(intent.on_link, chain);
  ReturnIfTo(intent.on_link, chain);
  for (const auto& [interface, arrivals] : intent.arrivals) {
    for (const Arrivals::To& to : arrivals.to) {
      chain.push_back(Goto(MarkChainName(IdOf(to.fate))));
      chain.back().in_interface = interface;
      chain.back().destination = {to.destination};
    }
    chain.push_back(Goto(MarkChainName(IdOf(arrivals.otherwise))));
    chain.back().in_interface = interface;
  }
}

void WritePrerouting(const FilterIntent& intent, XtTableState& mangle) {
  const bool estimates = mangle.chains.contains(std::string(kEstimateInChain));
  Chain& chain = Add(mangle, kPreroutingChain);
  if (estimates) chain.push_back(Jump(kEstimateInChain));
  chain.push_back(Rule(RestoreMarkTarget{intent.mark_mask}));
  DecideIfNew(kNewChain, intent.mark_mask, chain);
  Hook(mangle, XtHook::kPrerouting, kPreroutingChain);
}

void WriteOutput(const FilterIntent& intent, XtTableState& mangle) {
  Chain& chain = Add(mangle, kOutputChain);
  if (intent.bypass) {
    chain.push_back(Rule(ReturnTarget{}));
    chain.back().matches = {MarkMatch{*intent.bypass, false}};
  }
  chain.push_back(Rule(RestoreMarkTarget{intent.mark_mask}));
  if (intent.local) {
    DecideIfNew(kLocalChain, intent.mark_mask, chain);
    WriteLocal(intent, mangle);
  }
  Hook(mangle, XtHook::kOutput, kOutputChain);
}

void WritePostrouting(const FilterIntent& intent, XtTableState& mangle) {
  Chain chain;
  if (mangle.chains.contains(std::string(kEstimateOutChain))) {
    chain.push_back(Jump(kEstimateOutChain));
  }
  if (!intent.departures.empty()) {
    chain.push_back(ReturnIfMarked(intent.mark_mask));
  }
  for (const auto& [interface, fate] : intent.departures) {
    chain.push_back(Goto(MarkChainName(IdOf(fate))));
    chain.back().out_interface = interface;
    chain.back().matches = {NewConnectionMatch{}};
  }
  if (chain.empty()) return;
  Add(mangle, kPostroutingChain) = std::move(chain);
  Hook(mangle, XtHook::kPostrouting, kPostroutingChain);
}

// ---- nat ----

Target TranslationTo(const SourceNat& nat, bool own) {
  if (nat.nat == Nat::kPrefix && !own) return NetmapTarget{*nat.prefix};
  if (nat.nat == Nat::kMasquerade) return MasqueradeTarget{};
  return SnatTarget{*nat.address};
}

// A rule about what leaves by the interface, and has the fate if there is one.
ChainRule LeavingRule(const SourceNat& nat, Target target) {
  ChainRule rule = Rule(std::move(target));
  rule.out_interface = nat.interface;
  if (nat.fate) rule.matches = {ConnmarkMatch{*nat.fate, false}};
  return rule;
}

// `own`: for sources that are uplinks' addresses.
void WriteTranslation(const SourceNat& nat, bool own, Chain& chain) {
  for (const Address& address : nat.except) {
    chain.push_back(LeavingRule(nat, ReturnTarget{}));
    chain.back().source = {Prefix::Host(address)};
  }
  if (nat.nat != Nat::kNone) {
    ChainRule rule = LeavingRule(nat, TranslationTo(nat, own));
    // The uplink's own connections need no translation.
    if (nat.nat == Nat::kPrefix && !own) {
      rule.source = {*nat.prefix, true};
    } else if (nat.address) {
      rule.source = {Prefix::Host(*nat.address), true};
    }
    chain.push_back(std::move(rule));
  }
  // No other rule of a shared interface is for its connections.
  if (nat.fate) chain.push_back(LeavingRule(nat, ReturnTarget{}));
}

// Connections from `sources` are translated as `chain` says.
void Translate(const std::vector<Prefix>& sources, std::string_view chain,
               XtTableState& table) {
  for (const Prefix& source : sources) {
    ChainRule rule = Goto(chain);
    rule.source = {source};
    Add(table, kPostroutingChain).push_back(std::move(rule));
  }
}

XtTableState LowerNat(const FilterIntent& intent) {
  XtTableState table;
  if (intent.nat.empty() || intent.nat_sources.empty()) return table;
  const bool prefixes = std::ranges::find(intent.nat, Nat::kPrefix,
                                          &SourceNat::nat) != intent.nat.end();
  if (prefixes) Translate(intent.own_sources, kSnatOwnChain, table);
  Translate(intent.nat_sources, kSnatChain, table);
  for (const SourceNat& nat : intent.nat) {
    WriteTranslation(nat, false, Add(table, kSnatChain));
    if (!prefixes) continue;
    WriteTranslation(nat, true, Add(table, kSnatOwnChain));
  }
  Hook(table, XtHook::kPostrouting, kPostroutingChain);
  return table;
}

// The kernel keeps the mask that a list of clients began with, so those of the
// two families cannot have one name.
void NameClientListsApart(XtTableState& mangle) {
  for (auto& [name, chain] : mangle.chains) {
    for (ChainRule& rule : chain) {
      for (Match& match : rule.matches) {
        auto* const list = std::get_if<ClientListMatch>(&match);
        if (list != nullptr) list->name += ".6";
      }
    }
  }
}

}  // namespace

std::string EstimatorName(const RateEstimator& estimator) {
  const std::array<std::string, 4> parameters = {
      std::to_string(estimator.parameters.interval.count()),
      std::to_string(estimator.parameters.window.count()),
      std::to_string(static_cast<int>(estimator.measure)), estimator.interface};
  std::string text;
  for (const std::string& parameter : parameters) text += parameter + "/";
  if (estimator.fate) text += Hex(estimator.fate->value) + "/";
  return "u" + std::to_string(estimator.id) + "-" + ShortDigest(text);
}

XtTables LowerToXtables(const FilterIntent& intent) {
  XtTableState mangle;
  WriteEstimators(intent, mangle);
  WritePrerouting(intent, mangle);
  WriteChoices(intent, mangle);
  WriteTraffic(intent, mangle);
  WriteNew(intent, mangle);
  WriteMarkChains(intent, mangle);
  WriteOutput(intent, mangle);
  WritePostrouting(intent, mangle);
  if (intent.family == Family::kIpv6) NameClientListsApart(mangle);
  XtTables tables;
  tables[MangleOf(intent.family)] = std::move(mangle);
  XtTableState nat = LowerNat(intent);
  if (!nat.Empty()) tables[NatOf(intent.family)] = std::move(nat);
  return tables;
}

}  // namespace uplinkd
