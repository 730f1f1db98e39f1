// XtModules: the kernel modules that hold the tables of iptables, and the names
// of the tables that exist.
//
// Nothing in the kernel loads ip_tables and ip6_tables on demand, so every
// iptables program does. What hangs on them (tables, matches, targets) the
// kernel loads by itself.
#ifndef UPLINKD_RECONCILER_LINUX_XT_MODULES_H_
#define UPLINKD_RECONCILER_LINUX_XT_MODULES_H_

#include <set>
#include <string>

#include "reconciler/ip.h"
#include "reconciler/result.h"

namespace uplinkd {

// The file with the names of the tables that exist in the calling thread's
// network namespace; there is none as long as the module is not loaded. Its
// mode is 0440, and it is root's until somebody gives it away.
std::string XtNamesPath(Family family);

// What is in it: "mangle", "nat". Unlike every access to a table, reading the
// names creates none. Fails with the kernel's words and errno: ENOENT without
// the module.
Result<std::set<std::string>> ReadXtTableNames(Family family);

// Loads what is missing, of both families: runs modprobe(8), and waits for it
// as long as it takes. So it is for the start of a program. Whether it helped
// is for the next read to tell; needs CAP_SYS_MODULE.
void LoadXtModules();

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_MODULES_H_
