// Caller: who makes a request, and what that entitles to.
//
// Made of what the kernel says about the other end of a Unix socket, or of the
// names in a certificate; never of anything that the client says itself.
#ifndef UPLINKD_AGENT_CALLER_H_
#define UPLINKD_AGENT_CALLER_H_

#include <string>
#include <string_view>

namespace uplinkd {

// In order: each may do all that the one before it may.
enum class Role { kNone, kReader, kOperator };

inline std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kReader: return "reader";
    case Role::kOperator: return "operator";
    case Role::kNone: break;
  }
  return "none";
}

struct Caller {
  // For people and for the log: "alice (uid 1000, pid 1234)", or
  // "certificate ops.example (from 192.0.2.7)". One line.
  std::string name;
  // Who it counts as where there are limits: "uid 1000",
  // "certificate ops.example".
  std::string key;
  Role role = Role::kNone;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CALLER_H_
