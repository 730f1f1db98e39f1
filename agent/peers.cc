#include "agent/peers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>
#include <utility>

namespace uplinkd {
namespace {

constexpr const char* kRootKey = "uid 0";

// 0: it is no socket, or closed. No two sockets of a boot have the same.
std::uint64_t CookieOf(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie
                                                                    : 0;
}

// gRPC closes connections without a word. For an entry of a map by number.
constexpr auto kIsClosed = [](const auto& entry) {
  return CookieOf(entry.first) != entry.second.cookie;
};

// How many there are then, of those that are wanted.
int RaiseDescriptorLimit(int descriptors) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const auto most = static_cast<rlim_t>(descriptors);
  const rlim_t wanted = std::min(most, limit.rlim_max);
  if (limit.rlim_cur < wanted) {
    const rlim_t before = std::exchange(limit.rlim_cur, wanted);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  }
  return static_cast<int>(std::min(most, limit.rlim_cur));
}

std::optional<int> NumberOf(std::string_view text, int most) {
  int number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 ||
      number > most) {
    return std::nullopt;
  }
  return number;
}

// Of "ipv4:192.0.2.7:41234" or "ipv6:%5B2001:db8::7%5D:41234". gRPC writes
// brackets as in a URI.
std::optional<TcpEnd> EndOf(std::string_view peer) {
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) {
    return std::nullopt;
  }
  peer.remove_prefix(peer.find(':') + 1);
  const std::size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<int> port = NumberOf(peer.substr(colon + 1), 65535);
  if (!port) return std::nullopt;
  std::string_view host = peer.substr(0, colon);
  if (host.starts_with("%5B")) host.remove_prefix(3);
  if (host.starts_with("[")) host.remove_prefix(1);
  // What closes the bracket, or the interface of a link-local address.
  host = host.substr(0, host.find_first_of("%]"));
  return TcpEnd{std::string(host), static_cast<std::uint16_t>(*port)};
}

}  // namespace

