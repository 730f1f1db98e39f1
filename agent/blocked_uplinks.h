// BlockedUplinks: the uplinks that could not be set up in the last pass.
//
// A blocked uplink gets no fates, so that the others get on. Its routes and
// rules are still desired: every pass tries them again, each poll at the
// latest, and the first pass in which nothing is refused sets it free. Pure.
#ifndef UPLINKD_AGENT_BLOCKED_UPLINKS_H_
#define UPLINKD_AGENT_BLOCKED_UPLINKS_H_

#include <map>
#include <string>

#include "reconciler/reconcile.h"

namespace uplinkd {

// Why an uplink cannot be set up.
struct Refusal {
  std::string reason;  // "KernelRejected" or "ForeignConflict"
  std::string words;   // the kernel's, or what is in the way

  friend bool operator==(const Refusal&, const Refusal&) = default;
};
using Refusals = std::map<UplinkPart, Refusal>;

// The uplinks that could not be set up in a pass.
Refusals RefusalsOf(const Report& report);

// Whether a pass failed for no other reason than its refusals.
bool OnlyRefused(const Report& report);

class BlockedUplinks {
 public:
  // The uplinks that get no fates, each with its words, as PassOptions wants
  // them.
  BlockedParts LeftOut() const;

  // A pass ended. True: other uplinks are blocked now, so another pass is due
  // at once.
  bool PassEnded(const Report& report);

  const Refusals& all() const { return refusals_; }

  // A new spec: everything deserves a new try.
  void Clear() { refusals_.clear(); }

 private:
  Refusals refusals_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_BLOCKED_UPLINKS_H_
