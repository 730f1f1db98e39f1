// Load: how busy an uplink is, as least-connections sees it.
//
// The agent counts (see linux/statistics.h and agent/load_watch.h); the core
// only computes with what it is given. A load is a fact like any other, but one
// that moves all the time, so it comes with a rule for when a change matters.
#ifndef UPLINKD_RECONCILER_LOAD_H_
#define UPLINKD_RECONCILER_LOAD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconciler/ip.h"

namespace uplinkd {

struct UplinkLoad {
  std::uint64_t connections = 0;  // busy ones, at this moment
  double arrivals = 0;            // new connections until the next look

  friend auto operator<=>(const UplinkLoad&, const UplinkLoad&) = default;
};

// By the uplink's name. Empty: nothing was counted yet, so the weights decide.
// Otherwise an uplink that is not there has no connections.
using Loads = std::map<std::string, UplinkLoad>;

// One uplink of a least-connections choice.
struct CountedMember {
  std::string uplink;
  std::uint64_t weight = 1;  // what the spec gives it
  std::uint64_t share = 1;   // of new connections, relative to the others'

  friend auto operator<=>(const CountedMember&, const CountedMember&) = default;
};
using CountedChoice = std::vector<CountedMember>;

// A policy makes one choice in each family, of the uplinks that carry it.
struct ChoiceKey {
  std::string policy;
  Family family = Family::kIpv4;

  friend auto operator<=>(const ChoiceKey&, const ChoiceKey&) = default;
};
using CountedChoices = std::map<ChoiceKey, CountedChoice>;

// Gives each member the share that levels out the connections per weight; see
// water_fill.h. Under loads the shares are whole parts of kShareParts, so that
// equal shares are equal rules; without, they are the weights.
inline constexpr std::uint64_t kShareParts = 1000;
CountedChoice WithShares(CountedChoice choice, const Loads& loads);

// Whether `choice`, whose shares are in force, should be written anew for
// `loads`. Either is enough:
//
//   - A tenth of the new connections would go elsewhere, and until the next
//     look that is half a connection.
//   - A member that gets some should get none, even if it held only half of
//     what it does: a small one that is full would not move a tenth.
//   - A member that gets none should get some.
//
// Counts move all the time, by about their square root, and the shares with
// them; a write is a commit of the table, which starts the `statistic nth`
// rules of others in it anew. By least_connections_simulation_test.cc, with 3
// to 60 arrivals a second on lines of which one turns bad, downloads take 3 %
// longer than if every look wrote (30 % if that line is a small one), at 0.8 to
// 2.8 writes a second instead of 2.1 to 3.9. While all is well there are 0.3 to
// 1.5 instead of 1.6 to 3.7.
bool Matters(const CountedChoice& choice, const Loads& loads);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LOAD_H_
