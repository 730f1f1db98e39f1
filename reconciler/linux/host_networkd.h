// What systemd-networkd does to the rules and routes of other programs.
//
// Read from files alone: no bus, no exec. A part of ReadHostFacts().
#ifndef UPLINKD_RECONCILER_LINUX_HOST_NETWORKD_H_
#define UPLINKD_RECONCILER_LINUX_HOST_NETWORKD_H_

#include <filesystem>

#include "reconciler/host_facts.h"

namespace uplinkd {

// `root` is "/" but for tests. Files that are not there mean that networkd is
// not there; nothing fails. Any thread.
NetworkdFacts ReadNetworkd(const std::filesystem::path& root);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_NETWORKD_H_
