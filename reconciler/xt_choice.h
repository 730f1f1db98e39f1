// The xtables lowering of a Choice: the chains that give a new connection one
// of the members' fates.
//
// Pure. Every choice is a tree of chains whose leaves are gotos to the mark
// chains, so that a packet sees a path, not all members; least-loaded, which
// must compare them all, is a tournament, and overflow a chain of chains. A
// member of weight 0 is in no path, and the others' nodes keep their names.
#ifndef UPLINKD_RECONCILER_XT_CHOICE_H_
#define UPLINKD_RECONCILER_XT_CHOICE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/filter.h"

namespace uplinkd {

// "UPL-MARK-1": gives a connection the fate of the uplink with this id.
std::string MarkChainName(UplinkId id);

// What all of `matches` are true of goes on in `chain`, and does not come back.
ChainRule Goto(std::string_view chain, std::vector<Match> matches = {});

// Where the choice of a policy begins: "UPL-FATE" for the default one, else
// "UPL-FATE.voice". The further chains of it are named after it: a node that
// divides the members (or turns) below a number from the others has that
// number, "UPL-FATE.voice.3".
std::string FateChainName(const std::string& policy);
// What a packet gets that no uplink carries: a mark of its own, or for kMain a
// return to the hook.
ChainRule LastResortRule(LastResort last_resort, std::uint32_t mark_mask);

// What names of its own have at the end: "" for the default policy, ".voice".
std::string PolicySuffix(const std::string& policy);

// The list whose hits round-robin counts: "UPL-TURN", "UPL-TURN.voice".
std::string TurnCounterName(const std::string& policy);

// Whether a chain of this name is one of the choice of `policy`.
bool IsChainOfChoice(std::string_view chain, const std::string& policy);

// The chains of the choice of `policy`, FateChainName() always among them.
// `estimators` has the name of each member's estimator, for least-loaded and
// overflow.
// `mark_mask` is that of the marks: a last resort has one too.
std::map<std::string, Chain> LowerChoice(
    const std::string& policy, const Choice& choice, std::uint32_t mark_mask,
    const std::map<UplinkId, std::string>& estimators);

// The seed of the coin that compares bit `bit` (0 is the highest) in the
// source-hash node that divides the ids below `pivot` from the others. A
// function of the two alone, so that a client keeps its coins when weights
// change or members come and go.
std::uint32_t CoinSeed(UplinkId pivot, int bit);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_CHOICE_H_
