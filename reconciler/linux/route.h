// The route codec: reconciler/route.h's Route to and from rtnetlink.
//
// Every attribute that a Route does not model comes back as text in `extra`,
// so a route that somebody embellished never equals one of ours.
#ifndef UPLINKD_RECONCILER_LINUX_ROUTE_H_
#define UPLINKD_RECONCILER_LINUX_ROUTE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"
#include "reconciler/route.h"

struct rtmsg;

namespace uplinkd {

// Which routes to list. The kernel does the choosing.
struct RouteFilter {
  Family family = Family::kIpv4;
  std::uint32_t table = 0;    // 0: every table; then the kernel walks them all
  std::uint8_t protocol = 0;  // 0: every protocol
  int ifindex = 0;            // 0: every link
};

// Routes in the kernel's order. A table that does not exist is empty, and so is
// every table of a kernel without that family.
// kAborted: see ReadList().
Result<std::vector<Route>> ReadRoutes(NlSocket& socket, LinkNames& names,
                                      const RouteFilter& filter);

// Nothing for a route whose link is gone: the kernel takes it along.
std::optional<Route> DecodeRoute(nlmsghdr* message, LinkNames& names);

// Of a question which route the kernel would take (RTM_GETROUTE) to a host of
// that family; the answer tells the table.
rtmsg LookupHeader(Family family);

enum class RouteOperation {
  kCreate,  // refused (EEXIST) if the key is taken, by whomever
  kAppend,  // behind the routes with that key; refused if there is an equal one
  // In the place of the first route with that key, whoever's it is. For IPv6,
  // where to append means one route with the next hops of both.
  kReplace,
  kRemove,  // the first route that has all this, the protocol included
};

// kNotFound: a link of it does not exist.
Result<NlRequest> EncodeRoute(RouteOperation operation, const Route& route,
                              LinkNames& names);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_ROUTE_H_
