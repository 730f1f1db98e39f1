#include "tests/core/fake_kernel.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

constexpr std::uint8_t kKernelProtocol = 2;  // RTPROT_KERNEL

PolicyRule DefaultRule(std::uint32_t priority, std::uint32_t table) {
  PolicyRule rule;
  rule.priority = priority;
  rule.table = table;
  rule.protocol = kKernelProtocol;
  return rule;
}

bool IsOurs(const PolicyRule& rule) {
  return rule.protocol == kProtocol && IsOwnedPriority(rule.priority);
}

bool IsIpv6(const Route& route) {
  return route.key.destination.family() == Family::kIpv6;
}

void DropIpv6(Link& link) {
  std::erase_if(link.addresses, [](const LinkAddress& address) {
    return address.local.family() == Family::kIpv6;
  });
  link.default_route6.reset();
}

// True: there was something.
bool DropIpv6(State& state) {
  const std::size_t dropped =
      std::erase_if(state.routes,
                    [](const auto& route) { return IsIpv6(route.second); }) +
      std::erase_if(
          state.rules,
          [](const PolicyRule& rule) { return rule.family == Family::kIpv6; }) +
      std::erase_if(state.tables, [](const auto& table) {
        return FamilyOf(table.first) == Family::kIpv6;
      });
  return dropped != 0;
}

Outcome Failed(ErrorCode code, int system_errno, std::string message) {
  return {StepResult::kFailed, Error{code, std::move(message), system_errno}};
}

}  // namespace

FakeKernel::FakeKernel()
    : rules{DefaultRule(0, 255), DefaultRule(32766, kMainTable),
            DefaultRule(32767, 253)} {
  for (const XtTable table :
       {XtTable::kMangle, XtTable::kNat, XtTable::kMangle6, XtTable::kNat6}) {
    tables[table].table = table;
  }
}

// ---- reads ----

Result<Facts> FakeKernel::ReadFacts(const FactsScope& scope) {
  calls.emplace_back("facts");
  if (read_error) {
    return tl::unexpected<Error>(*std::exchange(read_error, {}));
  }
  Facts facts;
  if (scope.default_source) facts.default_source = host_.default_source;
  if (scope.default_source && scope.ipv6) {
    facts.default_source6 = host_.default_source6;
  }
  for (const std::string& name : scope.links) {
    const auto link = host_.links.find(name);
    if (link == host_.links.end()) continue;
    Link& told = facts.links.insert(*link).first->second;
    if (!scope.default_routes.contains(name)) told.default_route.reset();
    if (!scope.default_routes6.contains(name)) told.default_route6.reset();
    if (!scope.ipv6) DropIpv6(told);
  }
  for (const std::string& name : scope.ipsets) {
    if (host_.ipsets.contains(name)) facts.ipsets.insert(name);
  }
  return facts;
}

Result<State> FakeKernel::Observe(const ObserveScope& scope) {
  calls.emplace_back("observe");
  if (read_error) {
    return tl::unexpected<Error>(*std::exchange(read_error, {}));
  }
  State state = Ours();
  State without = state;
  const bool there = DropIpv6(without);
  if (scope.ipv6 || scope.sweep || ipv6_there_) {
    ipv6_there_ = there;
  } else {
    state = std::move(without);
  }
  std::erase_if(state.routes, [&scope](const auto& route) {
    return !scope.sweep && !scope.tables.contains(route.first.table);
  });
  for (const auto& [key, route] : routes) {
    if (route.protocol != kProtocol && scope.tables.contains(key.table)) {
      state.foreign_routes.emplace(key, route);
    }
  }
  state.chains_version = ChainsVersion();
  return state;
}

Result<ChainLook> FakeKernel::LookAtChains() {
  calls.emplace_back("look");
  if (read_error) {
    return tl::unexpected<Error>(*std::exchange(read_error, {}));
  }
  return ChainLook{ChainsVersion(), {}};
}

std::uint64_t FakeKernel::ChainsVersion() {
  if (seen_tables_ != tables) {
    seen_tables_ = tables;
    ++chains_version_;
  }
  return chains_version_;
}

