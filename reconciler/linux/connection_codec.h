// The connection codec: what a message of ctnetlink says of one connection.
#ifndef UPLINKD_RECONCILER_LINUX_CONNECTION_CODEC_H_
#define UPLINKD_RECONCILER_LINUX_CONNECTION_CODEC_H_

#include <optional>

#include "reconciler/linux/conntrack.h"

struct nlmsghdr;

namespace uplinkd {

// Nothing for families that we do not route, and for what is no such message.
std::optional<Connection> DecodeConnection(nlmsghdr* message);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_CONNECTION_CODEC_H_
