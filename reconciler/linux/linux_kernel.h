// LinuxKernel: the real Kernel, over rtnetlink and libiptc.
//
// It belongs to the network namespace of the thread that opens it and is used
// from one thread at a time. Sockets are opened once. What it keeps between
// calls only makes reading cheaper: names of links, and the last dumps of the
// tables, which new ones are compared with. So every answer is the kernel's
// own. It writes only what a Step says and never touches an object that is not
// ours.
#ifndef UPLINKD_RECONCILER_LINUX_LINUX_KERNEL_H_
#define UPLINKD_RECONCILER_LINUX_LINUX_KERNEL_H_

#include <chrono>
#include <memory>

#include "reconciler/kernel.h"
#include "reconciler/result.h"

namespace uplinkd {

struct LinuxKernelOptions {
  // How long a commit waits for the xtables lock.
  std::chrono::milliseconds lock_timeout{5000};
};

// The kernel of the calling thread's network namespace, now. The caller owns
// it. Fails with the errno of the socket calls (kPermissionDenied, ...).
Result<std::unique_ptr<Kernel>> OpenLinuxKernel(
    const LinuxKernelOptions& options);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_LINUX_KERNEL_H_
