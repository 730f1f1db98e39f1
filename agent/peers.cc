#include "agent/peers.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace uplinkd {
namespace {

// Half of them are for connections: more than twice as many as there may be,
// so that numbers have a long way to go round.
constexpr rlim_t kDescriptors = 16384;

// The groups of connections over TCP begin with it.
constexpr const char* kTcpGroup = "tcp ";

// 0: it is no socket, or closed. No two sockets of a boot have the same.
std::uint64_t CookieOf(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie
                                                                    : 0;
}

rlim_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t wanted = std::min(kDescriptors, limit.rlim_max);
  if (limit.rlim_cur < wanted) {
    const rlim_t before = std::exchange(limit.rlim_cur, wanted);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  }
  return std::min(kDescriptors, limit.rlim_cur);
}

}  // namespace

Peers::Peers() {
  const int descriptors = static_cast<int>(RaiseDescriptorLimit());
  first_number_ = descriptors / 2;
  last_number_ = descriptors - 1;
  next_number_ = first_number_;
}

Result<int> Peers::EnterUnix(UniqueFd connection, const Caller& caller) {
  const int most = caller.role == Role::kNone ? kMaxStrangers : kMaxOfARole;
  return Enter(std::move(connection), most,
               {.group = std::string(RoleName(caller.role)), .caller = caller});
}

Result<int> Peers::EnterTcp(UniqueFd connection, const std::string& address) {
  {
    const std::lock_guard lock(mutex_);
    if (Result<void> room = MakeRoom(kTcpGroup, kMaxOverTcp); !room) {
      return tl::unexpected(room.error());
    }
  }
  return Enter(std::move(connection), kMaxOfAnAddress,
               {.group = kTcpGroup + address, .caller = {}});
}

Result<int> Peers::Enter(UniqueFd connection, int most, Peer peer) {
  peer.cookie = CookieOf(connection.get());
  const std::lock_guard lock(mutex_);
  if (Result<void> room = MakeRoom(peer.group, most); !room) {
    return tl::unexpected(room.error());
  }
  Result<int> number = NextNumber(connection.get());
  if (number) peers_[*number] = std::move(peer);
  return number;
}

Result<void> Peers::MakeRoom(const std::string& group, int most) {
  const auto belongs = [&](const auto& entry) {
    return entry.second.group.starts_with(group);
  };
  if (std::ranges::count_if(peers_, belongs) < most) return {};
  // gRPC closes connections without a word.
  std::erase_if(peers_, [&](const auto& entry) {
    return belongs(entry) && CookieOf(entry.first) != entry.second.cookie;
  });
  if (std::ranges::count_if(peers_, belongs) < most) return {};
  return Fail(ErrorCode::kResourceExhausted,
              std::to_string(most) +
                  " connections of its kind are open, the most there may be");
}

Result<int> Peers::NextNumber(int connection) {
  int number = fcntl(connection, F_DUPFD_CLOEXEC, next_number_);
  if (number < 0 && (errno == EMFILE || errno == EINVAL)) {
    number = fcntl(connection, F_DUPFD_CLOEXEC, first_number_);
  }
  if (number < 0) {
    return Fail(
        ErrorCode::kResourceExhausted,
        "no number for a connection: " + std::generic_category().message(errno),
        errno);
  }
  next_number_ = number >= last_number_ ? first_number_ : number + 1;
  return number;
}

Caller Peers::Find(std::string_view peer) const {
  constexpr std::string_view kPrefix = "fd:";
  Caller nobody{"an unknown client", "unknown", Role::kNone};
  if (!peer.starts_with(kPrefix)) return nobody;
  peer.remove_prefix(kPrefix.size());
  int number = 0;
  const auto [end, error] =
      std::from_chars(peer.data(), peer.data() + peer.size(), number);
  if (error != std::errc() || end != peer.data() + peer.size()) return nobody;
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(number);
  // A TCP connection has its number here, too, but nobody behind it yet.
  if (found == peers_.end() || found->second.caller.key.empty()) return nobody;
  return found->second.caller;
}

}  // namespace uplinkd
