// Which nftables tables there are. A part of ReadHostFacts().
#ifndef UPLINKD_RECONCILER_LINUX_HOST_NFTABLES_H_
#define UPLINKD_RECONCILER_LINUX_HOST_NFTABLES_H_

#include <vector>

#include "reconciler/host_facts.h"
#include "reconciler/result.h"

namespace uplinkd {

// Every table of the calling thread's network namespace. None on a kernel
// without nftables. Fails: kPermissionDenied, or the kernel's words.
Result<std::vector<NftTable>> ReadNftTables();

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_NFTABLES_H_
