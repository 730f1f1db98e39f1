#include "reconciler/linux/host_facts.h"

#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "reconciler/linux/host_networkd.h"
#include "reconciler/linux/host_nftables.h"
#include "reconciler/linux/host_table_names.h"
#include "reconciler/linux/host_xtables.h"
#include "reconciler/linux/instance.h"
#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_codec.h"
#include "reconciler/linux/nl_list.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSettings = "/proc/sys/net/ipv4/conf";
constexpr std::string_view kSettings6 = "/proc/sys/net/ipv6/conf";

template <typename Number>
std::optional<Number> ReadNumber(const fs::path& path) {
  std::ifstream file(path);
  Number number{};
  if (file >> number) return number;
  return std::nullopt;
}

// The capabilities that count, from the mask in /proc.
void ReadCapabilities(HostFacts& facts) {
  constexpr std::string_view kEffective = "CapEff:\t";
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kEffective)) continue;
    std::uint64_t mask = 0;
    std::from_chars(line.data() + kEffective.size(), line.data() + line.size(),
                    mask, 16);
    facts.net_admin = ((mask >> CAP_NET_ADMIN) & 1) != 0;
    facts.net_raw = ((mask >> CAP_NET_RAW) & 1) != 0;
  }
}

LinkSettings SettingsOf(const std::string& link) {
  const fs::path directory = fs::path(kSettings) / link;
  const fs::path directory6 = fs::path(kSettings6) / link;
  return {ReadNumber<int>(directory / "rp_filter").value_or(0),
          ReadNumber<int>(directory / "src_valid_mark").value_or(0) != 0,
          ReadNumber<int>(directory6 / "accept_ra").value_or(0),
          ReadNumber<int>(directory6 / "disable_ipv6").value_or(0) != 0};
}

// /proc/sys/net shows the calling thread's namespace, a directory per link.
void ReadSettings(HostFacts& facts) {
  const LinkSettings all = SettingsOf("all");
  std::error_code error;
  fs::directory_iterator links(kSettings, error);
  for (; !error && links != fs::directory_iterator(); links.increment(error)) {
    const std::string name = links->path().filename().string();
    if (name == "all" || name == "default" || name == "lo") continue;
    LinkSettings settings = SettingsOf(name);
    settings.rp_filter = std::max(settings.rp_filter, all.rp_filter);
    settings.src_valid_mark |= all.src_valid_mark;
    facts.links.emplace(name, settings);
  }
  facts.forwarding =
      ReadNumber<int>("/proc/sys/net/ipv4/ip_forward").value_or(0) != 0;
  facts.forwarding6 =
      ReadNumber<int>("/proc/sys/net/ipv6/conf/all/forwarding").value_or(0) !=
      0;
}

void ReadConntrack(HostFacts& facts) {
  const fs::path directory = "/proc/sys/net/netfilter";
  const auto entries =
      ReadNumber<std::uint64_t>(directory / "nf_conntrack_count");
  const auto limit = ReadNumber<std::uint64_t>(directory / "nf_conntrack_max");
  if (entries && limit) facts.conntrack = ConntrackFacts{*entries, *limit};
}

std::vector<Family> FamiliesOf(const Expectation& expectation) {
  if (!expectation.ipv6) return {Family::kIpv4};
  return {Family::kIpv4, Family::kIpv6};
}

Result<std::vector<PolicyRule>> ReadAllRules(NlSocket& socket, Family family) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(SystemFamily(family));
  const NlRequest request(RTM_GETRULE, NLM_F_DUMP, header);
  return ReadList<PolicyRule>(
      socket, request, [](nlmsghdr* message) -> std::optional<PolicyRule> {
        return DecodeRule(message);
      });
}

void ReadForeignRoutes(NlSocket& socket, const Expectation& expectation,
                       Family family, HostFacts& facts) {
  LinkNames names(socket);
  for (const auto& [table, uplink] : expectation.tables) {
    const auto routes = ReadRoutes(
        socket, names, RouteFilter{.family = family, .table = table});
    if (!routes) {
      facts.unread.push_back("routing table " + std::to_string(table) + ": " +
                             routes.error().message);
      continue;
    }
    std::copy_if(
        routes->begin(), routes->end(),
        std::back_inserter(facts.foreign_routes),
        [](const Route& route) { return route.protocol != kProtocol; });
  }
}

// The kernel sends only what goes by an uplink: main may hold a full feed.
void ReadMainRoutes(NlSocket& socket, const Expectation& expectation,
                    Family family, HostFacts& facts) {
  LinkNames names(socket);
  for (const auto& [link, uplink] : expectation.uplinks) {
    RouteFilter filter{.family = family, .table = kMainTable};
    filter.ifindex = names.IndexOf(link);
    if (filter.ifindex == 0) continue;
    const auto routes = ReadRoutes(socket, names, filter);
    if (!routes) {
      facts.unread.push_back("routes of " + link + ": " +
                             routes.error().message);
      continue;
    }
    std::ranges::copy_if(
        *routes, std::back_inserter(facts.main_routes), [](const Route& route) {
          const Prefix& destination = route.key.destination;
          return destination.IsDefault() ||
                 destination == Prefix::Host(destination.network());
        });
  }
}

void ReadOtherPrograms(HostFacts& facts) {
  facts.networkd = ReadNetworkd("/");
  facts.table_names = ReadTableNames("/etc/iproute2");
  if (auto tables = ReadNftTables()) {
    facts.nft_tables = std::move(*tables);
  } else {
    facts.unread.push_back("nftables: " + tables.error().message);
  }
  if (const auto taken = Instance::IsTaken()) {
    facts.agent_running = *taken;
  } else {
    facts.unread.push_back(taken.error().message);
  }
}

}  // namespace

Result<HostFacts> ReadHostFacts(const Expectation& expectation) {
  auto socket = NlSocket::Open(NETLINK_ROUTE);
  if (!socket) return tl::unexpected(socket.error());
  HostFacts facts;
  for (const Family family : FamiliesOf(expectation)) {
    const auto rules = ReadAllRules(**socket, family);
    if (!rules) return tl::unexpected(rules.error());
    std::ranges::copy(*rules, std::back_inserter(facts.rules));
    ReadForeignRoutes(**socket, expectation, family, facts);
    ReadMainRoutes(**socket, expectation, family, facts);
  }
  ReadCapabilities(facts);
  ReadSettings(facts);
  ReadConntrack(facts);
  ReadXtables(expectation, facts);
  ReadOtherPrograms(facts);
  return facts;
}

}  // namespace uplinkd
