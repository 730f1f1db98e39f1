// Ownership: what in the kernel is ours, decided from the kernel alone.
//
// No state file is ever needed to tell our objects from foreign ones:
//   routes        carry our rtm_protocol (and live in the uplinks' tables)
//   policy rules  carry our FRA_PROTOCOL and a priority inside our band
//   chains        have a name that begins with our prefix; in a builtin chain
//                 only a jump to such a chain is ours
//   marks         only the bits under the spec's mask
// Everything else is foreign and is never written.
#ifndef UPLINKD_RECONCILER_OWNERSHIP_H_
#define UPLINKD_RECONCILER_OWNERSHIP_H_

#include <cstdint>
#include <string_view>

namespace uplinkd {

// rtm_protocol and FRA_PROTOCOL value; free in Debian's rt_protos. The kernel
// does not interpret values above RTPROT_STATIC (linux/rtnetlink.h).
inline constexpr std::uint8_t kProtocol = 117;

// The band of ip rule priorities that is ours: after `local` (0), before
// `main` (32766).
inline constexpr std::uint32_t kFirstPriority = 20000;
inline constexpr std::uint32_t kLastPriority = 20999;

// Places inside the band. The order is part of the design: see docs/design.md.
inline constexpr std::uint32_t kMainPriority = 20000;
inline constexpr std::uint32_t kLastResortPriority = 20050;  // + LastResort
inline constexpr std::uint32_t kMarkPriority = 20100;        // + uplink id
inline constexpr std::uint32_t kSourcePriority = 20400;      // + uplink id
inline constexpr std::uint32_t kMultipathPriority = 20700;   // + LAN ordinal

inline constexpr std::string_view kChainPrefix = "UPL-";
// The iptables programs accept no longer chain name.
inline constexpr std::size_t kMaxChainName = 28;

inline bool IsOwnedChain(std::string_view name) {
  return name.starts_with(kChainPrefix);
}
inline bool IsOwnedPriority(std::uint32_t priority) {
  return priority >= kFirstPriority && priority <= kLastPriority;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_OWNERSHIP_H_
