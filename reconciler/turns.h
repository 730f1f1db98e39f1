// Turns: the order in which round-robin serves its members. Pure.
#ifndef UPLINKD_RECONCILER_TURNS_H_
#define UPLINKD_RECONCILER_TURNS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace uplinkd {

// A cycle is not longer than what an xt_recent entry can count.
inline constexpr std::uint64_t kMaxCycle = 255;

// How many turns each of `weights` gets in one cycle. Exact where the reduced
// weights fit into a cycle; else the shortest cycle in which no member's part
// is more than 1 % off, since a shorter one needs fewer chains; failing that
// the longest. At least one turn each.
// `weights` are 1 or more each, and at most kMaxCycle of them.
std::vector<std::uint64_t> TurnsPerCycle(std::vector<std::uint64_t> weights);

// The cycle itself: indices into `turns`, each as often as it says, spread as
// evenly as can be ("smooth" weighted round-robin).
std::vector<std::size_t> SmoothCycle(const std::vector<std::uint64_t>& turns);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_TURNS_H_
