#include "agent/local_caller.h"

#include <grp.h>
#include <pwd.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <vector>

namespace uplinkd {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

// For an entry and its strings; longer lines are skipped.
using Buffer = std::array<char, 16384>;

std::string UserName(uid_t uid) {
  const File file(std::fopen("/etc/passwd", "re"));
  if (!file) return "";
  Buffer buffer;
  passwd entry{};
  passwd* found = nullptr;
  while (true) {
    const int error =
        fgetpwent_r(file.get(), &entry, buffer.data(), buffer.size(), &found);
    if (error == ERANGE) continue;
    if (error != 0) return "";
    if (found->pw_uid == uid) return found->pw_name;
  }
}

// All groups of the process that connected; the main one first.
std::vector<gid_t> GroupsOf(int fd, gid_t main) {
  std::vector<gid_t> groups(64);
  socklen_t size = 0;
  while (true) {
    size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      break;
    }
    if (errno != ERANGE) {
      size = 0;
      break;
    }
    groups.resize(size / sizeof(gid_t) + 1);  // the kernel says how many
  }
  groups.resize(size / sizeof(gid_t));
  groups.insert(groups.begin(), main);
  return groups;
}

Role RoleOf(const ucred& peer, const std::vector<gid_t>& memberships,
            const RoleGroups& groups) {
  const auto has = [&](gid_t group) {
    return std::ranges::find(memberships, group) != memberships.end();
  };
  if (peer.uid == 0 || peer.uid == geteuid() || has(groups.operators)) {
    return Role::kOperator;
  }
  return groups.readers && has(*groups.readers) ? Role::kReader : Role::kNone;
}

}  // namespace

Result<Caller> LocalCaller(int fd, const RoleGroups& groups) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return Fail(ErrorCode::kInternal,
                "the kernel does not say who it is: " +
                    std::generic_category().message(errno),
                errno);
  }
  Caller caller;
  const std::string user = UserName(peer.uid);
  caller.key = fmt::format("uid {}", peer.uid);
  caller.name =
      user.empty()
          ? fmt::format("uid {} (pid {})", peer.uid, peer.pid)
          : fmt::format("{} (uid {}, pid {})", user, peer.uid, peer.pid);
  caller.role = RoleOf(peer, GroupsOf(fd, peer.gid), groups);
  return caller;
}

Result<gid_t> GroupNumber(const std::string& name) {
  const File file(std::fopen("/etc/group", "re"));
  if (file) {
    Buffer buffer;
    group entry{};
    group* found = nullptr;
    while (true) {
      const int error =
          fgetgrent_r(file.get(), &entry, buffer.data(), buffer.size(), &found);
      if (error == ERANGE) continue;
      if (error != 0) break;
      if (found->gr_name == name) return found->gr_gid;
    }
  }
  return Fail(ErrorCode::kNotFound, "there is no group \"" + name +
                                        "\" in /etc/group; make it with "
                                        "`groupadd --system " +
                                        name + "`");
}

}  // namespace uplinkd
