#include "agent/stored_end.h"

#include <algorithm>

namespace uplinkd {

using std::chrono::nanoseconds;

StoredEnd EndAfter(nanoseconds duration, const Moment& now) {
  using WallDuration = std::chrono::system_clock::duration;
  return {now.wall + std::chrono::floor<WallDuration>(duration), duration,
          now.uptime + duration, now.boot};
}

nanoseconds TimeUntil(const StoredEnd& end, const Moment& now) {
  const bool same_boot = !now.boot.empty() && now.boot == end.boot;
  return std::min<nanoseconds>(
      same_boot ? end.uptime - now.uptime : end.wall - now.wall, end.most);
}

}  // namespace uplinkd
