// The names that iproute2 has for routing tables.
#ifndef UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_
#define UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_

#include <filesystem>
#include <vector>

#include "reconciler/host_facts.h"

namespace uplinkd {

// From rt_tables and the files in rt_tables.d, without the one that is ours,
// in the order of numbers: those in `etc`, and those of the distribution below
// `root`/usr that none of the same name in `etc` replaces. Files that are not
// there, and lines that are no names, count for nothing. Any thread.
std::vector<TableName> ReadTableNames(const std::filesystem::path& etc,
                                      const std::filesystem::path& root = "/");

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_
