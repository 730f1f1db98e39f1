// AssumeFacts: facts for a spec without a host, so that `uplinkctl explain`
// works on any machine.
//
//   Spec -> Assumed -> Compile, MakePlan, RenderPlan -> SubstituteVariables
//
// What the spec does not say (a learned address, a network's length) stands as
// a placeholder from 0.0.0.0/8, which no host can have, and becomes a shell
// variable in the rendered line. Pure.
#ifndef UPLINKD_RECONCILER_ASSUME_H_
#define UPLINKD_RECONCILER_ASSUME_H_

#include <map>
#include <string>

#include "reconciler/facts.h"
#include "reconciler/spec.h"

namespace uplinkd {

struct Assumed {
  Facts facts;
  // Placeholder -> variable: "0.16.2.2" -> "$WAN2_ADDRESS". Networks have
  // their length with them: "0.16.2.0/24" -> "$WAN2_NETWORK".
  std::map<std::string, std::string> variables;
};

// Every link of `spec` is up and has what the spec says of it. `spec` must be
// valid and have its ids assigned.
Assumed AssumeFacts(const Spec& spec);

// `line` with variables for the placeholders.
std::string SubstituteVariables(const Assumed& assumed, std::string line);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_ASSUME_H_
