// What Compile() made, in short: as text, in the words of ip(8) and
// iptables-save(8), and who is chosen from.
#ifndef UPLINKD_TESTS_CORE_DESIRED_TEXT_H_
#define UPLINKD_TESTS_CORE_DESIRED_TEXT_H_

#include <sstream>
#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/render.h"

namespace uplinkd::testing {

inline std::vector<std::string> RouteLines(const Desired& desired,
                                           std::uint32_t table) {
  std::vector<std::string> lines;
  for (const auto& [key, route] : desired.state.routes) {
    if (key.table == table) lines.push_back(RenderRoute(route));
  }
  return lines;
}

inline std::vector<std::string> RuleLines(const Desired& desired) {
  std::vector<std::string> lines;
  for (const PolicyRule& rule : desired.state.rules) {
    lines.push_back(RenderRule(rule));
  }
  return lines;
}

// A table as iptables-save would list it, without counters.
inline std::string TableText(const Desired& desired, XtTable table) {
  std::ostringstream text;
  const auto found = desired.state.tables.find(table);
  if (found == desired.state.tables.end()) return "";
  for (const auto& [hook, jumps] : found->second->jumps) {
    for (const HookJump& jump : jumps) {
      text << "-I " << XtHookName(hook) << " " << jump.position + 1 << " "
           << RenderChainRule(jump.rule) << "\n";
    }
  }
  for (const auto& [name, chain] : found->second->chains) {
    if (chain.empty()) text << "-N " << name << "\n";
    for (const ChainRule& rule : chain) {
      text << "-A " << name << " " << RenderChainRule(rule) << "\n";
    }
  }
  return text.str();
}

// The uplinks that a policy chooses from.
inline std::vector<UplinkId> MembersOf(const Desired& desired,
                                       const std::string& policy = kBalance,
                                       Family family = Family::kIpv4) {
  std::vector<UplinkId> ids;
  for (const Member& member :
       desired.filters.at(family).choices.at(policy).members) {
    ids.push_back(member.id);
  }
  return ids;
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_DESIRED_TEXT_H_
