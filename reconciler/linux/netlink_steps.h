// Netlink steps: executing route and ip rule steps, a few datagrams for all.
//
// An object that is not ours is never overwritten or removed, not even when it
// appears between the observation and the step. The kernel's REPLACE of routes
// would do that (it takes whatever has the key), so a route of ours is
// replaced by appending the new one and removing the old one by its full
// description; in between the old one works, so there is no gap either.
#ifndef UPLINKD_RECONCILER_LINUX_NETLINK_STEPS_H_
#define UPLINKD_RECONCILER_LINUX_NETLINK_STEPS_H_

#include <span>
#include <vector>

#include "reconciler/kernel.h"
#include "reconciler/linux/nl_socket.h"

namespace uplinkd {

// Executes steps that are all PutRoute or RemoveRoute. One outcome per step.
std::vector<Outcome> ExecuteRouteSteps(NlSocket& socket,
                                       std::span<const Step> steps);

// Executes steps that are all AddRule or RemoveRule. One outcome per step.
std::vector<Outcome> ExecuteRuleSteps(NlSocket& socket,
                                      std::span<const Step> steps);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_NETLINK_STEPS_H_
