// ctnetlink: what every request about tracked connections has in common.
#ifndef UPLINKD_RECONCILER_LINUX_CTNETLINK_H_
#define UPLINKD_RECONCILER_LINUX_CTNETLINK_H_

#include <cstdint>
#include <optional>

#include "reconciler/ip.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/result.h"

struct nlattr;

namespace uplinkd {

// `message` is one of IPCTNL_MSG_CT_*. About both families, unless one is
// given.
NlRequest ConntrackRequest(int message, int flags,
                           std::optional<Family> family = std::nullopt);

// ctnetlink's numbers are in network order. 0 where there is no such attribute,
// or a shorter one.
std::uint32_t ConntrackNumber(const nlattr* attribute);
std::uint16_t ConntrackPort(const nlattr* attribute);
std::uint8_t ConntrackByte(const nlattr* attribute);
std::uint32_t ConntrackNumber(nlmsghdr* message, int attribute);

// `error` with `what` before its words.
tl::unexpected<Error> ConntrackFailure(const char* what, Error error);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_CTNETLINK_H_
