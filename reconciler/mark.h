// Mark: a value of packet mark or connection mark bits, never without its mask.
#ifndef UPLINKD_RECONCILER_MARK_H_
#define UPLINKD_RECONCILER_MARK_H_

#include <compare>
#include <cstdint>

namespace uplinkd {

struct Mark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffffffff;

  friend auto operator<=>(const Mark&, const Mark&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_MARK_H_
