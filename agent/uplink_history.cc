#include "agent/uplink_history.h"

#include <algorithm>

namespace uplinkd {

void UplinkHistory::Note(const std::vector<UplinkState>& uplinks, Time now) {
  std::erase_if(all_, [&](const auto& entry) {
    return std::ranges::find(uplinks, entry.first, &UplinkState::name) ==
           uplinks.end();
  });
  for (const UplinkState& uplink : uplinks) {
    const auto [entry, is_new] = all_.try_emplace(uplink.name);
    UplinkPast& past = entry->second;
    if (!is_new && past.phase == uplink.phase) continue;
    past.phase = uplink.phase;
    past.since = now;
    past.drains += uplink.phase == UplinkPhase::kDraining ? 1 : 0;
  }
}

}  // namespace uplinkd
