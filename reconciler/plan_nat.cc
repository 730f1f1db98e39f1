#include "reconciler/plan_nat.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include "reconciler/plan_tables.h"

namespace uplinkd {
namespace {

// Calls `visit` with every rule of our mangle chains.
template <typename Visit>
void ForEachMangleRule(const State& state, Family family, Visit visit) {
  const auto mangle = state.tables.find(MangleOf(family));
  if (mangle == state.tables.end()) return;
  for (const auto& [name, rules] : mangle->second->chains) {
    for (const ChainRule& rule : rules) visit(rule);
  }
}

// The fates that connections get.
std::set<Mark> FatesGiven(const State& state, Family family) {
  std::set<Mark> marks;
  ForEachMangleRule(state, family, [&marks](const ChainRule& rule) {
    if (const auto* set = std::get_if<SetMarkTarget>(&rule.target)) {
      marks.insert(set->mark);
    }
  });
  return marks;
}

// The links by which connections with such a fate leave: mark, rule, table,
// route.
std::set<std::string> LinksOf(const std::set<Mark>& fates, const State& state,
                              Family family) {
  std::set<std::uint32_t> tables;
  for (const PolicyRule& rule : state.rules) {
    if (rule.family != family || !rule.mark) continue;
    if (fates.contains(*rule.mark)) tables.insert(rule.table);
  }
  std::set<std::string> links;
  for (const auto& [key, route] : state.routes) {
    if (key.destination != Prefix::Default(family)) continue;
    if (!tables.contains(key.table)) continue;
    for (const NextHop& hop : route.next_hops) links.insert(hop.link);
  }
  return links;
}

// The fate that a translation is for alone, where uplinks share its link.
std::optional<Mark> FateOf(const ChainRule& rule) {
  for (const Match& match : rule.matches) {
    const auto* connmark = std::get_if<ConnmarkMatch>(&match);
    if (connmark != nullptr && !connmark->invert) return connmark->mark;
  }
  return std::nullopt;
}

std::set<Prefix> SourcesInMangle(const State& state, Family family) {
  std::set<Prefix> sources;
  ForEachMangleRule(state, family, [&sources](const ChainRule& rule) {
    if (rule.source) sources.insert(rule.source->prefix);
  });
  return sources;
}

template <typename T>
std::set<T> Without(const std::set<T>& a, const std::set<T>& b) {
  std::set<T> rest;
  std::ranges::set_difference(a, b, std::inserter(rest, rest.end()));
  return rest;
}

bool OnlyRemoves(const std::vector<ChainEdit>& edits) {
  return std::ranges::none_of(edits, [](const ChainEdit& edit) {
    return edit.kind == ChainEdit::Kind::kCreateChain ||
           edit.kind == ChainEdit::Kind::kInsertRule ||
           edit.kind == ChainEdit::Kind::kInsertJump;
  });
}

}  // namespace

XtTableState NatBeforeMangle(const XtTableState& have, const XtTableState& want,
                             const State& desired, const State& observed,
                             Family family) {
  if (OnlyRemoves(DiffTables(have, want))) return have;
  const std::set<Mark> had = FatesGiven(observed, family);
  const std::set<Mark> get = FatesGiven(desired, family);
  const std::set<Mark> fates = Without(had, get);
  // By the routes there are, and by those that are put before.
  std::set<std::string> leaving = LinksOf(had, observed, family);
  leaving.merge(LinksOf(had, desired, family));
  const std::set<std::string> links =
      Without(leaving, LinksOf(get, desired, family));
  const std::set<Prefix> sources = Without(SourcesInMangle(observed, family),
                                           SourcesInMangle(desired, family));
  return WithStillUsed(have, want, [&](const ChainRule& rule) {
    const std::optional<Mark> fate = FateOf(rule);
    return (fate && fates.contains(*fate)) ||
           links.contains(rule.out_interface) ||
           (rule.source && sources.contains(rule.source->prefix));
  });
}

}  // namespace uplinkd
