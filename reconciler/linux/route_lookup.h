// Route lookup: which route the kernel would take now.
#ifndef UPLINKD_RECONCILER_LINUX_ROUTE_LOOKUP_H_
#define UPLINKD_RECONCILER_LINUX_ROUTE_LOOKUP_H_

#include <cstdint>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"
#include "reconciler/route.h"
#include "reconciler/trace.h"

namespace uplinkd {

// The route of a packet of `flow` with that mark, by the kernel's own lookup
// (ip rules, source check and all; `ip route get`). Fails with the kernel's
// words where there is none, and with kNotFound if the link that it comes in by
// does not exist.
Result<Route> LookUpRoute(NlSocket& socket, LinkNames& names, const Flow& flow,
                          std::uint32_t mark);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_ROUTE_LOOKUP_H_
