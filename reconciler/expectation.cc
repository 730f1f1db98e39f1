// What the doctor measures a host against; declared in doctor.h.
#include "reconciler/assume.h"
#include "reconciler/compile.h"
#include "reconciler/doctor.h"

namespace uplinkd {
namespace {

// The kernel's name of a match, as in /proc/net/ip_tables_matches; "" for a
// match that we never write.
struct MatchName {
  std::string operator()(const MarkMatch&) const { return "mark"; }
  std::string operator()(const ConnmarkMatch&) const { return "connmark"; }
  std::string operator()(const NewConnectionMatch&) const {
    return "conntrack";
  }
  std::string operator()(const RandomMatch&) const { return "statistic"; }
  std::string operator()(const SourceCoinMatch&) const { return "cluster"; }
  std::string operator()(const CounterMatch&) const { return "recent"; }
  std::string operator()(const FreeCapacityMatch&) const { return "rateest"; }
  std::string operator()(const PortsMatch&) const { return "multiport"; }
  std::string operator()(const DscpMatch&) const { return "dscp"; }
  std::string operator()(const MacMatch&) const { return "mac"; }
  std::string operator()(const OwnerMatch&) const { return "owner"; }
  std::string operator()(const BudgetMatch&) const { return "hashlimit"; }
  std::string operator()(const ClientListMatch&) const { return "recent"; }
  std::string operator()(const IpsetMatch&) const { return "set"; }
  std::string operator()(const OpaqueMatch&) const { return ""; }
};

// The same for targets; verdicts and jumps need no extension.
struct TargetName {
  std::string operator()(const SetMarkTarget&) const { return "MARK"; }
  std::string operator()(const SaveMarkTarget&) const { return "CONNMARK"; }
  std::string operator()(const RestoreMarkTarget&) const { return "CONNMARK"; }
  std::string operator()(const EstimateTarget&) const { return "RATEEST"; }
  std::string operator()(const SnatTarget&) const { return "SNAT"; }
  std::string operator()(const MasqueradeTarget&) const { return "MASQUERADE"; }
  std::string operator()(const NetmapTarget&) const { return "NETMAP"; }
  template <typename Verdict>
  std::string operator()(const Verdict&) const {
    return "";
  }
};

void AddNames(const ChainRule& rule, Expectation& expectation) {
  for (const Match& match : rule.matches) {
    expectation.matches.insert(std::visit(MatchName{}, match));
  }
  expectation.targets.insert(std::visit(TargetName{}, rule.target));
}

void AddNames(const XtTableState& table, Expectation& expectation) {
  for (const auto& [name, chain] : table.chains) {
    for (const ChainRule& rule : chain) AddNames(rule, expectation);
  }
  for (const auto& [hook, jumps] : table.jumps) {
    for (const HookJump& jump : jumps) AddNames(jump.rule, expectation);
  }
}

}  // namespace

Expectation ExpectAnySpec() {
  const Spec defaults;
  Expectation expectation;
  expectation.mark_mask = defaults.mark_mask;
  for (UplinkId id = 0; id <= kMaxUplinks; ++id) {
    expectation.tables.emplace(TableOf(defaults, id), "");
  }
  expectation.xt_tables = {"mangle", "nat"};
  expectation.matches = {"mark",    "conntrack", "statistic",
                         "cluster", "recent",    "rateest"};
  expectation.targets = {"MARK", "CONNMARK", "RATEEST", "SNAT", "MASQUERADE"};
  return expectation;
}

Expectation ExpectSpec(const Spec& spec) {
  const Spec numbered = AssignIds(spec, {});
  Expectation expectation;
  for (const Uplink& uplink : numbered.uplinks) {
    if (uplink.mode == UplinkMode::kDisabled) continue;
    std::string& names = expectation.uplinks[uplink.interface];
    names += (names.empty() ? "" : ", ") + uplink.name;
    if (!CarriesFamily(uplink, Family::kIpv6)) continue;
    expectation.uplinks6.insert(uplink.interface);
    if (!uplink.gateway6) expectation.learns_router6.insert(uplink.interface);
  }
  for (const Lan& lan : numbered.lans) expectation.lans.insert(lan.interface);
  expectation.mark_mask = numbered.mark_mask;
  const Desired desired = Compile(numbered, AssumeFacts(numbered).facts);
  expectation.tables = desired.table_owner;
  expectation.ipv6 = HasIpv6(numbered);
  for (const auto& [table, state] : desired.state.tables) {
    if (state->Empty()) continue;
    expectation.xt_tables.emplace(XtTableTitle(table));
    AddNames(*state, expectation);
  }
  expectation.matches.erase("");
  expectation.targets.erase("");
  return expectation;
}

}  // namespace uplinkd
