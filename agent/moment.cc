#include "agent/moment.h"

#include <ctime>

#include "agent/files.h"

namespace uplinkd {
namespace {

std::string BootId() {
  std::string id =
      ReadFile("/proc/sys/kernel/random/boot_id").value_or(std::string());
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

}  // namespace

Moment PresentMoment() {
  static const std::string boot = BootId();
  timespec uptime{};
  // Unlike CLOCK_MONOTONIC it does not stand still while the machine sleeps.
  clock_gettime(CLOCK_BOOTTIME, &uptime);
  return {std::chrono::system_clock::now(),
          std::chrono::seconds(uptime.tv_sec) +
              std::chrono::nanoseconds(uptime.tv_nsec),
          boot};
}

}  // namespace uplinkd
