#include "reconciler/compile.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "reconciler/compile_filter.h"
#include "reconciler/compile_policy.h"
#include "reconciler/compile_routes.h"
#include "reconciler/compile_uplink.h"
#include "reconciler/xt_lowering.h"

namespace uplinkd {
namespace {

// All that a spec and the facts make of one family.
struct FamilyPart {
  Family family = Family::kIpv4;
  std::vector<ResolvedUplink> uplinks;
  std::vector<ResolvedLan> lans;
};

// The lower, the better off.
int RankOf(UplinkPhase phase) {
  if (CarriesConnections(phase)) return phase == UplinkPhase::kReady ? 0 : 1;
  return phase == UplinkPhase::kDown ? 2 : 3;
}

// The uplink in the family in which it is better off: the first one, if that
// makes no difference.
const ResolvedUplink& BestOf(const std::vector<FamilyPart>& parts,
                             std::size_t index) {
  const ResolvedUplink* best = nullptr;
  for (const FamilyPart& part : parts) {
    const ResolvedUplink& resolved = part.uplinks[index];
    if (!CarriesFamily(resolved.uplink, part.family)) continue;
    if (best == nullptr || RankOf(resolved.phase) < RankOf(best->phase)) {
      best = &resolved;
    }
  }
  return best == nullptr ? parts.front().uplinks[index] : *best;
}

void AddPart(const ResolvedUplink& resolved, UplinkState& state) {
  if (CarriesFamily(resolved.uplink, resolved.family)) {
    state.phases[resolved.family] = resolved.phase;
  }
  if (resolved.family == Family::kIpv4) {
    state.address = resolved.address;
    if (resolved.exit) state.gateway = resolved.exit->gateway;
    return;
  }
  state.address6 = resolved.address;
  if (resolved.exit) state.gateway6 = resolved.exit->gateway;
  state.prefix6 = resolved.prefix;
}

UplinkState StateOf(const Spec& spec, const ResolvedUplink& resolved) {
  const Uplink& uplink = resolved.uplink;
  UplinkState state;
  state.name = uplink.name;
  state.id = uplink.id;
  state.interface = uplink.interface;
  state.mark = MarkOf(spec, uplink.id);
  state.table = TableOf(spec, uplink.id);
  state.phase = resolved.phase;
  state.reason = resolved.reason;
  state.health = resolved.health;
  state.capacity = uplink.capacity;
  return state;
}

// What the default policy means each uplink to have of new connections.
std::map<UplinkId, double> SharesOf(const Spec& spec,
                                    const std::vector<ResolvedUplink>& uplinks,
                                    const Facts& facts) {
  const std::vector<Candidate> candidates =
      CandidatesOf(spec, spec.balance, uplinks, facts);
  double total = 0;
  for (const Candidate& candidate : candidates) {
    total += static_cast<double>(candidate.weight);
  }
  std::map<UplinkId, double> shares;
  for (const Candidate& candidate : candidates) {
    shares[candidate.uplink->uplink.id] =
        static_cast<double>(candidate.weight) / total;
  }
  return shares;
}

std::vector<UplinkState> UplinkStates(const Spec& spec,
                                      const std::vector<FamilyPart>& parts,
                                      const Facts& facts) {
  const std::size_t count = parts.front().uplinks.size();
  std::map<UplinkId, double> shares =
      SharesOf(spec, parts.front().uplinks, facts);
  std::vector<UplinkState> states;
  states.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    UplinkState state = StateOf(spec, BestOf(parts, i));
    for (const FamilyPart& part : parts) AddPart(part.uplinks[i], state);
    state.share = shares[state.id];
    states.push_back(std::move(state));
  }
  return states;
}

// A '/' as separator where the name of the link has a dot in it.
std::string Sysctl(const std::string& interface, const std::string& key) {
  const char separator = interface.find('.') == std::string::npos ? '.' : '/';
  std::string path = "net";
  for (const std::string& part :
       {std::string("ipv4"), std::string("conf"), interface, key}) {
    path += separator + part;
  }
  return path;
}

void WarnOfStrictFilter(const Link& link, std::vector<std::string>& warnings) {
  constexpr int kStrict = 1;
  if (link.rp_filter != kStrict || link.src_valid_mark) return;
  warnings.push_back(
      link.name +
      " checks source addresses strictly (rp_filter 1): the kernel drops"
      " replies and requests that come in by it whenever main's default route"
      " is through another link; mend it with 'sysctl -w " +
      Sysctl(link.name, "rp_filter") +
      "=2', or keep the check and let it honour marks with 'sysctl -w " +
      Sysctl(link.name, "src_valid_mark") + "=1'");
}

// That one family of an uplink that works does not.
void WarnOfPart(const ResolvedUplink& resolved, const ResolvedUplink& best,
                std::vector<std::string>& warnings) {
  if (!CarriesFamily(resolved.uplink, resolved.family)) return;
  if (RankOf(resolved.phase) == RankOf(best.phase)) return;
  warnings.push_back(resolved.uplink.name + " carries no " +
                     FamilyName(resolved.family) + ": " + resolved.reason);
}

void WarnOfLan(const ResolvedLan& lan, Family family,
               std::vector<std::string>& warnings) {
  const bool ipv6 = family == Family::kIpv6;
  std::string fault;
  if (!lan.link) {
    fault = "interface " + lan.interface + " does not exist";
  } else if (!lan.link->up) {
    fault = lan.interface + " is down";
  } else if (lan.networks.empty()) {
    fault = lan.interface + " has no " + (ipv6 ? "IPv6 " : "") + "address";
  } else {
    return;
  }
  warnings.push_back(fault + ": no " + (ipv6 ? "IPv6 " : "") +
                     "connection from this LAN is balanced");
}

std::vector<std::string> Warnings(const std::vector<FamilyPart>& parts) {
  std::vector<std::string> warnings;
  std::set<std::string> links;  // that were looked at; sharers have one
  for (const FamilyPart& part : parts) {
    for (std::size_t i = 0; i < part.uplinks.size(); ++i) {
      const ResolvedUplink& uplink = part.uplinks[i];
      // IPv6 has no such filter.
      if (uplink.link && part.family == Family::kIpv4 &&
          links.insert(uplink.link->name).second) {
        WarnOfStrictFilter(*uplink.link, warnings);
      }
      WarnOfPart(uplink, BestOf(parts, i), warnings);
    }
    for (const ResolvedLan& lan : part.lans) {
      WarnOfLan(lan, part.family, warnings);
    }
  }
  return warnings;
}

// Each set once, with the rules that wait for it.
void WarnOfIpsets(const Spec& spec, const Facts& facts,
                  std::vector<std::string>& warnings) {
  std::map<std::string, std::string> waiting;
  for (const TrafficRule& rule : spec.traffic) {
    for (const std::string& name : IpsetsOf(rule)) {
      if (facts.ipsets.contains(name)) continue;
      std::string& rules = waiting[name];
      if (!rules.empty()) rules += ", ";
      rules += rule.name;
    }
  }
  for (const auto& [name, rules] : waiting) {
    std::string warning = "there is no ipset ";
    warning += name;
    warning +=
        " of IPv4 addresses: traffic rules that wait for it, and are left out "
        "until then: ";
    warnings.push_back(warning + rules);
  }
}

// Adds what one family needs in the kernel.
void CompileFamily(const Spec& spec, const Facts& facts, const FamilyPart& part,
                   Desired& desired) {
  const Family family = part.family;
  State& state = desired.state;
  state.routes.merge(CompileRoutes(spec, family, part.uplinks, part.lans));
  std::ranges::move(CompileRules(spec, family, part.uplinks, part.lans),
                    std::back_inserter(state.rules));
  FilterIntent& filter = desired.filters[family];
  filter = CompileFilter(spec, facts, family, part.uplinks, part.lans);
  state.tables.merge(LowerToXtables(filter));
  for (auto& [policy, choice] :
       CompileCounted(spec, part.uplinks, facts.loads)) {
    desired.counted[{policy, family}] = std::move(choice);
  }
}

}  // namespace

