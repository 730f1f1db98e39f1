#include "cli/explain.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "cli/purpose.h"
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
  ip -4 route show dev "$1" proto kernel scope link ${2:+match "$2"} |
    awk '{ print $1; exit }'
}
)";

constexpr const char* kLearners6 = R"(
address6_of() {
  ip -6 -o address show dev "$1" scope global -tentative -deprecated |
    awk '{ sub("/.*", "", $4); print $4; exit }'
}
gateway6_of() { ip -6 route show default dev "$1" | awk '{ print $3; exit }'; }
network6_of() {
  ip -6 route show dev "$1" ${2:+match "$2"} |
    awk '/^[23f][^e].*:/ { print $1; exit }'
}
)";

// The variables of `assumed` as shell lines that learn them.
class Variables {
 public:
  explicit Variables(const Assumed& assumed) : assumed_(assumed) {}

  std::string Render() {
    for (const auto& [name, link] : assumed_.facts.links) {
      for (const LinkAddress& address : link.addresses) {
        const bool ipv6 = address.local.family() == Family::kIpv6;
        Learn(address.local.ToString(), ipv6 ? "address6_of" : "address_of",
              name);
        Learn(address.network.ToString(), ipv6 ? "network6_of" : "network_of",
              name, NetworksApart(link, address));
      }
      if (link.default_route && link.default_route->gateway) {
        Learn(link.default_route->gateway->ToString(), "gateway_of", name);
      }
      if (link.default_route6 && link.default_route6->gateway) {
        Learn(link.default_route6->gateway->ToString(), "gateway6_of", name);
      }
    }
    return text_;
  }

 private:
  // What tells the network of `address` from others of its link: " ADDRESS", or
  // "" where there are no others.
  static std::string NetworksApart(const Link& link,
                                   const LinkAddress& address) {
    const bool apart = std::ranges::any_of(
        link.addresses, [&address](const LinkAddress& other) {
          return other.local.family() == address.local.family() &&
                 other.network != address.network;
        });
    return apart ? " " + address.local.ToString() : "";
  }

  void Learn(const std::string& placeholder, const std::string& learner,
             const std::string& link, const std::string& apart = "") {
    const auto found = assumed_.variables.find(placeholder);
    if (found == assumed_.variables.end()) return;
    const std::string name = found->second.substr(1);  // without the "$"
    if (!learned_.insert(name).second) return;
    text_ += ": \"${" + name + ":=$(" + learner + " " + link + apart + ")}\"\n";
    text_ += ": \"${" + name + ":?" + link + " has none, so set it}\"\n";
  }

  const Assumed& assumed_;
  std::set<std::string> learned_;  // by uplinks in one network, once
  std::string text_;
};

std::string Commands(const Plan& plan, const Desired& desired,
                     const Assumed& assumed) {
  std::string text;
  std::optional<Stage> stage;
  std::string purpose;
  for (const Step& step : plan.steps) {
    if (step.stage != stage) {
      stage = step.stage;
      text += "\n# ---- " + HeadingOf(step.stage) + " ----\n";
    }
    const std::vector<PlanLine> lines = RenderStep(step);
    const std::vector<std::string> purposes = PurposesOf(step, desired);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      // Neighbours with one purpose share the comment.
      if (purposes[i] != purpose) text += "# " + purposes[i] + "\n";
      purpose = purposes[i];
      text += SubstituteVariables(assumed, lines[i].command) + "\n";
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
    text += kLearners;
    if (HasIpv6(numbered)) text += kLearners6;
    text += Variables(assumed).Render();
  }
  return text + Commands(MakePlan(desired, State()), desired, assumed);
}

}  // namespace uplinkd
