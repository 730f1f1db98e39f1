// Hex: a number as marks, masks and seeds are written, "0xff". Pure.
#ifndef UPLINKD_RECONCILER_HEX_H_
#define UPLINKD_RECONCILER_HEX_H_

#include <cstdint>
#include <cstdio>
#include <string>

namespace uplinkd {

inline std::string Hex(std::uint32_t value) {
  char text[sizeof("0xffffffff")];
  std::snprintf(text, sizeof text, "0x%x", value);
  return text;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_HEX_H_
