#include "agent/watchdog.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace uplinkd {

void Watchdog::Start() {
  std::uint64_t interval = 0;  // microseconds
  if (sd_watchdog_enabled(0, &interval) <= 0) return;
  // Half of it, as sd_watchdog_enabled(3) recommends.
  pause_ = std::chrono::microseconds(interval / 2);
  Arm();
}

void Watchdog::Arm() {
  sd_notify(0, "WATCHDOG=1");
  timer_.expires_after(pause_);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) Arm();
  });
}

}  // namespace uplinkd
