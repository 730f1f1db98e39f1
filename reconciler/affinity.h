// Affinity: what a spec says about clients that come back.
//
// A client that has got an uplink from a policy gets the same one for its next
// connections, until it has opened none for a lifetime. A value; pure.
#ifndef UPLINKD_RECONCILER_AFFINITY_H_
#define UPLINKD_RECONCILER_AFFINITY_H_

#include <chrono>

namespace uplinkd {

// What connections of one client have in common.
enum class AffinityKey {
  kNone,    // nothing: each is a decision of its own
  kSource,  // the source address
  // Both addresses. Destinations are told apart by their group alone, see
  // kDestinationGroups: two connections with the same addresses always have it
  // in common, and to some other destinations as well.
  kSourceDestination,
};

struct Affinity {
  AffinityKey by = AffinityKey::kNone;
  // Since the client's last new connection. Whole seconds, as xt_recent counts.
  std::chrono::milliseconds lifetime = std::chrono::minutes(10);

  friend auto operator<=>(const Affinity&, const Affinity&) = default;
};

// A 32-bit kernel that ticks 1000 times a second cannot tell ages above 24
// days apart.
inline constexpr std::chrono::hours kMaxAffinityLifetime{24 * 7};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_AFFINITY_H_
