#include "tests/bench/floor.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace uplinkd::bench {
namespace {

constexpr std::size_t kBuffer = 64 * 1024;

// The C library's if_nametoindex() is in a header that conflicts with the
// kernel's own.
int IndexOf(int socket, const std::string& link) {
  ifreq request{};
  std::strncpy(request.ifr_name, link.c_str(), IFNAMSIZ - 1);
  return ioctl(socket, SIOCGIFINDEX, &request) == 0 ? request.ifr_ifindex : 0;
}

}  // namespace

Floor::Floor(const std::vector<std::string>& links,
             const std::vector<std::uint32_t>& tables)
    : netlink_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)),
      raw_(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)),
      buffer_(kBuffer) {
  const int on = 1;
  setsockopt(netlink_, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  for (const std::string& link : links) {
    const int index = IndexOf(raw_, link);
    ifinfomsg link_header{};
    link_header.ifi_index = index;
    const std::uint32_t mask = RTEXT_FILTER_SKIP_STATS;
    AddRequest(RTM_GETLINK, 0, &link_header, sizeof link_header, IFLA_EXT_MASK,
               &mask, sizeof mask);
    ifaddrmsg address_header{};
    address_header.ifa_family = AF_INET;
    address_header.ifa_index = static_cast<std::uint32_t>(index);
    AddRequest(RTM_GETADDR, NLM_F_DUMP, &address_header, sizeof address_header,
               0, nullptr, 0);
    rtmsg route_header{};
    route_header.rtm_family = AF_INET;
    route_header.rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
    AddRequest(RTM_GETROUTE, 0, &route_header, sizeof route_header, RTA_OIF,
               &index, sizeof index);
  }
  for (const std::uint32_t table : tables) {
    rtmsg header{};
    header.rtm_family = AF_INET;
    AddRequest(RTM_GETROUTE, NLM_F_DUMP, &header, sizeof header, RTA_TABLE,
               &table, sizeof table);
  }
  fib_rule_hdr rule_header{};
  rule_header.family = AF_INET;
  AddRequest(RTM_GETRULE, NLM_F_DUMP, &rule_header, sizeof rule_header, 0,
             nullptr, 0);
}

Floor::~Floor() {
  close(netlink_);
  close(raw_);
}

void Floor::AddRequest(std::uint16_t type, std::uint16_t flags,
                       const void* header, std::size_t header_size,
                       std::uint16_t attribute, const void* value,
                       std::size_t value_size) {
  const std::size_t attribute_at = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
  const std::size_t size =
      attribute_at + (value == nullptr ? 0 : RTA_LENGTH(value_size));
  Request request{std::vector<char>(NLMSG_ALIGN(size)),
                  (flags & NLM_F_DUMP) == NLM_F_DUMP};
  nlmsghdr message{};
  message.nlmsg_len = static_cast<std::uint32_t>(size);
  message.nlmsg_type = type;
  message.nlmsg_flags = NLM_F_REQUEST | flags;
  std::memcpy(request.bytes.data(), &message, sizeof message);
  std::memcpy(request.bytes.data() + NLMSG_HDRLEN, header, header_size);
  if (value != nullptr) {
    rtattr head{};
    head.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(value_size));
    head.rta_type = attribute;
    std::memcpy(request.bytes.data() + attribute_at, &head, sizeof head);
    std::memcpy(request.bytes.data() + attribute_at + RTA_LENGTH(0), value,
                value_size);
  }
  requests_.push_back(std::move(request));
}

bool Floor::Ask(const Request& request) {
  if (send(netlink_, request.bytes.data(), request.bytes.size(), 0) < 0) {
    return false;
  }
  while (true) {
    const ssize_t count = recv(netlink_, buffer_.data(), buffer_.size(), 0);
    if (count <= 0) return false;
    if (!request.dump) return true;
    // A dump ends with NLMSG_DONE, which is the last message of a piece.
    ssize_t left = count;
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return true;
      if (message->nlmsg_type == NLMSG_ERROR) return false;
    }
  }
}

bool Floor::ReadTable(const char* table) {
  ipt_getinfo info{};
  std::strncpy(info.name, table, sizeof info.name - 1);
  socklen_t size = sizeof info;
  if (getsockopt(raw_, IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) != 0) {
    return false;
  }
  size = static_cast<socklen_t>(sizeof(ipt_get_entries) + info.size);
  if (buffer_.size() < size) buffer_.resize(size);
  auto* entries = reinterpret_cast<ipt_get_entries*>(buffer_.data());
  std::memcpy(entries->name, info.name, sizeof info.name);
  entries->size = info.size;
  return getsockopt(raw_, IPPROTO_IP, IPT_SO_GET_ENTRIES, buffer_.data(),
                    &size) == 0;
}

bool Floor::Run() {
  bool worked = true;
  for (const Request& request : requests_) worked = Ask(request) && worked;
  return ReadTable("mangle") && ReadTable("nat") && worked;
}

}  // namespace uplinkd::bench
