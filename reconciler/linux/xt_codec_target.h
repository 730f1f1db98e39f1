// Extension targets <-> bytes, each in the revision that the iptables program
// writes, so that it can print, check and restore our rules.
//
// Verdicts and jumps are not extensions: xt_codec.h has them. Decoding accepts
// only bytes that we would have written ourselves; all else becomes an
// OpaqueTarget, which equals no target of ours.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_TARGET_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_TARGET_H_

#include "reconciler/chain.h"
#include "reconciler/linux/xt_codec_extension.h"
#include "reconciler/result.h"

namespace uplinkd {

// Fails kInvalidArgument for a name that is too long, an address of another
// family, and an OpaqueTarget. Continue, return and jump become the standard
// target, with the name of what it does in place of the target's own: the form
// that libiptc wants.
Result<XtExtension> EncodeTarget(Family family, const Target& target);

// `view` must be an extension, not the standard target.
Target DecodeExtensionTarget(Family family, const XtExtensionView& view);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_TARGET_H_