State FakeKernel::Ours() const {
  State state;
  for (const auto& [key, route] : routes) {
    if (route.protocol == kProtocol) state.routes.emplace(key, route);
  }
  std::ranges::copy_if(rules, std::back_inserter(state.rules), IsOurs);
  std::ranges::sort(state.rules);
  for (const auto& [table, content] : tables) {
    XtTableState ours = content.Ours();
    if (!ours.Empty()) state.tables.emplace(table, std::move(ours));
  }
  return state;
}

FakeKernel::Foreign FakeKernel::AllForeign() const {
  Foreign foreign{routes, rules, {}};
  std::erase_if(foreign.routes, [](const auto& route) {
    return route.second.protocol == kProtocol;
  });
  std::erase_if(foreign.rules, IsOurs);
  for (const auto& [table, content] : tables) {
    foreign.tables.emplace(table, content.Foreign());
  }
  return foreign;
}

// ---- what others do ----

void FakeKernel::SetHost(const Facts& host) {
  host_ = host;
  std::erase_if(routes, [this](const auto& entry) {
    const Route& route = entry.second;
    const auto dead = [this](const NextHop& hop) {
      const auto link = host_.links.find(hop.link);
      return link == host_.links.end() || !link->second.up;
    };
    // A multipath route dies with its last leg.
    const bool all_dead =
        !route.next_hops.empty() && std::ranges::all_of(route.next_hops, dead);
    Route alone = route;
    alone.next_hops.clear();
    return all_dead || Refuses(alone).has_value();
  });
}

void FakeKernel::InsertRule(const PolicyRule& rule) {
  rules.insert(
      std::ranges::upper_bound(rules, rule.priority, {}, &PolicyRule::priority),
      rule);
}

void FakeKernel::SetOurs(const State& ours) {
  Foreign foreign = AllForeign();
  routes = std::move(foreign.routes);
  for (const auto& [key, route] : ours.routes) routes.emplace(key, route);
  rules = std::move(foreign.rules);
  for (const PolicyRule& rule : ours.rules) InsertRule(rule);
  for (auto& [table, content] : tables) {
    const auto found = ours.tables.find(table);
    content.SetOurs(found == ours.tables.end() ? XtTableState{}
                                               : *found->second);
  }
}

// ---- writes ----

std::vector<Outcome> FakeKernel::Execute(std::span<const Step> steps) {
  calls.push_back("execute " + std::to_string(steps.size()));
  std::vector<Outcome> outcomes;
  for (const Step& step : steps) {
    if (before_write) std::exchange(before_write, nullptr)(*this);
    const std::set<FamilyMark> before = MarksThatLeadNowhere();
    outcomes.push_back(ExecuteOne(step));
    for (const FamilyMark& lost : MarksThatLeadNowhere()) {
      if (before.contains(lost)) continue;
      broken_promises.push_back(std::string(FamilyName(lost.first)) + " mark " +
                                std::to_string(lost.second.value) +
                                " after: " + step.reason);
    }
  }
  return outcomes;
}

Outcome FakeKernel::ExecuteOne(const Step& step) {
  writes.push_back(step);
  ++writes_since_fault_set_;
  const Fault fault =
      writes_since_fault_set_ == fault_at_ ? fault_ : Fault::kNone;
  if (fault == Fault::kKill) throw Killed{};
  if (fault == Fault::kBefore) return {StepResult::kFailed, fault_error_};
  Outcome outcome = std::visit(
      [this](const auto& change) { return Do(change); }, step.change);
  if (fault == Fault::kAfter) return {StepResult::kFailed, fault_error_};
  return outcome;
}

Outcome FakeKernel::Do(const PutRoute& put) {
  const auto has = routes.find(put.route.key);
  if (has != routes.end()) {
    if (has->second.protocol != kProtocol) {
      return Failed(ErrorCode::kAlreadyExists, EEXIST, "File exists");
    }
    if (has->second == put.route) return {StepResult::kAlreadySo, {}};
    if (!put.replaces) {
      return {StepResult::kConflict,
              Error{ErrorCode::kAborted, "File exists", EEXIST}};
    }
  }
  if (auto error = Refuses(put.route)) return {StepResult::kFailed, *error};
  routes.insert_or_assign(put.route.key, put.route);
  return {};
}

