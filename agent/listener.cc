#include "agent/listener.h"

#include <arpa/inet.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/access_log.h"
#include "agent/files.h"

namespace uplinkd {
namespace {

constexpr int kBacklog = 512;
constexpr mode_t kOwnerAndGroup = 0660;
constexpr mode_t kEverybody = 0666;
// Connections that are accepted in a row, before another socket's turn.
constexpr int kInARow = 64;
constexpr std::chrono::milliseconds kSecond{1000};
// Of one user or network: as many as it may have open, and then so many a
// second that it takes a minute to go through all numbers of connections
// (Peers).
constexpr TokenBucket::Rate kArrivals{Peers::kMaxOfARole, 100};

tl::unexpected<Error> SystemFault(const std::string& what) {
  const int error = errno;
  return Fail(ErrorCode::kUnavailable,
              what + ": " + std::generic_category().message(error), error);
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// Makes way for a socket at `path`.
Result<void> ClearPath(const std::string& path) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return {};
    return Fail(ErrorCode::kInternal,
                path + ": " + std::generic_category().message(errno), errno);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return Fail(ErrorCode::kAlreadyExists, path + " exists and is no socket");
  }
  // Where the queue is full, one that blocks would wait for ever.
  const UniqueFd fd(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return SystemFault("cannot ask who serves on " + path);
  const sockaddr_un address = UnixAddress(path);
  // Only a socket that nobody listens on refuses; anything else (EAGAIN: a full
  // queue, no permission) may be somebody alive.
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) != 0 &&
      errno == ECONNREFUSED) {
    return RemoveFile(path);
  }
  return Fail(ErrorCode::kAlreadyExists, "another process serves on " + path);
}

constexpr gid_t kNoGroup = static_cast<gid_t>(-1);

// The group that the socket gets; kNoGroup: that of this process.
Result<gid_t> SocketGroup(const AccessOptions& options) {
  if (!options.socket_group.empty()) return GroupNumber(options.socket_group);
  return GroupNumber(std::string(kDefaultSocketGroup)).value_or(kNoGroup);
}

// One that has the group already is left as it is: where the system call is
// forbidden, it is also when it would change nothing.
bool GiveToGroup(const std::string& path, gid_t group) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return false;
  if (group == kNoGroup || there.st_gid == group) return true;
  return lchown(path.c_str(), static_cast<uid_t>(-1), group) == 0;
}

// As gRPC has it: IPv4 in IPv6 is IPv4.
TcpEnd TcpEndOf(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const in6_addr& six =
      reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  const void* four = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  if (address.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six)) {
    four = &six.s6_addr[12];
  } else if (address.ss_family == AF_INET6) {
    four = nullptr;
  }
  if (four != nullptr) {
    inet_ntop(AF_INET, four, text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, &six, text.data(), text.size());
  }
  // The port is in the same place in both families.
  return {text.data(),
          ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port)};
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
};

SocketAddress ToSocketAddress(const TcpAddress& tcp) {
  SocketAddress address;
  auto& four = reinterpret_cast<sockaddr_in&>(address.storage);
  if (inet_pton(AF_INET, tcp.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(tcp.port);
    address.size = sizeof(four);
    return address;
  }
  auto& six = reinterpret_cast<sockaddr_in6&>(address.storage);
  inet_pton(AF_INET6, tcp.host.c_str(), &six.sin6_addr);
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(tcp.port);
  address.size = sizeof(six);
  return address;
}

}  // namespace

Listener::Listener(Peers& peers) : peers_(peers), arrivals_(kArrivals) {}

Listener::~Listener() {
  Stop();
  for (const Socket& socket : sockets_) {
    if (socket.path.empty()) continue;
    struct stat there {};
    // Another process may have taken the path over.
    if (lstat(socket.path.c_str(), &there) == 0 &&
        there.st_ino == socket.inode) {
      (void)RemoveFile(socket.path);
    }
  }
}

Result<void> Listener::Open(const AccessOptions& options) {
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_) return SystemFault("cannot make an eventfd");
  for (const std::string& path : options.sockets) {
    if (Result<void> opened = OpenUnix(path, options); !opened) return opened;
  }
  for (const TcpAddress& address : options.tcp) {
    if (Result<void> opened = OpenTcp(address); !opened) return opened;
  }
  return {};
}

Result<void> JoinSocketGroup(const AccessOptions& options) {
  const Result<gid_t> group = SocketGroup(options);
  // One that does not exist is told of when the socket is made.
  if (geteuid() != 0 || !group || *group == kNoGroup) return {};
  std::vector<gid_t> groups(static_cast<std::size_t>(NGROUPS_MAX));
  const int count = getgroups(NGROUPS_MAX, groups.data());
  if (count < 0) return SystemFault("cannot read this process' groups");
  groups.resize(static_cast<std::size_t>(count));
  if (std::ranges::find(groups, *group) != groups.end()) return {};
  groups.push_back(*group);
  if (setgroups(groups.size(), groups.data()) != 0) {
    return SystemFault("cannot join the sockets' group");
  }
  return {};
}

