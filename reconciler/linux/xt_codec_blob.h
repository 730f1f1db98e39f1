// A whole table as the kernel dumps it -> what is ours in it.
//
// The dump is one block of entries: the builtin chains in hook order, then user
// chains, each behind an entry with its name, and each ended by an entry for
// its policy.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_

#include <cstddef>
#include <span>

#include "reconciler/chain.h"
#include "reconciler/result.h"

struct ipt_getinfo;

namespace uplinkd {

// Zeroes what the kernel does not write: the bytes after the NUL of the names
// of matches and targets. Fails kInternal if `entries` is not a table.
Result<void> ClearNameTails(std::span<std::byte> entries);

// Our chains, and our jumps in builtin chains. `info` and `entries` belong
// together, and ClearNameTails() has accepted `entries`.
XtTableState DecodeBlob(const ipt_getinfo& info,
                        std::span<const std::byte> entries);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_
