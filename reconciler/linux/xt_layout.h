// XtLayout: what differs between the tables of iptables and ip6tables.
//
// Both are blocks of entries: a header with addresses, matches, a target. Only
// the header differs, and so the places of what stands behind it. Everything
// else (matches, targets, the requests to the kernel) has one form.
#ifndef UPLINKD_RECONCILER_LINUX_XT_LAYOUT_H_
#define UPLINKD_RECONCILER_LINUX_XT_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "reconciler/ip.h"

namespace uplinkd {

// Offsets within an entry (ipt_entry, ip6t_entry), in bytes.
struct XtLayout {
  std::size_t size = 0;  // of the entry itself: the matches begin behind it
  std::size_t target_offset = 0;
  std::size_t next_offset = 0;
  std::size_t counters = 0;

  std::uint16_t TargetOffset(const std::byte* entry) const {
    return Read(entry + target_offset);
  }
  std::uint16_t NextOffset(const std::byte* entry) const {
    return Read(entry + next_offset);
  }

 private:
  static std::uint16_t Read(const std::byte* field) {
    std::uint16_t value = 0;
    std::memcpy(&value, field, sizeof value);
    return value;
  }
};

const XtLayout& LayoutOf(Family family);

// A raw socket that can ask about the tables of its network namespace. -1 and
// errno if there is none.
int OpenXtSocket(Family family);

// getsockopt() at the level of the family's tables. `option` is one of
// IPT_SO_GET_*, which have the same numbers in both families. 0, or -1 and
// errno.
int AskXt(Family family, int socket, int option, void* answer,
          std::size_t size);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_LAYOUT_H_
