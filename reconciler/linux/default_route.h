// Gateway discovery: main's default route through each link.
#ifndef UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_
#define UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/facts.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"

struct nlmsghdr;

namespace uplinkd {

// Fills in the default route of those `links` that are up and among `wanted`.
// For each link, the best default route of main through it, even if another
// link has a better one. Asks the kernel's own lookup, so a full BGP feed in
// main costs nothing; only where other routes or ip rules hide the answer are
// the link's routes in main listed.
Result<void> ReadDefaultRoutes(NlSocket& socket, Family family,
                               const std::set<std::string>& wanted,
                               std::vector<Link>& links);

// The source address that the kernel gives a connection of this machine's own
// which goes by main's default route; none if it has no such route.
Result<std::optional<Address>> ReadDefaultSource(NlSocket& socket,
                                                 Family family);

// The source address in an answer about a route, if that is one of main.
std::optional<Address> DecodeSourceInMain(nlmsghdr* message, Family family);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_
