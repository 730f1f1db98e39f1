// Privileges: what this process may do, cut down to what the agent needs.
//
//   CAP_NET_ADMIN  routes, ip rules, iptables, conntrack, the marks of probes
//   CAP_NET_RAW    ICMP and ARP probes, and sockets that are bound to a link
//
// Found by running the agent as an ordinary user with less, see
// tests/lab/least_privilege_test.cc. Under systemd the unit grants no more
// than these; an agent that root starts by hand gives up the rest itself.
#ifndef UPLINKD_AGENT_PRIVILEGES_H_
#define UPLINKD_AGENT_PRIVILEGES_H_

#include "reconciler/result.h"

namespace uplinkd {

// Keeps the two, as far as the process has them, in every set of capabilities
// including the bounding set, and forbids it and all programs that it starts to
// gain any (no_new_privs). Capabilities are a thread's: call it while there is
// only one. Fails if the kernel refuses; that some are missing is no failure,
// since the kernel's own words come with the first thing that needs them.
Result<void> KeepNeededPrivileges();

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PRIVILEGES_H_
