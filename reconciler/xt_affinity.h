// The xtables lowering of affinity: lists of clients, in front of a choice.
//
// Pure. Each uplink that a policy may choose has an xt_recent list of the
// clients that have it. The kernel keeps a list, under its name, while any rule
// names it: commits and other rules do it no harm, and with the last rule of an
// uplink that no longer serves, its clients are forgotten.
//
//   UPL-FATE.voice    on a list? goto UPL-SAME.voice.ID, for each uplink
//                     off all lists, then the choice
//   UPL-SAME.voice.1  onto the list, or anew on it; goto UPL-MARK-1
//
// By source and destination there are that many lists of each uplink as there
// are groups of destinations, and the choice begins in a chain of its own:
//
//   UPL-FATE.voice     goto UPL-GROUP.voice.N, for each group of destinations
//   UPL-GROUP.voice.5  as above, with the lists of that group; goto UPL-PICK
//   UPL-PICK.voice     the choice
//   UPL-SAME.voice.1   onto the list of the destination's group; the mark
//
// So a client is on one list (of a group) at most, and a known one costs a look
// at each of the lists before its own. Established packets never come here.
#ifndef UPLINKD_RECONCILER_XT_AFFINITY_H_
#define UPLINKD_RECONCILER_XT_AFFINITY_H_

#include <map>
#include <string>

#include "reconciler/chain.h"
#include "reconciler/filter.h"

namespace uplinkd {

// "UPL-SAME.voice.1", or "UPL-SAME.1" for the default policy: the chain that
// gives a client its uplink, and the list of those that have it; by source and
// destination the lists are UPL-SAME.voice.1-0 to UPL-SAME.voice.1-15.
std::string ClientListName(const std::string& policy, UplinkId id);
// "UPL-PICK.voice": by source and destination, where the choice begins.
std::string PickChainName(const std::string& policy);

// Makes the choice of `policy`, written in `chains`, remember its clients.
void RememberClients(const std::string& policy, const ClientMemory& memory,
                     std::map<std::string, Chain>& chains);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_XT_AFFINITY_H_
