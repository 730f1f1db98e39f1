// Matches <-> bytes, each in the revision that the iptables program writes, so
// that it can print, check and restore our rules.
//
// Decoding accepts only bytes that we would have written ourselves; all else
// becomes an OpaqueMatch, which equals no match of ours.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_MATCH_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_MATCH_H_

#include "reconciler/chain.h"
#include "reconciler/linux/xt_codec_extension.h"
#include "reconciler/result.h"

namespace uplinkd {

// Fails kInvalidArgument for a name that is too long, and for an OpaqueMatch.
Result<XtExtension> EncodeMatch(Family family, const Match& match);

Match DecodeMatch(Family family, const XtExtensionView& view);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_MATCH_H_
