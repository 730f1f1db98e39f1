#include "tests/lab/traced_call.h"

#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <system_error>

namespace uplinkd::lab {
namespace {

// Of libiptc, for IPv4 and IPv6 alike.
constexpr std::uint64_t kReplaceTable = 64;
constexpr std::uint64_t kAddCounters = 65;

// How much of the other process's memory at `address` could be read.
ssize_t Read(pid_t process, std::uint64_t address, void* buffer,
             std::size_t size) {
  const std::string path = "/proc/" + std::to_string(process) + "/mem";
  const int memory = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t count =
      pread(memory, buffer, size, static_cast<off_t>(address));
  close(memory);
  return count;
}

template <typename T>
std::optional<T> Peek(pid_t process, std::uint64_t address) {
  T value{};
  const ssize_t count = Read(process, address, &value, sizeof(value));
  if (count != static_cast<ssize_t>(sizeof(value))) return std::nullopt;
  return value;
}

// A path; it ends at the first zero.
std::string PeekText(pid_t process, std::uint64_t address) {
  std::array<char, 1024> text{};
  // The last byte stays zero.
  Read(process, address, text.data(), text.size() - 1);
  return text.data();
}

std::string PathOf(pid_t process, std::uint64_t fd) {
  std::error_code error;
  return std::filesystem::read_symlink(
             "/proc/" + std::to_string(process) + "/fd/" + std::to_string(fd),
             error)
      .string();
}

// Domain and protocol of a socket of the other process.
struct SocketKind {
  int domain = -1;
  int protocol = -1;
};
SocketKind KindOf(pid_t process, std::uint64_t fd) {
  SocketKind kind;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
  socklen_t size = sizeof(int);
  if (copy >= 0) {
    getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &kind.domain, &size);
    size = sizeof(int);
    getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, &kind.protocol, &size);
    close(copy);
  }
  close(pidfd);
  return kind;
}

// Messages about what is there already, or that ask for it.
bool OnlyAsks(int protocol, std::uint16_t type) {
  constexpr std::uint16_t kGet = 2;  // RTM_GETROUTE & 3, ...
  if (protocol == NETLINK_ROUTE) return (type & 3U) == kGet;
  return NFNL_SUBSYS_ID(type) == NFNL_SUBSYS_CTNETLINK &&
         NFNL_MSG_TYPE(type) != 0 && NFNL_MSG_TYPE(type) != 2;
}

std::string EffectOfSending(pid_t process, const SystemCall& call,
                            std::uint64_t data) {
  const SocketKind kind = KindOf(process, call.arguments[0]);
  if (kind.domain != AF_NETLINK) return "send to a peer";
  const std::optional<nlmsghdr> header = Peek<nlmsghdr>(process, data);
  if (!header || OnlyAsks(kind.protocol, header->nlmsg_type)) return "";
  return "send to netlink " + std::to_string(kind.protocol) + ": type " +
         std::to_string(header->nlmsg_type);
}

std::string EffectOfMessage(pid_t process, const SystemCall& call) {
  const std::optional<msghdr> message =
      Peek<msghdr>(process, call.arguments[1]);
  if (!message || message->msg_iovlen == 0) return "";
  const std::optional<iovec> first =
      Peek<iovec>(process, reinterpret_cast<std::uint64_t>(message->msg_iov));
  if (!first) return "";
  return EffectOfSending(process, call,
                         reinterpret_cast<std::uint64_t>(first->iov_base));
}

std::string EffectOfOption(const SystemCall& call) {
  const bool table =
      call.arguments[1] == SOL_IP || call.arguments[1] == SOL_IPV6;
  if (!table) return "";
  if (call.arguments[2] == kReplaceTable) return "setsockopt SET_REPLACE";
  if (call.arguments[2] == kAddCounters) return "setsockopt SET_ADD_COUNTERS";
  return "";
}

std::string EffectOfOpening(pid_t process, std::uint64_t path,
                            std::uint64_t flags) {
  constexpr std::uint64_t kWrites = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
  if ((flags & kWrites) == 0) return "";
  return "open " + PeekText(process, path);
}

// The log is a file, too; whoever reads it knows that it may end anywhere.
std::string EffectOnFile(pid_t process, const SystemCall& call,
                         const std::string& verb) {
  if (call.arguments[0] <= STDERR_FILENO) return "";
  const std::string path = PathOf(process, call.arguments[0]);
  if (!path.starts_with('/') || path.starts_with("/dev/")) return "";
  return verb + " " + path;
}

}  // namespace

std::string EffectOf(pid_t process, const SystemCall& call) {
  const auto& arguments = call.arguments;
  switch (call.number) {
    case SYS_openat:
      return EffectOfOpening(process, arguments[1], arguments[2]);
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64: return EffectOnFile(process, call, "write");
    case SYS_fsync:
    case SYS_fdatasync: return EffectOnFile(process, call, "fsync");
    case SYS_ftruncate: return EffectOnFile(process, call, "truncate");
    case SYS_renameat:
    case SYS_renameat2: return "rename " + PeekText(process, arguments[1]);
    case SYS_unlinkat: return "unlink " + PeekText(process, arguments[1]);
    case SYS_mkdirat: return "mkdir " + PeekText(process, arguments[1]);
#ifdef SYS_rename  // newer machines have only those that end in "at"
    case SYS_open: return EffectOfOpening(process, arguments[0], arguments[1]);
    case SYS_rename: return "rename " + PeekText(process, arguments[0]);
    case SYS_unlink: return "unlink " + PeekText(process, arguments[0]);
    case SYS_mkdir: return "mkdir " + PeekText(process, arguments[0]);
#endif
    case SYS_sendmsg: return EffectOfMessage(process, call);
    case SYS_sendto: return EffectOfSending(process, call, arguments[1]);
    case SYS_setsockopt: return EffectOfOption(call);
    default: return "";
  }
}

}  // namespace uplinkd::lab
