#include "reconciler/linux/xt_layout.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>

#include "reconciler/linux/nl_codec.h"

namespace uplinkd {
namespace {

template <typename Entry>
constexpr XtLayout Layout() {
  // A snapshot compares from the counters of one entry to those of the next.
  static_assert(offsetof(Entry, elems) ==
                offsetof(Entry, counters) + sizeof(xt_counters));
  XtLayout layout;
  layout.size = sizeof(Entry);
  layout.target_offset = offsetof(Entry, target_offset);
  layout.next_offset = offsetof(Entry, next_offset);
  layout.counters = offsetof(Entry, counters);
  return layout;
}

constexpr XtLayout kIpv4 = Layout<ipt_entry>();
constexpr XtLayout kIpv6 = Layout<ip6t_entry>();

// What is asked and answered has one form in both families.
static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
static_assert(offsetof(ipt_getinfo, size) == offsetof(ip6t_getinfo, size));
static_assert(sizeof(ipt_get_entries) == sizeof(ip6t_get_entries));
static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO);
static_assert(IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);

}  // namespace

const XtLayout& LayoutOf(Family family) {
  return family == Family::kIpv4 ? kIpv4 : kIpv6;
}

int OpenXtSocket(Family family) {
  return socket(SystemFamily(family), SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
}

int AskXt(Family family, int socket, int option, void* answer,
          std::size_t size) {
  const int level = family == Family::kIpv4 ? IPPROTO_IP : IPPROTO_IPV6;
  auto length = static_cast<socklen_t>(size);
  return getsockopt(socket, level, option, answer, &length);
}

}  // namespace uplinkd
