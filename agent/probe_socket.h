// Sockets that are pinned to one uplink, for probes.
//
// Thin: system calls and their errors. A socket closes itself when it goes.
#ifndef UPLINKD_AGENT_PROBE_SOCKET_H_
#define UPLINKD_AGENT_PROBE_SOCKET_H_

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "agent/probe.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// A non-blocking socket of `family` that is bound to the link and to the
// address of `path` in that family, with its mark. Not connected. kNotFound:
// the path has no such address.
Result<UniqueFd> OpenPinned(const ProbePath& path, Family family, int type,
                            int protocol);

// Connects it to `target`; port 0 where there are no ports. A connection that
// is still under way is no failure.
Result<void> ConnectTo(int fd, const Address& target, std::uint16_t port);

// What became of the connection that was under way.
Result<void> ConnectionOutcome(int fd);

// The kernel's words for the present errno, with `doing` in front: "cannot send
// on wan1: network is unreachable".
tl::unexpected<Error> SocketFault(const std::string& doing);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PROBE_SOCKET_H_
