// Explain: a spec as the shell script that does the same by hand.
//
// The plan of an empty kernel, rendered, with headings and reasons. What the
// agent would learn from the host stands as variables at the top.
#ifndef UPLINKD_CLI_EXPLAIN_H_
#define UPLINKD_CLI_EXPLAIN_H_

#include <string>

#include "reconciler/spec.h"

namespace uplinkd {

// `spec` must be valid; ids may still be unassigned. Pure.
std::string ExplainScript(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_CLI_EXPLAIN_H_
