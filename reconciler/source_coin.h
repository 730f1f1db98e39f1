// SourceCoin: how a cluster match with two nodes falls for a client. Pure.
#ifndef UPLINKD_RECONCILER_SOURCE_COIN_H_
#define UPLINKD_RECONCILER_SOURCE_COIN_H_

#include <bit>
#include <cstdint>

#include "reconciler/ip.h"

namespace uplinkd {

// Whether `--cluster-total-nodes 2 --cluster-local-nodemask 1
// --cluster-hash-seed seed` matches a packet from `client`: jhash_1word() of
// the address as it lies in memory, scaled to two nodes (net/netfilter/
// xt_cluster.c, linux/jhash.h).
inline bool SourceCoin(std::uint32_t seed, const Address& client) {
  const std::uint32_t start = seed + 0xdeadbeef + 4;
  std::uint32_t a = __builtin_bswap32(client.ipv4()) + start;
  std::uint32_t b = start;
  std::uint32_t c = start;
  const auto mix = [](std::uint32_t& to, std::uint32_t from, int turn) {
    to ^= from;
    to -= std::rotl(from, turn);
  };
  mix(c, b, 14);
  mix(a, c, 11);
  mix(b, a, 25);
  mix(c, b, 16);
  mix(a, c, 4);
  mix(b, a, 14);
  mix(c, b, 24);
  return (c >> 31) == 0;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SOURCE_COIN_H_
