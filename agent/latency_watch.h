// LatencyWatch: knows which uplink answers soonest, for lowest-latency.
//
//   HealthReports --Look--> Rankings --> the next pass, if another one leads
//
// The rankings in force are those that passes compile with. Who leads stays the
// leader until another one is better by a margin (see latency.h); what stands
// behind it is kept fresh without a pass. For the engine's thread.
#ifndef UPLINKD_AGENT_LATENCY_WATCH_H_
#define UPLINKD_AGENT_LATENCY_WATCH_H_

#include "agent/health_monitor.h"
#include "agent/log_limiter.h"
#include "reconciler/latency.h"
#include "reconciler/spec.h"

namespace uplinkd {

class LatencyWatch {
 public:
  // Another spec is followed from now on. The rankings of policies that stay
  // are kept: what was measured does not depend on the spec.
  void Follow(const Spec& spec);

  // Whether there is anything to look for.
  bool watching() const { return watching_; }

  // The choices that a pass left in force.
  void PassEnded(const RankedChoices& choices) { choices_ = choices; }

  // True: a policy has another leader from now on, and a pass is due.
  bool Look(const HealthReports& reports);

  // In force.
  const Rankings& rankings() const { return rankings_; }

 private:
  bool watching_ = false;
  RankedChoices choices_;
  Rankings rankings_;
  LogLimiter limiter_{"moves of policies"};
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LATENCY_WATCH_H_