std::string NetworkOf(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  std::fill_n(std::begin(address.s6_addr) + 8, 8, std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

Peers::Peers(int descriptors) : own_key_("uid " + std::to_string(geteuid())) {
  const int count = RaiseDescriptorLimit(descriptors);
  first_number_ = count / 2;
  last_number_ = count - 1;
  next_number_ = first_number_;
}

Peers::Pool Peers::PoolOf(const Caller& caller) const {
  if (caller.key == kRootKey) return Pool::kRoot;
  if (caller.key == own_key_) return Pool::kOwn;
  switch (caller.role) {
    case Role::kOperator: return Pool::kOperators;
    case Role::kReader: return Pool::kReaders;
    case Role::kNone: break;
  }
  return Pool::kStrangers;
}

Result<int> Peers::EnterUnix(UniqueFd connection, const Caller& caller) {
  Peer peer{CookieOf(connection.get()), PoolOf(caller), caller.key, caller};
  const std::lock_guard lock(mutex_);
  if (Result<void> room = MakeRoom(peer); !room) {
    return tl::unexpected(room.error());
  }
  Result<int> number = NextNumber(connection.get());
  if (!number) return number;
  tcp_strangers_.erase(*number);
  peers_[*number] = std::move(peer);
  return number;
}

Result<int> Peers::EnterTcp(UniqueFd connection, const TcpEnd& end) {
  TcpStranger stranger{CookieOf(connection.get()), 0, end, NetworkOf(end.host)};
  const std::lock_guard lock(mutex_);
  MakeRoomForStranger(stranger.network);
  if (Result<void> numbers = CheckNumbers(); !numbers) {
    return tl::unexpected(numbers.error());
  }
  Result<int> number = NextNumber(connection.get());
  if (!number) return number;
  stranger.turn = ++turns_;
  peers_.erase(*number);
  tcp_strangers_[*number] = std::move(stranger);
  return number;
}

void Peers::NoteAdmitted(std::string_view peer) {
  const std::optional<TcpEnd> end = EndOf(peer);
  if (!end) return;
  const std::lock_guard lock(mutex_);
  const auto found =
      std::ranges::find_if(tcp_strangers_, [&](const auto& entry) {
        return entry.second.end == *end && !kIsClosed(entry);
      });
  if (found == tcp_strangers_.end()) return;
  Peer admitted{found->second.cookie, Pool::kTcp, found->second.network, {}};
  if (!MakeRoom(admitted)) return;
  peers_[found->first] = std::move(admitted);
  tcp_strangers_.erase(found);
}

Result<void> Peers::MakeRoom(const Peer& peer) {
  if (CheckRoom(peer)) return {};
  std::erase_if(peers_, [&](const auto& entry) {
    return entry.second.pool == peer.pool && kIsClosed(entry);
  });
  return CheckRoom(peer);
}

Result<void> Peers::CheckRoom(const Peer& peer) const {
  int most = kMaxOfARole;
  int most_of_a_share = kMaxOfAUser;
  if (peer.pool == Pool::kStrangers) {
    most = most_of_a_share = kMaxStrangers;
  } else if (peer.pool == Pool::kTcp) {
    most = kMaxOverTcp;
    most_of_a_share = kMaxOfANetwork;
  }
  int all = 0;
  int of_the_share = 0;
  for (const auto& [number, other] : peers_) {
    if (other.pool != peer.pool) continue;
    ++all;
    if (other.share == peer.share) ++of_the_share;
  }
  if (of_the_share >= most_of_a_share) {
    return Fail(ErrorCode::kResourceExhausted,
                std::to_string(of_the_share) + " connections of " + peer.share +
                    " are open, the most there may be");
  }
  if (all >= most) {
    return Fail(ErrorCode::kResourceExhausted,
                std::to_string(all) +
                    " connections of its kind are open, the most there may be");
  }
  // What was admitted has its number already.
  if (peer.pool == Pool::kRoot || peer.pool == Pool::kTcp) return {};
  return CheckNumbers();
}

// Where this process may open few files, root keeps some of the numbers.
Result<void> Peers::CheckNumbers() const {
  const int numbers = last_number_ - first_number_ + 1;
  const int reserve = std::min(kMaxOfAUser, numbers / 4);
  const auto taken = static_cast<int>(peers_.size() + tcp_strangers_.size());
  if (taken < numbers - reserve) return {};
  return Fail(ErrorCode::kResourceExhausted,
              "this process may not open enough files for more connections");
}

void Peers::MakeRoomForStranger(const std::string& network) {
  std::erase_if(tcp_strangers_, kIsClosed);
  std::map<std::string, int> counts;
  for (const auto& [number, stranger] : tcp_strangers_) {
    ++counts[stranger.network];
  }
  std::string fullest;
  if (counts[network] >= kMaxTcpStrangersOfANetwork) {
    fullest = network;
  } else if (static_cast<int>(tcp_strangers_.size()) >= kMaxTcpStrangers) {
    fullest = std::ranges::max_element(counts, {}, [](const auto& count) {
                return count.second;
              })->first;
  } else {
    return;
  }
  auto oldest = tcp_strangers_.end();
  for (auto one = tcp_strangers_.begin(); one != tcp_strangers_.end(); ++one) {
    if (one->second.network != fullest) continue;
    if (oldest == tcp_strangers_.end() ||
        one->second.turn < oldest->second.turn) {
      oldest = one;
    }
  }
  // gRPC then closes it. Nobody else gets its number meanwhile: that needs
  // mutex_.
  shutdown(oldest->first, SHUT_RDWR);
  tcp_strangers_.erase(oldest);
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
  const std::optional<int> number = NumberOf(peer, last_number_);
  if (!number) return nobody;
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(*number);
  // A TCP connection has its number here, too, but nobody behind it.
  if (found == peers_.end() || found->second.caller.key.empty()) return nobody;
  return found->second.caller;
}

}  // namespace uplinkd
