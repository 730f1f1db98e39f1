#include "reconciler/linux/monitor.h"

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "reconciler/linux/nl_answer.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/ownership.h"
#include "reconciler/route.h"

namespace uplinkd {
namespace {

// Room for a storm of events of ours; foreign ones never get here.
constexpr int kSocketBuffer = 8 * 1024 * 1024;

// Classic BPF loads are big-endian, netlink is not.
constexpr std::uint32_t Swapped(std::uint16_t value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  return __builtin_bswap16(value);
}
constexpr std::uint32_t Swapped(std::uint32_t value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  return __builtin_bswap32(value);
}

// Offsets from the start of a route message.
constexpr std::uint32_t kType = offsetof(nlmsghdr, nlmsg_type);
constexpr std::uint32_t kHeader = NLMSG_HDRLEN;
constexpr std::uint32_t kLength = kHeader + offsetof(rtmsg, rtm_dst_len);
constexpr std::uint32_t kProtocolByte = kHeader + offsetof(rtmsg, rtm_protocol);
constexpr std::uint32_t kAttributes = kHeader + NLMSG_ALIGN(sizeof(rtmsg));

using Program = std::vector<sock_filter>;

void Load(Program& program, std::uint16_t size, std::uint32_t offset) {
  program.push_back(
      BPF_STMT(static_cast<std::uint16_t>(BPF_LD | BPF_ABS | size), offset));
}

// "If the loaded value is `value`, wake up."
void AcceptIf(Program& program, std::uint32_t value) {
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffffffff));
}

// Drops route events that are neither of ours, nor in one of `tables`, nor
// about a default route of main. Everything else wakes us.
Program MakeFilter(const std::set<std::uint32_t>& tables) {
  Program program;
  Load(program, BPF_H, kType);
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                             Swapped(std::uint16_t{RTM_NEWROUTE}), 2, 0));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                             Swapped(std::uint16_t{RTM_DELROUTE}), 1, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffffffff));
  Load(program, BPF_B, kProtocolByte);
  AcceptIf(program, kProtocol);
  // The table: A becomes the place of the attribute, then its value.
  program.push_back(BPF_STMT(BPF_LD | BPF_IMM, kAttributes));
  program.push_back(BPF_STMT(BPF_LDX | BPF_IMM, RTA_TABLE));
  Load(program, BPF_W, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_NLATTR));
  program.push_back(BPF_STMT(BPF_MISC | BPF_TAX, 0));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN));
  for (const std::uint32_t table : tables) AcceptIf(program, Swapped(table));
  program.push_back(
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, Swapped(kMainTable), 1, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  Load(program, BPF_B, kLength);
  AcceptIf(program, 0);
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  return program;
}

Result<void> Attach(int fd, const std::set<std::uint32_t>& tables) {
  Program program = MakeFilter(tables);
  const sock_fprog attached{static_cast<std::uint16_t>(program.size()),
                            program.data()};
  if (program.size() > BPF_MAXINSNS ||
      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &attached,
                 sizeof(attached)) != 0) {
    const int saved = program.size() > BPF_MAXINSNS ? E2BIG : errno;
    Error error = NetlinkError(saved);
    error.message = "cannot filter the kernel's events: " + error.message;
    return tl::unexpected(error);
  }
  return {};
}

// `change`: NETLINK_ADD_MEMBERSHIP or NETLINK_DROP_MEMBERSHIP.
Result<void> Subscribe(int fd, int change, int group) {
  if (setsockopt(fd, SOL_NETLINK, change, &group, sizeof(group)) == 0) {
    return {};
  }
  Error error = NetlinkError(errno);
  error.message = "cannot subscribe to the kernel's events: " + error.message;
  return tl::unexpected(error);
}

Result<UniqueFd> Listen() {
  const auto fail = [](const char* what) {
    Error error = NetlinkError(errno);
    error.message = what + (": " + error.message);
    return tl::unexpected(error);
  };
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                     NETLINK_ROUTE));
  if (!fd) return fail("cannot open a socket for the kernel's events");
  // Best effort: an overrun is noticed.
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer,
             sizeof(kSocketBuffer));
  // An unbound socket has port 0, which is the kernel's: it would be taken for
  // the sender of every event and left out (do_one_broadcast in af_netlink.c).
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) !=
      0) {
    return fail("cannot bind the socket for the kernel's events");
  }
  // Before joining, or foreign events would slip in.
  if (Result<void> attached = Attach(fd.get(), {}); !attached) {
    return tl::unexpected(attached.error());
  }
  for (const int group : {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                          RTNLGRP_IPV4_RULE}) {
    if (auto joined = Subscribe(fd.get(), NETLINK_ADD_MEMBERSHIP, group);
        !joined) {
      return tl::unexpected(joined.error());
    }
  }
  return fd;
}

}  // namespace

Monitor::Monitor(UniqueFd fd) : fd_(std::move(fd)) {}

Result<std::unique_ptr<Monitor>> Monitor::Open() {
  Result<UniqueFd> fd = Listen();
  if (!fd) return tl::unexpected(fd.error());
  return std::unique_ptr<Monitor>(new Monitor(std::move(*fd)));
}

Result<void> Monitor::WatchTables(const std::set<std::uint32_t>& tables,
                                  bool ipv6) {
  for (const int group :
       {RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE}) {
    if (ipv6 == ipv6_) break;
    const int change = ipv6 ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;
    if (auto changed = Subscribe(fd(), change, group); !changed) return changed;
  }
  ipv6_ = ipv6;
  return Attach(fd(), tables);
}

bool Monitor::Drain() {
  bool happened = false;
  while (true) {
    const ssize_t size =
        recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      // Deaf until everything is read, so go on; what was lost is unknown.
      ++overruns_;
      news_.Forget();
      happened = true;
      continue;
    }
    if (size <= 0) return happened;
    ForEachMessage(
        std::span(buffer_).first(static_cast<std::size_t>(size)),
        [&](nlmsghdr* message) { happened |= news_.Matters(message); });
  }
}

}  // namespace uplinkd
