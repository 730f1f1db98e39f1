#include "reconciler/compile.h"

#include <utility>

#include "reconciler/compile_filter.h"
#include "reconciler/compile_policy.h"
#include "reconciler/compile_routes.h"
#include "reconciler/compile_uplink.h"
#include "reconciler/xt_lowering.h"

namespace uplinkd {
namespace {

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
  state.address = resolved.address;
  if (resolved.exit) state.gateway = resolved.exit->gateway;
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

std::vector<UplinkState> UplinkStates(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks,
    const Facts& facts) {
  std::map<UplinkId, double> shares = SharesOf(spec, uplinks, facts);
  std::vector<UplinkState> states;
  states.reserve(uplinks.size());
  for (const ResolvedUplink& resolved : uplinks) {
    states.push_back(StateOf(spec, resolved));
    states.back().share = shares[resolved.uplink.id];
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

void WarnOfLan(const ResolvedLan& lan, std::vector<std::string>& warnings) {
  std::string fault;
  if (!lan.link) {
    fault = "interface " + lan.interface + " does not exist";
  } else if (!lan.link->up) {
    fault = lan.interface + " is down";
  } else if (lan.networks.empty()) {
    fault = lan.interface + " has no address";
  } else {
    return;
  }
  warnings.push_back(fault + ": no connection from this LAN is balanced");
}

std::vector<std::string> Warnings(const std::vector<ResolvedUplink>& uplinks,
                                  const std::vector<ResolvedLan>& lans) {
  std::vector<std::string> warnings;
  for (const ResolvedUplink& uplink : uplinks) {
    if (uplink.link) WarnOfStrictFilter(*uplink.link, warnings);
  }
  for (const ResolvedLan& lan : lans) WarnOfLan(lan, warnings);
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
  const std::vector<ResolvedUplink> uplinks = ResolveUplinks(spec, facts);
  const std::vector<ResolvedLan> lans = ResolveLans(spec, facts);
  Desired desired;
  desired.state.routes = CompileRoutes(spec, uplinks, lans);
  desired.state.rules = CompileRules(spec, uplinks, lans);
  desired.filter = CompileFilter(spec, facts, uplinks, lans);
  desired.state.tables = LowerToXtables(desired.filter);
  desired.uplinks = UplinkStates(spec, uplinks, facts);
  desired.counted = CompileCounted(spec, uplinks, facts.loads);
  desired.ranked = CompileRanked(spec, uplinks, facts.rankings);
  desired.warnings = Warnings(uplinks, lans);
  WarnOfIpsets(spec, facts, desired.warnings);
  desired.table_owner = TableOwners(spec);
  return desired;
}

std::set<std::string> IpsetsOf(const Spec& spec) {
  std::set<std::string> ipsets;
  for (const TrafficRule& rule : spec.traffic) ipsets.merge(IpsetsOf(rule));
  return ipsets;
}

FactsScope FactsScopeOf(const Spec& spec) {
  FactsScope scope;
  for (const Lan& lan : spec.lans) scope.links.insert(lan.interface);
  for (const Uplink& uplink : spec.uplinks) {
    scope.links.insert(uplink.interface);
    if (!uplink.gateway) scope.default_routes.insert(uplink.interface);
  }
  scope.default_source = BalancesLocal(spec);
  scope.ipsets = IpsetsOf(spec);
  return scope;
}

}  // namespace uplinkd