std::optional<Error> FakeKernel::Refuses(const Route& route) const {
  if (route.preferred_source) {
    const auto has_source = [&route](const auto& link) {
      return std::ranges::find(link.second.addresses, *route.preferred_source,
                               &LinkAddress::local) !=
             link.second.addresses.end();
    };
    if (std::ranges::none_of(host_.links, has_source)) {
      return Error{ErrorCode::kInvalidArgument, "Invalid prefsrc address",
                   EINVAL};
    }
  }
  for (const NextHop& hop : route.next_hops) {
    if (auto error = Refuses(hop)) return error;
  }
  return std::nullopt;
}

std::optional<Error> FakeKernel::Refuses(const NextHop& hop) const {
  const auto found = host_.links.find(hop.link);
  if (found == host_.links.end()) {
    return Error{ErrorCode::kNotFound, "Cannot find device", ENODEV};
  }
  const Link& link = found->second;
  if (!link.up) {
    return Error{ErrorCode::kFailedPrecondition, "Device for nexthop is not up",
                 ENETDOWN};
  }
  if (!hop.gateway || hop.onlink || hop.gateway->IsLinkLocal()) {
    return std::nullopt;
  }
  const bool reachable =
      std::ranges::any_of(link.addresses, [&hop](const LinkAddress& address) {
        return address.network.Contains(*hop.gateway) ||
               address.peer == hop.gateway;
      });
  if (reachable) return std::nullopt;
  return Error{ErrorCode::kFailedPrecondition, "Nexthop has invalid gateway",
               ENETUNREACH};
}

Outcome FakeKernel::Do(const RemoveRoute& remove) {
  const auto has = routes.find(remove.route.key);
  if (has == routes.end() || has->second != remove.route) {
    return {StepResult::kAlreadySo, {}};
  }
  routes.erase(has);
  return {};
}

Outcome FakeKernel::Do(const AddRule& add) {
  if (std::ranges::find(rules, add.rule) != rules.end()) {
    return {StepResult::kAlreadySo, {}};
  }
  InsertRule(add.rule);
  return {};
}

Outcome FakeKernel::Do(const RemoveRule& remove) {
  const auto rule = std::ranges::find(rules, remove.rule);
  if (rule == rules.end()) return {StepResult::kAlreadySo, {}};
  rules.erase(rule);
  return {};
}

Outcome FakeKernel::Do(const EditXtTable& edit) {
  if (missing_tables.contains(edit.table)) {
    return Failed(ErrorCode::kFailedPrecondition, ENOENT,
                  "Table does not exist (do you need to insmod?)");
  }
  return tables.at(edit.table).Commit(edit);
}

// ---- faults ----

void FakeKernel::SetFault(Fault fault, std::size_t n, const Error& error) {
  fault_ = fault;
  fault_at_ = n;
  fault_error_ = error;
  writes_since_fault_set_ = 0;
}

void FakeKernel::FailNth(std::size_t n, const Error& error) {
  SetFault(Fault::kBefore, n, error);
}

void FakeKernel::FailNthAfter(std::size_t n, const Error& error) {
  SetFault(Fault::kAfter, n, error);
}

void FakeKernel::InterruptNth(std::size_t n) {
  SetFault(Fault::kKill, n, {});
}

void FakeKernel::NoFaults() {
  SetFault(Fault::kNone, 0, {});
}

// ---- what must hold at every instant ----

std::set<FakeKernel::FamilyMark> FakeKernel::MarksThatLeadNowhere() const {
  std::set<FamilyMark> marks;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const auto& [name, chain] : tables.at(MangleOf(family)).chains) {
      if (!IsOwnedChain(name)) continue;
      for (const FakeRule& rule : chain) {
        const auto* set = std::get_if<SetMarkTarget>(&rule.rule.target);
        if (set == nullptr || LeadsSomewhere(set->mark, family)) continue;
        marks.emplace(family, set->mark);
      }
    }
  }
  return marks;
}

bool FakeKernel::LeadsSomewhere(const Mark& mark, Family family) const {
  return std::ranges::any_of(rules, [&](const PolicyRule& rule) {
    if (rule.family != family || rule.mark != mark) return false;
    if (rule.action != RuleAction::kLookup) return true;
    return std::ranges::any_of(routes, [&](const auto& route) {
      return route.first.table == rule.table &&
             route.first.destination == Prefix::Default(family);
    });
  });
}

}  // namespace uplinkd
