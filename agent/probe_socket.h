// Sockets that are pinned to one uplink, for probes.
//
// Thin: system calls and their errors. A socket closes itself when it goes.
#ifndef UPLINKD_AGENT_PROBE_SOCKET_H_
#define UPLINKD_AGENT_PROBE_SOCKET_H_

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "agent/probe.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/result.h"

namespace uplinkd {

// A non-blocking IPv4 socket that is bound to the link and the address of
// `path`, with its mark. Not connected.
Result<UniqueFd> OpenPinned(const ProbePath& path, int type, int protocol);

// Connects it to `target`; port 0 where there are no ports. A connection that
// is still under way is no failure.
Result<void> ConnectTo(int fd, const Address& target, std::uint16_t port);

// What became of the connection that was under way.
Result<void> ConnectionOutcome(int fd);

// `address` as the kernel has it.
sockaddr_in SocketAddress(const Address& address, std::uint16_t port);

// The kernel's words for the present errno, with `doing` in front: "cannot send
// on wan1: network is unreachable".
tl::unexpected<Error> SocketFault(const std::string& doing);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_PROBE_SOCKET_H_
