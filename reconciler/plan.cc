#include "reconciler/plan.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "reconciler/plan_nat.h"
#include "reconciler/plan_tables.h"

namespace uplinkd {
namespace {

// How people call the objects of a plan.
class Names {
 public:
  explicit Names(const Desired& desired) : owners_(desired.table_owner) {}

  std::set<std::string> Uplinks(std::uint32_t table) const {
    const auto owner = owners_.find(table);
    if (owner == owners_.end() || owner->second.empty()) return {};
    return {owner->second};
  }

  // "wan1", "the multipath table", "table 17"
  std::string Owner(std::uint32_t table) const {
    if (table == kMainTable) return "table main";
    const auto owner = owners_.find(table);
    if (owner == owners_.end()) return "table " + std::to_string(table);
    return owner->second.empty() ? "the multipath table" : owner->second;
  }

  // "the default route of wan1"
  std::string Of(const Route& route) const {
    const Family family = route.key.destination.family();
    const std::string of = " of " + Owner(route.key.table) + Words(family);
    if (!route.key.destination.IsDefault()) {
      return "the route to " + route.key.destination.ToString() + of;
    }
    return (route.key.metric == kFloorMetric ? "the floor"
                                             : "the default route") +
           of;
  }

  // "the mark rule of wan1"
  std::string Of(const PolicyRule& rule) const {
    const std::string of = " of " + Owner(rule.table) + Words(rule.family);
    if (rule.mark) return "the mark rule" + of;
    if (rule.source) return "the source rule" + of;
    if (!rule.in_interface.empty()) {
      return "the rule for " + rule.in_interface + of;
    }
    return "the rule" + of;
  }

 private:
  static std::string Words(Family family) {
    return family == Family::kIpv6 ? " in IPv6" : "";
  }

