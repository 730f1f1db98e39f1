#include "reconciler/plan_nat.h"

#include <algorithm>
#include <iterator>
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

// The links by which connections with a fate leave: mark, rule, table, route.
std::set<std::string> LinksWithFates(const State& state, Family family) {
  std::set<Mark> marks;
  ForEachMangleRule(state, family, [&marks](const ChainRule& rule) {
    if (const auto* set = std::get_if<SetMarkTarget>(&rule.target)) {
      marks.insert(set->mark);
    }
  });
  std::set<std::uint32_t> tables;
  for (const PolicyRule& rule : state.rules) {
    if (rule.family != family || !rule.mark) continue;
    if (marks.contains(*rule.mark)) tables.insert(rule.table);
  }
  std::set<std::string> links;
  for (const auto& [key, route] : state.routes) {
    if (key.destination != Prefix::Default(family)) continue;
    if (!tables.contains(key.table)) continue;
    for (const NextHop& hop : route.next_hops) links.insert(hop.link);
  }
  return links;
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
  const std::set<std::string> leaving = Without(
      LinksWithFates(observed, family), LinksWithFates(desired, family));
  const std::set<Prefix> sources = Without(SourcesInMangle(observed, family),
                                           SourcesInMangle(desired, family));
  return WithStillUsed(have, want, [&](const ChainRule& rule) {
    return leaving.contains(rule.out_interface) ||
           (rule.source && sources.contains(rule.source->prefix));
  });
}

}  // namespace uplinkd