std::string_view UplinkPhaseName(UplinkPhase phase) {
  switch (phase) {
    case UplinkPhase::kReady: return "Ready";
    case UplinkPhase::kWaiting: return "Waiting";
    case UplinkPhase::kBlocked: return "Blocked";
    case UplinkPhase::kDraining: return "Draining";
    case UplinkPhase::kDisabled: return "Disabled";
    case UplinkPhase::kDown: return "Down";
  }
  return "";
}

bool CarriesConnections(UplinkPhase phase) {
  return phase == UplinkPhase::kReady || phase == UplinkPhase::kDraining;
}

bool IsAsAsked(UplinkPhase phase) {
  return CarriesConnections(phase) || phase == UplinkPhase::kDisabled;
}

Desired Compile(const Spec& spec, const Facts& facts) {
  std::vector<FamilyPart> parts;
  for (const Family family : FamiliesOf(spec)) {
    parts.push_back({family, ResolveUplinks(spec, facts, family),
                     ResolveLans(spec, facts, family)});
  }
  Desired desired;
  for (const FamilyPart& part : parts) {
    CompileFamily(spec, facts, part, desired);
  }
  std::ranges::sort(desired.state.rules);
  desired.uplinks = UplinkStates(spec, parts, facts);
  // One line, one ranking.
  desired.ranked = CompileRanked(spec, parts.front().uplinks, facts.rankings);
  desired.warnings = Warnings(parts);
  WarnOfIpsets(spec, facts, desired.warnings);
  desired.table_owner = TableOwners(spec);
  return desired;
}

std::set<std::string> IpsetsOf(const Spec& spec) {
  std::set<std::string> ipsets;
  for (const TrafficRule& rule : spec.traffic) ipsets.merge(IpsetsOf(rule));
  return ipsets;
}

std::map<std::uint32_t, std::string> TableOwners(const Spec& spec) {
  std::map<std::uint32_t, std::string> owners;
  for (const Uplink& uplink : spec.uplinks) {
    owners[TableOf(spec, uplink.id)] = uplink.name;
  }
  if (spec.balance.algorithm == Algorithm::kMultipath) {
    owners[spec.table_base] = "";
  }
  return owners;
}

FactsScope FactsScopeOf(const Spec& spec) {
  FactsScope scope;
  for (const Lan& lan : spec.lans) scope.links.insert(lan.interface);
  for (const Uplink& uplink : spec.uplinks) {
    scope.links.insert(uplink.interface);
    if (CarriesFamily(uplink, Family::kIpv4) && !uplink.gateway) {
      scope.default_routes.insert(uplink.interface);
    }
    if (!CarriesFamily(uplink, Family::kIpv6)) continue;
    scope.ipv6 = true;
    if (!uplink.gateway6) scope.default_routes6.insert(uplink.interface);
    if (!uplink.prefix6_interface.empty()) {
      scope.links.insert(uplink.prefix6_interface);
    }
  }
  scope.default_source = BalancesLocal(spec);
  scope.ipsets = IpsetsOf(spec);
  return scope;
}

}  // namespace uplinkd
