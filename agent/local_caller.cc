#include "agent/local_caller.h"

#include <grp.h>
#include <pwd.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

// For an entry and its strings: at first, and at most.
constexpr std::size_t kEntry = 16384;
constexpr std::size_t kLongestEntry = 1 << 20;

// Looks through the file for an entry that is `wanted`; whether there is one.
// It is `entry` then, with strings in `buffer`. `read` is of the kind of
// fgetgrent_r(): for want of room it leaves the file where the entry begins, so
// that it can be called again.
template <typename Entry, typename Read, typename Wanted>
bool FindEntry(const std::string& path, Read read, Entry& entry,
               std::vector<char>& buffer, const Wanted& wanted) {
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return false;
  buffer.resize(kEntry);
  while (true) {
    Entry* found = nullptr;
    const int error =
        read(file.get(), &entry, buffer.data(), buffer.size(), &found);
    if (error == 0) {
      if (wanted(entry)) return true;
    } else if (error != ERANGE) {
      return false;
    } else if (buffer.size() < kLongestEntry) {
      buffer.resize(2 * buffer.size());
    } else {
      int character = 0;
      do {
        character = std::getc(file.get());
      } while (character != '\n' && character != EOF);
    }
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

Result<gid_t> GroupNumber(const std::string& name, const std::string& file) {
  group entry{};
  std::vector<char> buffer;
  const bool found =
      FindEntry(file, fgetgrent_r, entry, buffer,
                [&](const group& one) { return one.gr_name == name; });
  if (found) return entry.gr_gid;
  return Fail(ErrorCode::kNotFound,
              "there is no group \"" + name + "\" in " + file +
                  "; make it with `groupadd --system " + name + "`");
}

std::string UserName(uid_t uid, const std::string& file) {
  passwd entry{};
  std::vector<char> buffer;
  const bool found =
      FindEntry(file, fgetpwent_r, entry, buffer,
                [&](const passwd& one) { return one.pw_uid == uid; });
  return found ? entry.pw_name : "";
}

}  // namespace uplinkd
