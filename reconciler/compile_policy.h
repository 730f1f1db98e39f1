// What the uplinks' present state makes of a policy: a step of Compile(). Pure.
#ifndef UPLINKD_RECONCILER_COMPILE_POLICY_H_
#define UPLINKD_RECONCILER_COMPILE_POLICY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconciler/compile_uplink.h"
#include "reconciler/filter.h"
#include "reconciler/latency.h"
#include "reconciler/load.h"
#include "reconciler/spec.h"

namespace uplinkd {

// An uplink that gets connections of a policy now.
struct Candidate {
  const ResolvedUplink* uplink = nullptr;  // of the list asked about
  // For least-loaded the capacity, since that decides once all are full; for
  // least-connections the share under the loads, which may be 0; for overflow
  // that of an idle router: the first gets all.
  std::uint64_t weight = 1;
};

// Those of the first tier with an uplink that is ready, without the degraded
// ones unless all of them are. Ordered by id; for overflow in the policy's
// order, for failover only the first in it, for lowest-latency the first in its
// ranking. None: the policy is at its last resort. `facts` has the loads and
// the rankings.
std::vector<Candidate> CandidatesOf(const Spec& spec, const Policy& policy,
                                    const std::vector<ResolvedUplink>& uplinks,
                                    const Facts& facts);

Choice CompileChoice(const Spec& spec, const Policy& policy,
                     const std::vector<ResolvedUplink>& uplinks,
                     const Facts& facts);

// Every least-connections choice as `loads` make it, by the policy's name.
std::map<std::string, CountedChoice> CompileCounted(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks,
    const Loads& loads);

// Every lowest-latency choice as `rankings` make it.
RankedChoices CompileRanked(const Spec& spec,
                            const std::vector<ResolvedUplink>& uplinks,
                            const Rankings& rankings);

// The estimators that the policies of `spec` compare, each once. They stay for
// uplinks that are not ready as well, and so know their rates when they return;
// not for disabled ones.
std::vector<RateEstimator> CompileEstimators(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMPILE_POLICY_H_
