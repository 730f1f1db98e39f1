// ProbePaths: by which way probes take an uplink, as the last pass saw it.
// Pure.
#ifndef UPLINKD_AGENT_PROBE_PATHS_H_
#define UPLINKD_AGENT_PROBE_PATHS_H_

#include <optional>
#include <vector>

#include "agent/probe.h"
#include "reconciler/reconcile.h"
#include "reconciler/spec.h"

namespace uplinkd {

// None: `state`, an uplink of `report`, cannot be probed as it is.
std::optional<ProbePath> ProbePathOf(const Spec& spec, const UplinkState& state,
                                     const Report& report);

// Of every uplink that is ready.
std::vector<ProbePath> ReadyPaths(const Spec& spec, const Report& report);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PROBE_PATHS_H_
