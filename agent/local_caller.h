// LocalCaller: who is at the other end of a Unix socket, by the kernel's word.
#ifndef UPLINKD_AGENT_LOCAL_CALLER_H_
#define UPLINKD_AGENT_LOCAL_CALLER_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "agent/caller.h"
#include "reconciler/result.h"

namespace uplinkd {

// Whose members have which role. Root and this process's own user are always
// operators.
struct RoleGroups {
  gid_t operators = 0;
  std::optional<gid_t> readers;
};

// The caller behind the connected Unix socket `fd`, as it was when it
// connected: its user, and the groups that its process had. Users are named by
// /etc/passwd alone: a directory service may need the very lines that are down.
Result<Caller> LocalCaller(int fd, const RoleGroups& groups);

// The number of the group `name` in /etc/group; kNotFound: there is none.
// `file`, here and below: another one, for tests. A line that takes over 1 MiB
// is skipped.
Result<gid_t> GroupNumber(const std::string& name,
                          const std::string& file = "/etc/group");

// The name of the user in /etc/passwd; "": it has none.
std::string UserName(uid_t uid, const std::string& file = "/etc/passwd");

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LOCAL_CALLER_H_
