// The words of ip(8), and the steps of a plan.
#include "reconciler/render.h"

#include <cstdint>
#include <utility>
#include <variant>

#include "reconciler/hex.h"

namespace uplinkd {
namespace {

std::string TableWord(std::uint32_t table) {
  return table == kMainTable ? "main" : std::to_string(table);
}

std::string TypeAndDestination(const Route& route) {
  std::string text;
  if (route.type == RouteType::kUnreachable) text = "unreachable ";
  if (route.type == RouteType::kBlackhole) text = "blackhole ";
  const Prefix& destination = route.key.destination;
  return text + (destination.IsDefault() ? "default" : destination.ToString());
}

std::string RenderHop(const NextHop& hop) {
  std::string text;
  if (hop.gateway) text += "via " + hop.gateway->ToString() + " ";
  text += "dev " + hop.link;
  if (hop.onlink) text += " onlink";
  return text;
}

// ip(8) derives the scope of a route from its gateway; say it where it differs
// or where people are used to reading it.
std::string RenderScope(const Route& route) {
  if (route.key.destination.family() == Family::kIpv6) return "";
  if (route.link_scope) return " scope link";
  const bool derived_link =
      route.next_hops.size() == 1 && !route.next_hops.front().gateway;
  return derived_link ? " scope global" : "";
}

std::string RouteWords(const Route& route) {
  const bool single = route.next_hops.size() == 1;
  std::string text = TypeAndDestination(route);
  if (single) text += " " + RenderHop(route.next_hops.front());
  text += RenderScope(route);
  if (route.preferred_source) {
    text += " src " + route.preferred_source->ToString();
  }
  if (route.key.tos != 0) text += " tos " + Hex(route.key.tos);
  if (route.key.metric != 0) {
    text += " metric " + std::to_string(route.key.metric);
  }
  text += " table " + TableWord(route.key.table);
  // The answer to a lookup has none.
  if (route.protocol != 0) text += " proto " + std::to_string(route.protocol);
  if (single) return text;
  for (const NextHop& hop : route.next_hops) {
    text +=
        " nexthop " + RenderHop(hop) + " weight " + std::to_string(hop.weight);
  }
  return text;
}

std::string RuleWords(const PolicyRule& rule) {
  std::string text = "priority " + std::to_string(rule.priority);
  if (rule.source) text += " from " + rule.source->ToString();
  if (!rule.in_interface.empty()) text += " iif " + rule.in_interface;
  if (rule.mark) {
    text += " fwmark " + Hex(rule.mark->value) + "/" + Hex(rule.mark->mask);
  }
  if (!rule.source && !rule.mark && rule.in_interface.empty()) {
    text += " from all";
  }
  switch (rule.action) {
    case RuleAction::kLookup: text += " lookup " + TableWord(rule.table); break;
    case RuleAction::kUnreachable: text += " unreachable"; break;
    case RuleAction::kBlackhole: text += " blackhole"; break;
  }
  if (rule.suppress_prefix_length) {
    text += " suppress_prefixlength " +
            std::to_string(*rule.suppress_prefix_length);
  }
  return text + " proto " + std::to_string(rule.protocol);
}

// For people: what the words of ip(8) above leave out.
std::string WithExtra(const std::string& words, const std::string& extra) {
  return extra.empty() ? words : words + " (" + extra + ")";
}

std::string RouteCommand(const char* verb, const Route& route) {
  return IpCommand(route.key.destination.family(), "route ") + verb + " " +
         RouteWords(route);
}

std::string RuleCommand(const char* verb, const PolicyRule& rule) {
  return IpCommand(rule.family, "rule ") + verb + " " + RuleWords(rule);
}

// Renders the change of a step, one overload per kind.
class StepRenderer {
 public:
  explicit StepRenderer(const Step& step) : step_(step) {}

  std::vector<PlanLine> operator()(const PutRoute& put) const {
    return {Line(put.replaces ? '~' : '+', RouteCommand("replace", put.route),
                 "route")};
  }
  std::vector<PlanLine> operator()(const RemoveRoute& remove) const {
    return {Line('-', RouteCommand("del", remove.route), "route")};
  }
  std::vector<PlanLine> operator()(const AddRule& add) const {
    return {Line('+', RuleCommand("add", add.rule), "rule")};
  }
  std::vector<PlanLine> operator()(const RemoveRule& remove) const {
    return {Line('-', RuleCommand("del", remove.rule), "rule")};
  }
  std::vector<PlanLine> operator()(const EditXtTable& edit_table) const {
    std::vector<PlanLine> lines;
    lines.reserve(edit_table.edits.size());
    for (const ChainEdit& edit : edit_table.edits) {
      lines.push_back(RenderEdit(edit_table.table, edit));
    }
    return lines;
  }

 private:
  PlanLine Line(char sign, std::string command, std::string object) const {
    return {sign, std::move(command), step_.reason, std::move(object),
            step_.cause};
  }

  const Step& step_;
};

}  // namespace

std::string IpCommand(Family family, std::string_view what) {
  return std::string(family == Family::kIpv6 ? "ip -6 " : "ip ").append(what);
}

std::string RenderRoute(const Route& route) {
  return WithExtra(RouteWords(route), route.extra);
}

std::string RenderRule(const PolicyRule& rule) {
  return WithExtra(RuleWords(rule), rule.extra);
}

std::vector<PlanLine> RenderStep(const Step& step) {
  return std::visit(StepRenderer(step), step.change);
}

std::vector<PlanLine> RenderPlan(const Plan& plan) {
  std::vector<PlanLine> lines;
  for (const Step& step : plan.steps) {
    for (PlanLine& line : RenderStep(step)) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace uplinkd
