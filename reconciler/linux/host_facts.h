// ReadHostFacts: what the doctor looks at, from netlink, libiptc and files.
//
// Reads only. Foreign programs are never asked or run.
#ifndef UPLINKD_RECONCILER_LINUX_HOST_FACTS_H_
#define UPLINKD_RECONCILER_LINUX_HOST_FACTS_H_

#include "reconciler/doctor.h"
#include "reconciler/host_facts.h"
#include "reconciler/result.h"

namespace uplinkd {

// The host as the calling thread's network namespace shows it. A part that
// cannot be read (without root: most of it) is named in `unread`. Fails if not
// even the ip rules can be read.
Result<HostFacts> ReadHostFacts(const Expectation& expectation);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_FACTS_H_
