// A whole table as the kernel dumps it -> what is ours in it.
//
// The dump is one block of entries: the builtin chains in hook order, then user
// chains, each behind an entry with its name, and each ended by an entry for
// its policy.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_

#include <cstddef>
#include <span>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/result.h"

struct ipt_getinfo;

namespace uplinkd {

// Zeroes what the kernel does not write: the bytes after the NUL of the names
// of matches and targets. Fails kInternal if `entries` is not a table.
Result<void> ClearNameTails(Family family, std::span<std::byte> entries);

// A rule of ours that gives a fate, by the place of its entry in the dump.
struct FateEntry {
  Mark fate;
  std::size_t offset = 0;
};

struct DecodedBlob {
  XtTableState state;  // our chains, and our jumps in builtin chains
  std::vector<FateEntry> fates;
};

// `info` (which has one form for both families) and `entries` belong together,
// and ClearNameTails() has accepted `entries`.
DecodedBlob DecodeBlob(Family family, const ipt_getinfo& info,
                       std::span<const std::byte> entries);

// How often the rule at `offset` was hit.
std::uint64_t PacketsAt(Family family, std::span<const std::byte> entries,
                        std::size_t offset);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_BLOB_H_
