// The link codec: what rtnetlink's messages say of links and their addresses.
//
// Only read, never written. A message that is too short says nothing.
#ifndef UPLINKD_RECONCILER_LINUX_LINK_CODEC_H_
#define UPLINKD_RECONCILER_LINUX_LINK_CODEC_H_

#include <optional>
#include <utility>

#include "reconciler/facts.h"

struct nlmsghdr;

namespace uplinkd {

// Without its name, its addresses and its default routes.
Link DecodeLink(nlmsghdr* message);

// An address and the number of its link.
using NumberedAddress = std::pair<int, LinkAddress>;
// Nothing for an address that cannot be used yet, or of a family that we do not
// route.
std::optional<NumberedAddress> DecodeAddressOfLink(nlmsghdr* message);

// rp_filter in an answer about the configuration of "all".
int DecodeRpFilterOfAll(nlmsghdr* message);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_LINK_CODEC_H_