// Nobody can connect before listen(), by when the socket has its mode.
Result<void> Listener::OpenUnix(const std::string& path,
                                const AccessOptions& options) {
  const std::string directory =
      std::filesystem::path(path).parent_path().string();
  if (Result<void> made = MakeDirectory(directory); !made) return made;
  if (Result<void> cleared = ClearPath(path); !cleared) return cleared;
  const Result<gid_t> group = SocketGroup(options);
  if (!group) return tl::unexpected(group.error());

  Socket socket;
  socket.path = path;
  socket.fd = UniqueFd(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = UnixAddress(path);
  if (bind(socket.fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0) {
    return SystemFault("cannot make the socket " + path);
  }
  const bool for_all = !options.reader_group.empty();
  if (!GiveToGroup(path, *group) ||
      chmod(path.c_str(), for_all ? kEverybody : kOwnerAndGroup) != 0) {
    return SystemFault("cannot give " + path + " to its group");
  }
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return SystemFault(path);
  socket.inode = there.st_ino;
  socket.groups.operators = there.st_gid;
  if (for_all) {
    const Result<gid_t> readers = GroupNumber(options.reader_group);
    if (!readers) return tl::unexpected(readers.error());
    socket.groups.readers = *readers;
  }
  if (listen(socket.fd.get(), kBacklog) != 0) {
    return SystemFault("cannot listen on " + path);
  }
  sockets_.push_back(std::move(socket));
  return {};
}

Result<void> Listener::OpenTcp(const TcpAddress& tcp) {
  const SocketAddress address = ToSocketAddress(tcp);
  Socket socket;
  socket.fd = UniqueFd(::socket(address.storage.ss_family,
                                SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  setsockopt(socket.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(socket.fd.get(), address.get(), address.size) != 0 ||
      listen(socket.fd.get(), kBacklog) != 0) {
    return SystemFault("cannot listen on tcp://" + tcp.Text());
  }
  sockets_.push_back(std::move(socket));
  return {};
}

std::vector<std::uint16_t> Listener::TcpPorts() const {
  std::vector<std::uint16_t> ports;
  for (const Socket& socket : sockets_) {
    if (!socket.path.empty()) continue;
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    getsockname(socket.fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    ports.push_back(TcpEndOf(address).port);
  }
  return ports;
}

void Listener::Start(Handlers handlers) {
  handlers_ = std::move(handlers);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "listener");
    Run();
  });
}

void Listener::Stop() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Listener::Run() {
  std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0}};
  for (const Socket& socket : sockets_) {
    polled.push_back({socket.fd.get(), POLLIN, 0});
  }
  auto last = std::chrono::steady_clock::now();
  while (true) {
    poll(polled.data(), polled.size(), static_cast<int>(kSecond.count()));
    if (polled[0].revents != 0) return;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (polled[i + 1].revents != 0) AcceptSome(sockets_[i]);
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last < kSecond) continue;
    last = now;
    SettleAccessLog();
    handlers_.each_second();
  }
}

void Listener::AcceptSome(const Socket& socket) {
  for (int i = 0; i < kInARow; ++i) {
    UniqueFd connection(accept4(socket.fd.get(), nullptr, nullptr,
                                SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
      if (socket.path.empty()) {
        TakeTcp(std::move(connection));
      } else {
        TakeUnix(std::move(connection), socket.groups);
      }
      continue;
    }
    const int error = errno;
    if (error == EMFILE || error == ENFILE || error == ENOMEM) {
      LogTurnedAway("clients", std::generic_category().message(error));
      // The socket stays readable, and this would go round at full speed.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    if (error != EINTR && error != ECONNABORTED) return;
  }
}

bool Listener::MayCome(const std::string& who) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  if (!arrivals_.Take(who, 1, now)) return true;
  LogTurnedAway(who, "it connects too often");
  return false;
}

void Listener::TakeUnix(UniqueFd connection, const RoleGroups& groups) {
  const Result<Caller> caller = LocalCaller(connection.get(), groups);
  if (!caller) {
    LogTurnedAway("a client", caller.error().message);
    return;
  }
  if (!MayCome(caller->key)) return;
  const Result<int> number = peers_.EnterUnix(std::move(connection), *caller);
  if (!number) {
    LogTurnedAway(caller->name, number.error().message);
    return;
  }
  handlers_.unix_connection(*number);
}

void Listener::TakeTcp(UniqueFd connection) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(connection.get(), reinterpret_cast<sockaddr*>(&address),
                  &size) != 0) {
    return;  // it is gone already
  }
  const TcpEnd end = TcpEndOf(address);
  if (!MayCome(NetworkOf(end.host))) return;
  const int on = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const Result<int> number = peers_.EnterTcp(std::move(connection), end);
  if (!number) {
    LogTurnedAway(end.host, number.error().message);
    return;
  }
  handlers_.tcp_connection(*number);
}

}  // namespace uplinkd