  const std::map<std::uint32_t, std::string>& owners_;
};

Step MakeStep(Stage stage, Change change, Cause cause, std::string reason,
              std::set<std::string> uplinks) {
  Step step;
  step.stage = stage;
  step.change = std::move(change);
  step.cause = cause;
  step.reason = std::move(reason);
  step.uplinks = std::move(uplinks);
  return step;
}

// ---- routes ----

bool SameGateways(const Route& a, const Route& b) {
  return std::ranges::equal(a.next_hops, b.next_hops, {}, &NextHop::gateway,
                            &NextHop::gateway);
}

std::string WhatChanged(const Names& names, const Route& want,
                        const Route& has) {
  if (!SameGateways(want, has)) {
    return names.Owner(want.key.table) + " has a new gateway";
  }
  if (want.preferred_source != has.preferred_source) {
    return names.Owner(want.key.table) + " has a new address";
  }
  return names.Of(want) + " was changed";
}

// Within a table: what gateways are reached by comes before the default route.
bool BeforeInTable(const RouteKey& a, const RouteKey& b) {
  return std::tuple(a.table, -a.destination.length(), a) <
         std::tuple(b.table, -b.destination.length(), b);
}

void PlanRoutes(const Desired& desired, const State& observed, Plan& plan) {
  const Names names(desired);
  std::vector<Step> puts;
  for (const auto& [key, want] : desired.state.routes) {
    const auto has = observed.routes.find(key);
    const bool exists = has != observed.routes.end();
    if (exists && has->second == want) continue;
    // The kernel would replace the foreign one.
    const auto foreign = observed.foreign_routes.find(key);
    if (foreign != observed.foreign_routes.end()) {
      plan.conflicts.push_back(
          {want, foreign->second, names.Uplinks(key.table)});
      continue;
    }
    PutRoute put{want, std::nullopt};
    if (exists) put.replaces = has->second;
    puts.push_back(MakeStep(Stage::kPutRoutes, std::move(put),
                            exists ? Cause::kModified : Cause::kMissing,
                            exists ? WhatChanged(names, want, has->second)
                                   : names.Of(want) + " is missing",
                            names.Uplinks(key.table)));
  }
  std::ranges::stable_sort(puts, BeforeInTable, [](const Step& step) {
    return std::get<PutRoute>(step.change).route.key;
  });
  std::ranges::move(puts, std::back_inserter(plan.steps));

  for (const auto& [key, has] : observed.routes) {
    if (desired.state.routes.contains(key)) continue;
    plan.steps.push_back(
        MakeStep(Stage::kRemoveRoutes, RemoveRoute{has}, Cause::kExtra,
                 names.Of(has) + " is not wanted", names.Uplinks(key.table)));
  }
}

// ---- policy rules ----

// The rules of `a`, each as often as `b` lacks it. Both are sorted.
std::vector<PolicyRule> Without(const std::vector<PolicyRule>& a,
                                const std::vector<PolicyRule>& b) {
  std::vector<PolicyRule> rest;
  std::ranges::set_difference(a, b, std::back_inserter(rest));
  return rest;
}

bool ContainsElsewhere(const std::vector<PolicyRule>& rules,
                       const PolicyRule& rule) {
  return std::ranges::any_of(rules, [&rule](PolicyRule other) {
    if (other.priority == rule.priority) return false;
    other.priority = rule.priority;
    return other == rule;
  });
}

std::vector<PolicyRule> Sorted(std::vector<PolicyRule> rules) {
  std::ranges::sort(rules);
  return rules;
}

void PlanRules(const Desired& desired, const State& observed, Plan& plan) {
  const Names names(desired);
  const std::vector<PolicyRule> want = Sorted(desired.state.rules);
  const std::vector<PolicyRule> have = Sorted(observed.rules);
  for (const PolicyRule& rule : Without(want, have)) {
    const bool moved = ContainsElsewhere(have, rule);
    plan.steps.push_back(MakeStep(
        Stage::kAddRules, AddRule{rule},
        moved ? Cause::kModified : Cause::kMissing,
        names.Of(rule) + (moved ? " has another priority" : " is missing"),
        names.Uplinks(rule.table)));
  }
  for (const PolicyRule& rule : Without(have, want)) {
    std::string reason = names.Of(rule) + " is not wanted";
    Cause cause = Cause::kExtra;
    if (std::ranges::binary_search(want, rule)) {
      reason = names.Of(rule) + " stands twice";
    } else if (ContainsElsewhere(want, rule)) {
      reason = names.Of(rule) + " has another priority";
      cause = Cause::kModified;
    }
    plan.steps.push_back(MakeStep(Stage::kRemoveRules, RemoveRule{rule}, cause,
                                  std::move(reason),
                                  names.Uplinks(rule.table)));
  }
}

// ---- xtables tables ----

// The uplinks that the desired chains of one family give fates of.
std::set<std::string> FatedUplinks(const Desired& desired, Family family) {
  const auto filter = desired.filters.find(family);
  if (filter == desired.filters.end()) return {};
  std::set<Mark> fates;
  for (const auto& [policy, choice] : filter->second.choices) {
    for (const Member& member : choice.members) fates.insert(member.fate);
  }
  for (const auto& [link, arrivals] : filter->second.arrivals) {
    fates.insert(arrivals.otherwise);
    for (const Arrivals::To& to : arrivals.to) fates.insert(to.fate);
  }
  for (const auto& [link, fate] : filter->second.departures) fates.insert(fate);
  std::set<std::string> uplinks;
  for (const UplinkState& uplink : desired.uplinks) {
    if (fates.contains(uplink.mark)) uplinks.insert(uplink.name);
  }
  return uplinks;
}

const Shared<XtTableState>& TableOf(const State& state, XtTable table) {
  static const Shared<XtTableState> empty;
  const auto found = state.tables.find(table);
  return found == state.tables.end() ? empty : found->second;
}

bool SameTables(const State& a, const State& b, Family family) {
  return TableOf(a, NatOf(family)) == TableOf(b, NatOf(family)) &&
         TableOf(a, MangleOf(family)) == TableOf(b, MangleOf(family));
}

void PlanTable(Stage stage, XtTable table, const XtTableState& have,
               const XtTableState& want, const std::set<std::string>& uplinks,
               Plan& plan) {
  std::vector<ChainEdit> edits = DiffTables(have, want);
  if (edits.empty()) return;
  const std::string name(XtTableTitle(table));
  std::string reason = edits.front().reason;
  Cause cause = edits.front().cause;
  if (have.Empty()) {
    reason = "our chains in " + name + " are missing";
  } else if (want.Empty()) {
    reason = "our chains in " + name + " are not wanted any more";
  } else if (edits.size() > 1) {
    reason = "our chains in " + name + " differ";
    cause = Cause::kModified;
  }
  plan.steps.push_back(MakeStep(stage,
                                EditXtTable{table, have, std::move(edits)},
                                cause, std::move(reason), uplinks));
}

void PlanTables(const Desired& desired, const State& observed, Family family,
                Plan& plan) {
  // As in nearly every pass.
  if (SameTables(desired.state, observed, family)) return;
  const std::set<std::string> uplinks = FatedUplinks(desired, family);
  const XtTable nat = NatOf(family);
  const XtTable mangle = MangleOf(family);
  const XtTableState& have = *TableOf(observed, nat);
  const XtTableState& want = *TableOf(desired.state, nat);
  const XtTableState between =
      NatBeforeMangle(have, want, desired.state, observed, family);
  PlanTable(Stage::kMakeNat, nat, have, between, uplinks, plan);
  PlanTable(Stage::kMangle, mangle, *TableOf(observed, mangle),
            *TableOf(desired.state, mangle), uplinks, plan);
  PlanTable(Stage::kBreakNat, nat, between, want, uplinks, plan);
}

}  // namespace

Family FamilyOf(const Change& change) {
  struct Finder {
    Family operator()(const PutRoute& put) const {
      return put.route.key.destination.family();
    }
    Family operator()(const RemoveRoute& remove) const {
      return remove.route.key.destination.family();
    }
    Family operator()(const AddRule& add) const { return add.rule.family; }
    Family operator()(const RemoveRule& remove) const {
      return remove.rule.family;
    }
    Family operator()(const EditXtTable& edit) const {
      return FamilyOf(edit.table);
    }
  };
  return std::visit(Finder{}, change);
}

std::string_view CauseName(Cause cause) {
  switch (cause) {
    case Cause::kMissing: return "missing";
    case Cause::kModified: return "modified";
    case Cause::kExtra: return "extra";
  }
  return "";
}

Plan MakePlan(const Desired& desired, const State& observed) {
  Plan plan;
  PlanRoutes(desired, observed, plan);
  PlanRules(desired, observed, plan);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    PlanTables(desired, observed, family, plan);
  }
  std::ranges::stable_sort(plan.steps, {}, &Step::stage);
  return plan;
}

Plan MakeCleanupPlan(const State& observed) {
  const std::string reason = "cleanup removes everything of ours";
  Plan plan = MakePlan(Desired{}, observed);
  for (Step& step : plan.steps) {
    step.reason = reason;
    auto* table = std::get_if<EditXtTable>(&step.change);
    if (table == nullptr) continue;
    for (ChainEdit& edit : table->edits) edit.reason = reason;
  }
  return plan;
}

}  // namespace uplinkd
