// What the doctor wants to know about iptables: which tables and extensions
// the kernel has, and which foreign rules touch mark bits.
//
// A part of ReadHostFacts(). Nothing is written, and no table is registered in
// this network namespace by looking: an unregistered one is looked for in a
// namespace that exists for the length of the question. As with the iptables
// program, asking for an extension may load its kernel module.
#ifndef UPLINKD_RECONCILER_LINUX_HOST_XTABLES_H_
#define UPLINKD_RECONCILER_LINUX_HOST_XTABLES_H_

#include "reconciler/doctor.h"
#include "reconciler/host_facts.h"

namespace uplinkd {

// Fills xt_tables, matches, targets, xt_error and mark_uses for the calling
// thread's network namespace. What cannot be read is kUnknown, with a line in
// `unread`.
void ReadXtables(const Expectation& expectation, HostFacts& facts);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_XTABLES_H_
