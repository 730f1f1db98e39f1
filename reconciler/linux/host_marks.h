// Foreign iptables rules that touch mark bits. A part of ReadXtables().
#ifndef UPLINKD_RECONCILER_LINUX_HOST_MARKS_H_
#define UPLINKD_RECONCILER_LINUX_HOST_MARKS_H_

#include <string>
#include <vector>

#include "reconciler/host_facts.h"
#include "reconciler/result.h"

namespace uplinkd {

// Every use of a mark by a rule of `table` ("mangle") of iptables, or of
// ip6tables, that is not ours, in the calling thread's network namespace. The
// table must be registered there: to look at one that is not would register it.
// Fails with the kernel's words.
Result<std::vector<MarkUse>> ReadMarkUses(Family family,
                                          const std::string& table);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_MARKS_H_
