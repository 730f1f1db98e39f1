// Gateway discovery: main's default route through one link.
#ifndef UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_
#define UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_

#include <optional>
#include <string>

#include "reconciler/facts.h"
#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"

namespace uplinkd {

// IPv4. The best default route of main through that link, even if another
// link has a better one. Asks the kernel's own lookup, so a full BGP feed in
// main costs nothing; only where other routes or ip rules hide the answer are
// the link's routes in main listed.
Result<std::optional<DefaultRoute>> ReadDefaultRoute(NlSocket& socket,
                                                     LinkNames& names,
                                                     const std::string& link);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_DEFAULT_ROUTE_H_
