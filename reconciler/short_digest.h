// ShortDigest: what the kernel's names of parameters are told apart by.
//
// Some kernel objects keep the parameters that they were made with for as long
// as their name is in use. A name with a digest of the parameters in it stands
// for one set of them. Pure.
#ifndef UPLINKD_RECONCILER_SHORT_DIGEST_H_
#define UPLINKD_RECONCILER_SHORT_DIGEST_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace uplinkd {

// Eight hexadecimal digits (FNV-1a): they must not change between builds, as
// those of std::hash may.
inline std::string ShortDigest(std::string_view text) {
  std::uint32_t digest = 2166136261;
  for (const char c : text) {
    digest = (digest ^ static_cast<unsigned char>(c)) * 16777619;
  }
  char digits[sizeof("01234567")];
  std::snprintf(digits, sizeof digits, "%08x", digest);
  return digits;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SHORT_DIGEST_H_
