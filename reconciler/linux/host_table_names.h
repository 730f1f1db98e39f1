// The names that iproute2 has for routing tables. A part of ReadHostFacts().
#ifndef UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_
#define UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_

#include <filesystem>
#include <vector>

#include "reconciler/host_facts.h"

namespace uplinkd {

// From rt_tables and the files in rt_tables.d, without the one that is ours,
// in the order of numbers. `root` is "/" but for tests. Files that are not
// there, and lines that are no names, count for nothing. Any thread.
std::vector<TableName> ReadTableNames(const std::filesystem::path& root);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_HOST_TABLE_NAMES_H_
