// Render: steps in the words that network engineers know, ip(8) and
// iptables(8).
//
// Pure. Every line is a command that would do the same by hand (legacy
// iptables, since those are the tables that we write).
#ifndef UPLINKD_RECONCILER_RENDER_H_
#define UPLINKD_RECONCILER_RENDER_H_

#include <string>
#include <vector>

#include "reconciler/plan.h"

namespace uplinkd {

// "198.51.100.0/24 dev wan1 scope link src 198.51.100.2 table 11 proto 117".
// What the words of ip(8) leave out stands behind, in parentheses.
std::string RenderRoute(const Route& route);
// "ip -6 " or "ip ", and what follows.
std::string IpCommand(Family family, std::string_view what);
// "priority 20101 fwmark 0x1/0xff lookup 11 proto 117"
std::string RenderRule(const PolicyRule& rule);
// "-i wan1 -m conntrack --ctstate NEW -g UPL-MARK-1", as iptables or ip6tables
// has it.
std::string RenderChainRule(const ChainRule& rule,
                            Family family = Family::kIpv4);

// One line of a plan.
struct PlanLine {
  char sign = '+';      // '+' create, '~' replace, '-' remove
  std::string command;  // "ip route add ...", "iptables-legacy -t mangle ..."
  std::string reason;
  std::string object;  // "route", "rule", "chain", "chain-rule", "jump"
  Cause cause = Cause::kMissing;
};

// "iptables-legacy -t mangle -I UPL-NEW 1 -i wan1 -g UPL-MARK-1". A rule that
// the program has no words for is deleted by its number.
PlanLine RenderEdit(XtTable table, const ChainEdit& edit);

// One line per route, rule and edit, in the order of execution.
std::vector<PlanLine> RenderStep(const Step& step);
std::vector<PlanLine> RenderPlan(const Plan& plan);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_RENDER_H_
