// The xtables lowering of a Choice: the chains that give a new connection one
// of the members' fates.
//
// Pure. Every choice is a tree of chains whose leaves are gotos to the mark
// chains, so that a packet sees a path, not all members; least-loaded, which
// must compare them all, is a tournament.
#ifndef UPLINKD_RECONCILER_XT_CHOICE_H_
#define UPLINKD_RECONCILER_XT_CHOICE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "reconciler/chain.h"
#include "reconciler/filter.h"

namespace uplinkd {

// Where the choice begins. Present if there are members.
inline constexpr std::string_view kFateChain = "UPL-FATE";
// The list whose hits round-robin counts.
inline constexpr std::string_view kTurnCounter = "UPL-TURN";

// "UPL-MARK-1": gives a connection the fate of the uplink with this id.
std::string MarkChainName(UplinkId id);

// The chains of `choice`, kFateChain among them; none without members.
// `estimators` has the name of each member's estimator for least-loaded.
std::map<std::string, Chain> LowerChoice(
    const Choice& choice, const std::map<UplinkId, std::string>& estimators);

// The seed of the coin that compares bit `bit` (0 is the highest) in the
// source-hash node that divides the ids below `pivot` from the others. A
// function of the two alone, so that a client keeps its coins when weights
// change or members come and go.
std::uint32_t CoinSeed(UplinkId pivot, int bit);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_CHOICE_H_
