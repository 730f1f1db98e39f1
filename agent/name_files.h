// Name files: the numbers that we use, named for ip(8).
//
// Two files of our own below iproute2's directory, rt_tables.d/uplinkd.conf
// and rt_protos.d/uplinkd.conf, so that `ip rule` says "lookup wan1" and
// `ip route` says "proto uplinkd". The user's own files are only read. Nothing
// but the display depends on them: a failure is a warning. Either may be a link
// to where the agent may write: that is written, and the link stays.
#ifndef UPLINKD_AGENT_NAME_FILES_H_
#define UPLINKD_AGENT_NAME_FILES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconciler/result.h"
#include "reconciler/spec.h"

namespace uplinkd {

// The routing tables of `spec` by number, each with a name for ip(8): that of
// its uplink, or "uplinks" for the multipath table.
std::map<std::uint32_t, std::string> TableNames(const Spec& spec);

// Makes the two files say `tables`, and nothing else; writes only what
// differs. A name or number that iproute2 knows from another file, there or of
// the distribution, is left out, since a second meaning would confuse `ip`:
// those are in the answer, one sentence each. Does nothing if `iproute2_dir` is
// empty.
Result<std::vector<std::string>> WriteNameFiles(
    const std::string& iproute2_dir,
    const std::map<std::uint32_t, std::string>& tables);

// Removes both files.
Result<void> RemoveNameFiles(const std::string& iproute2_dir);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_NAME_FILES_H_
