// Roles: which names in certificates have which role, from a small file.
//
//   roles:
//     ops.example.net: operator
//     graphs.example.net: reader
#ifndef UPLINKD_AGENT_ROLES_H_
#define UPLINKD_AGENT_ROLES_H_

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/caller.h"
#include "agent/file_signature.h"
#include "proto/spec_reader.h"

namespace uplinkd {

using RoleNames = std::map<std::string, Role, std::less<>>;

// On failure every fault at once, each with its place.
tl::expected<RoleNames, std::vector<SpecFault>> ReadRolesText(
    std::string_view text, const std::string& file_name);

// The file as it was when it was good last. Any thread.
class Roles {
 public:
  explicit Roles(std::string path) : path_(std::move(path)) {}

  // Reads the file. If it is bad, what was read last is kept, and the answer is
  // its faults, one line each.
  tl::expected<void, std::vector<std::string>> Load();
  // Reads it if it is another than the one that was read last, and logs how
  // that went. Whether other roles may hold now.
  bool LoadIfChanged();
  // Reads it, and logs how that went. The same.
  bool Reload();

  // The highest role that one of `names` has, and which it is; "" and kNone if
  // none has any.
  struct Found {
    std::string name;
    Role role = Role::kNone;
  };
  Found Find(const std::vector<std::string>& names) const;

 private:
  const std::string path_;
  mutable std::mutex mutex_;
  RoleNames names_;          // guarded by mutex_
  FileSignature signature_;  // guarded by mutex_
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_ROLES_H_
