#include "reconciler/linux/linux_kernel.h"

#include <linux/netlink.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <variant>

#include "reconciler/linux/link.h"
#include "reconciler/linux/netlink_steps.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/linux/xtables.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// Which executor a change belongs to.
enum class Kind { kRoute, kRule, kXtTable };

Kind KindOf(const Step& step) {
  if (std::holds_alternative<EditXtTable>(step.change)) return Kind::kXtTable;
  const bool rule = std::holds_alternative<AddRule>(step.change) ||
                    std::holds_alternative<RemoveRule>(step.change);
  return rule ? Kind::kRule : Kind::kRoute;
}

// Files a route of one of our tables under its owner.
void FileRoute(const Route& route, State& state) {
  if (route.protocol != kProtocol) {
    state.foreign_routes.try_emplace(route.key, route);
    return;
  }
  const auto [first, added] = state.routes.try_emplace(route.key, route);
  // Appended by somebody in our name. The first one counts, but it is not
  // alone, so it must not pass for the one that is wanted.
  if (!added) first->second.extra = "and another with the same key";
}

bool HasIpv6Objects(const State& state) {
  const auto is_ipv6 = [](Family family) { return family == Family::kIpv6; };
  return std::ranges::any_of(state.rules, is_ipv6, &PolicyRule::family) ||
         std::ranges::any_of(state.routes,
                             [&](const auto& route) {
                               return is_ipv6(route.first.destination.family());
                             }) ||
         std::ranges::any_of(state.tables, [&](const auto& table) {
           return is_ipv6(FamilyOf(table.first)) && !table.second->Empty();
         });
}

class LinuxKernel : public Kernel {
 public:
  LinuxKernel(std::unique_ptr<NlSocket> socket,
              const LinuxKernelOptions& options)
      : socket_(std::move(socket)), xtables_(options.lock_timeout) {}

  Result<Facts> ReadFacts(const FactsScope& scope) override {
    Result<Facts> facts = uplinkd::ReadFacts(*socket_, scope);
    if (!facts) return facts;
    known_names_.clear();
    for (const auto& [name, link] : facts->links) {
      known_names_.emplace(link.index, name);
    }
    return facts;
  }

  Result<State> Observe(const ObserveScope& scope) override {
    const bool ipv6 = scope.ipv6 || ipv6_there_ || (scope.sweep && !swept_);
    State state;
    LinkNames names(*socket_, std::exchange(known_names_, {}));
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if (family == Family::kIpv6 && !ipv6) continue;
      if (auto read = ObserveRoutes(scope, family, names, state); !read) {
        return tl::unexpected(read.error());
      }
      Result<std::vector<PolicyRule>> rules = ReadOwnRules(*socket_, family);
      if (!rules) return tl::unexpected(rules.error());
      std::ranges::move(*rules, std::back_inserter(state.rules));
    }
    std::ranges::sort(state.rules);
    Result<XtTables> tables = xtables_.Observe(ipv6);
    if (!tables) return tl::unexpected(tables.error());
    state.tables = std::move(*tables);
    swept_ = swept_ || scope.sweep;
    ipv6_there_ = ipv6 && HasIpv6Objects(state);
    if (!scope.ipv6 && !ipv6_there_) xtables_.ForgetIpv6();
    const ChainLook look = xtables_.last_look();
    state.fates_given = look.fates_given;
    state.chains_version = look.version;
    return state;
  }

  Result<ChainLook> LookAtChains() override { return xtables_.Look(); }

  std::vector<Outcome> Execute(std::span<const Step> steps) override {
    std::vector<Outcome> outcomes;
    while (!steps.empty()) {
      const Kind kind = KindOf(steps.front());
      const auto end = std::ranges::find_if(
          steps, [&](const Step& step) { return KindOf(step) != kind; });
      const std::span<const Step> run(steps.begin(), end);
      std::ranges::move(ExecuteRun(kind, run), std::back_inserter(outcomes));
      steps = steps.subspan(run.size());
    }
    return outcomes;
  }

  KernelCosts costs() const override {
    return {xtables_.lock().waits(), xtables_.lock().timeouts(),
            socket_->interrupted_dumps()};
  }

 private:
  Result<void> ObserveRoutes(const ObserveScope& scope, Family family,
                             LinkNames& names, State& state) {
    for (const std::uint32_t table : scope.tables) {
      if (table == 0) continue;  // to the kernel that means every table
      Result<std::vector<Route>> routes = ReadRoutes(
          *socket_, names, RouteFilter{.family = family, .table = table});
      if (!routes) return tl::unexpected(routes.error());
      for (const Route& route : *routes) FileRoute(route, state);
    }
    if (!scope.sweep) return {};
    Result<std::vector<Route>> routes = ReadRoutes(
        *socket_, names, RouteFilter{.family = family, .protocol = kProtocol});
    if (!routes) return tl::unexpected(routes.error());
    for (const Route& route : *routes) {
      if (scope.tables.contains(route.key.table)) continue;  // filed above
      FileRoute(route, state);
    }
    return {};
  }

  std::vector<Outcome> ExecuteRun(Kind kind, std::span<const Step> steps) {
    switch (kind) {
      case Kind::kRoute: return ExecuteRouteSteps(*socket_, steps);
      case Kind::kRule: return ExecuteRuleSteps(*socket_, steps);
      case Kind::kXtTable: break;
    }
    std::vector<Outcome> outcomes;
    for (const Step& step : steps) {
      outcomes.push_back(xtables_.Execute(std::get<EditXtTable>(step.change)));
    }
    return outcomes;
  }

  std::unique_ptr<NlSocket> socket_;
  // The numbers and names of the last ReadFacts(), for the one Observe() that
  // follows: both see the links of the same moment, and none is asked twice.
  std::map<int, std::string> known_names_;
  Xtables xtables_;
  bool swept_ = false;       // a sweep has looked at IPv6
  bool ipv6_there_ = false;  // the last look at IPv6 found something of ours
};

}  // namespace

Result<std::unique_ptr<Kernel>> OpenLinuxKernel(
    const LinuxKernelOptions& options) {
  Result<std::unique_ptr<NlSocket>> socket = NlSocket::Open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  return std::make_unique<LinuxKernel>(std::move(*socket), options);
}

}  // namespace uplinkd
