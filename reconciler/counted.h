// Counted: a number of things in words, "1 route", "2 routes". Pure.
#ifndef UPLINKD_RECONCILER_COUNTED_H_
#define UPLINKD_RECONCILER_COUNTED_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace uplinkd {

// `thing` in the singular; its plural takes an s.
inline std::string Counted(std::uint64_t count, std::string_view thing) {
  std::string words = std::to_string(count) + " " + std::string(thing);
  if (count != 1) words += "s";
  return words;
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COUNTED_H_
