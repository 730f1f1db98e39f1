// ChainRule <-> ipt_entry, ip6t_entry: the typed rule and its bytes in the
// kernel.
//
//   EncodeRule -> bytes for libiptc        DecodeRule <- bytes of a dump
//
// What the model does not know (a protocol, a wildcard interface, an extension
// that we never write) ends up in `extra` or in an opaque match or target, with
// a digest of its bytes: such a rule never equals one of ours. Counters and
// the kernel's own bookkeeping in an entry are ignored.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/result.h"

namespace uplinkd {

// One entry, ready for iptc_insert_entry() or its brother for IPv6. Fails
// kInvalidArgument for what cannot be written: opaque parts, `extra`, addresses
// of another family than `family`, names without room, an
// interface that ends in '+', a prefix that matches everything (leave it out).
Result<std::vector<std::byte>> EncodeRule(Family family, const ChainRule& rule);

// `entry` is one whole entry, aligned to 8 bytes, that the kernel or libiptc
// has vetted. `target` is what iptc_get_target() says of it: a verdict, the
// chain it jumps to, "" for none, or the extension's name.
ChainRule DecodeRule(Family family, std::span<const std::byte> entry,
                     std::string_view target);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_H_
