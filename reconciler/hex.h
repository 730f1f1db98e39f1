// Hex: a number as marks, masks and seeds are written, "0xff", and bytes as
// digests are, "00ff". Pure.
#ifndef UPLINKD_RECONCILER_HEX_H_
#define UPLINKD_RECONCILER_HEX_H_

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace uplinkd {

inline std::string Hex(std::uint32_t value) {
  char text[sizeof("0xffffffff")];
  std::snprintf(text, sizeof text, "0x%x", value);
  return text;
}

inline std::string HexOf(std::span<const std::uint8_t> bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 0xfU];
  }
  return text;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_HEX_H_
