// Addresses made of numbers, for the generators.
#ifndef UPLINKD_TESTS_CORE_NUMBERED_ADDRESSES_H_
#define UPLINKD_TESTS_CORE_NUMBERED_ADDRESSES_H_

#include <cstdint>

#include "reconciler/ip.h"

namespace uplinkd::testing {

inline Address Ipv4(std::uint32_t a, std::uint32_t b, std::uint32_t c,
                    std::uint32_t d) {
  return Address::FromIpv4(a << 24 | b << 16 | c << 8 | d);
}

// 2001:db8:A:B::HOST
inline Address Ipv6(std::uint32_t a, std::uint32_t b, std::uint32_t host) {
  const auto byte = [](std::uint32_t value) {
    return static_cast<std::uint8_t>(value);
  };
  return Address::FromBytes(
      Family::kIpv6,
      {0x20, 0x01, 0x0d, 0xb8, byte(a >> 8), byte(a), byte(b >> 8), byte(b), 0,
       0, 0, 0, 0, 0, byte(host >> 8), byte(host)});
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_NUMBERED_ADDRESSES_H_
