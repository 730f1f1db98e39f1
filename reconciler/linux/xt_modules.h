// XtModules: the kernel modules that hold the tables of iptables.
//
// Nothing in the kernel loads ip_tables and ip6_tables on demand, so every
// iptables program does. What hangs on them (tables, matches, targets) the
// kernel loads by itself.
#ifndef UPLINKD_RECONCILER_LINUX_XT_MODULES_H_
#define UPLINKD_RECONCILER_LINUX_XT_MODULES_H_

#include <string>

#include "reconciler/ip.h"

namespace uplinkd {

// The file with the names of the tables that exist in the calling thread's
// network namespace; there is none as long as the module is not loaded. Its
// mode is 0440, and it is root's until somebody gives it away.
std::string XtNamesPath(Family family);

// Runs modprobe(8) and waits for it. Whether it helped is for the next read to
// tell; needs CAP_SYS_MODULE.
void LoadXtModule(Family family);

// Loads what is missing, of both families.
void LoadXtModules();

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_MODULES_H_
