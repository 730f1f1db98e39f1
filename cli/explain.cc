#include "cli/explain.h"

#include <optional>
#include <vector>

#include "reconciler/assume.h"
#include "reconciler/compile.h"
#include "reconciler/plan.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

constexpr const char* kPreamble = R"(#
# To read, to compare, or to try in a network namespace. The agent does more: it
# edits each table in one commit, follows addresses and gateways, and repairs.
set -e
)";

// In sh, so that the variables of the caller's environment win.
constexpr const char* kLearners = R"(
# ---- What the agent would learn ----
# Set any of these beforehand to decide otherwise.
address_of() {
  ip -4 -o address show dev "$1" scope global |
    awk '{ sub("/.*", "", $4); print $4; exit }'
}
gateway_of() { ip -4 route show default dev "$1" | awk '{ print $3; exit }'; }
network_of() {
  ip -4 route show dev "$1" proto kernel scope link | awk '{ print $1; exit }'
}
)";

std::string HeadingOf(Stage stage) {
  switch (stage) {
    case Stage::kPutRoutes:
      return "Routes: one table per uplink, with a way out and a floor";
    case Stage::kAddRules: return "ip rules: which packet looks up which table";
    case Stage::kMakeNat:
      return "nat: sources become the address of the uplink they leave by";
    case Stage::kMangle:
      return "mangle: a new connection gets an uplink once, and keeps it";
    case Stage::kBreakNat:
    case Stage::kRemoveRules:
    case Stage::kRemoveRoutes: break;
  }
  return "Removals";
}

// The variables of `assumed` as shell lines that learn them.
class Variables {
 public:
  explicit Variables(const Assumed& assumed) : assumed_(assumed) {}

  std::string Render() {
    for (const auto& [name, link] : assumed_.facts.links) {
      for (const LinkAddress& address : link.addresses) {
        Learn(address.local.ToString(), "address_of", name);
        Learn(address.network.ToString(), "network_of", name);
      }
      if (link.default_route && link.default_route->gateway) {
        Learn(link.default_route->gateway->ToString(), "gateway_of", name);
      }
    }
    return text_;
  }

 private:
  void Learn(const std::string& placeholder, const std::string& learner,
             const std::string& link) {
    const auto found = assumed_.variables.find(placeholder);
    if (found == assumed_.variables.end()) return;
    const std::string name = found->second.substr(1);  // without the "$"
    text_ += ": \"${" + name + ":=$(" + learner + " " + link + ")}\"\n";
    text_ += ": \"${" + name + ":?" + link + " has none, so set it}\"\n";
  }

  const Assumed& assumed_;
  std::string text_;
};

std::string Commands(const Plan& plan, const Assumed& assumed) {
  std::string text;
  std::optional<Stage> stage;
  std::string reason;
  for (const Step& step : plan.steps) {
    if (step.stage != stage) {
      stage = step.stage;
      reason.clear();
      text += "\n# ---- " + HeadingOf(step.stage) + " ----\n";
    }
    for (const PlanLine& line : RenderStep(step)) {
      if (line.reason != reason) {
        reason = line.reason;
        text += "# " + SubstituteVariables(assumed, reason) + "\n";
      }
      text += SubstituteVariables(assumed, line.command) + "\n";
    }
  }
  return text;
}

}  // namespace

std::string ExplainScript(const Spec& spec) {
  const Spec numbered = AssignIds(spec, {});
  const Assumed assumed = AssumeFacts(numbered);
  const Desired desired = Compile(numbered, assumed.facts);
  std::string text = "#!/bin/sh\n# What uplinkd does for the spec \"" +
                     spec.name +
                     "\" in a kernel that has nothing of it yet.\n" + kPreamble;
  if (!assumed.variables.empty()) {
    text += kLearners + Variables(assumed).Render();
  }
  return text + Commands(MakePlan(desired, State()), assumed);
}

}  // namespace uplinkd
