// What a spec says about the connections of uplinks that fail, return, or are
// to be emptied.
#ifndef UPLINKD_RECONCILER_FAILOVER_SPEC_H_
#define UPLINKD_RECONCILER_FAILOVER_SPEC_H_

namespace uplinkd {

// What an operator means an uplink to do.
enum class UplinkMode {
  kEnabled,
  kDraining,  // keeps its connections, but gets no new ones from the LANs
  kDisabled,  // as if its link were missing
};

// What becomes of connections whose uplink stopped carrying them.
enum class OnFailover {
  kCut,   // their entries go, so that the next packet starts anew elsewhere
  kKeep,  // they wait for their uplink
};

// What becomes of connections on a lower tier once a higher one serves again.
enum class OnFailback {
  kKeep,   // they end by themselves
  kDrain,  // the same, but what is left at the deadline is cut
  kCut,    // cut at once
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_FAILOVER_SPEC_H_
