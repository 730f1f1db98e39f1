// HostFacts: what the doctor wants to know about a host.
//
// Wider than Facts: it is about what stands in the way of a spec (other
// programs' rules, kernel settings, missing extensions), not about what a spec
// compiles from. Read by ReadHostFacts() in reconciler/linux/, judged by
// Diagnose(). A value; what could not be read says so, it is never guessed.
#ifndef UPLINKD_RECONCILER_HOST_FACTS_H_
#define UPLINKD_RECONCILER_HOST_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/route.h"

namespace uplinkd {

enum class Presence { kYes, kNo, kUnknown };

// The settings under /proc/sys/net/ipv4/conf that count for a link: the
// larger of "all" and the link's own.
struct LinkSettings {
  int rp_filter = 0;
  bool src_valid_mark = false;
  int accept_ra = 0;  // ipv6.conf.LINK.accept_ra; 2: also where it forwards
  bool disable_ipv6 = false;  // ipv6.conf.LINK.disable_ipv6

  friend auto operator<=>(const LinkSettings&, const LinkSettings&) = default;
};

// An nftables table, "ip" "filter".
struct NftTable {
  std::string family;
  std::string name;

  friend auto operator<=>(const NftTable&, const NftTable&) = default;
};

// A foreign iptables rule that touches packet or connection mark bits.
struct MarkUse {
  std::string place;       // "mangle FORWARD rule 3"
  std::string text;        // "MARK --set-xmark 0x10/0x10"
  std::uint32_t bits = 0;  // those that it reads or writes
  bool writes = false;

  friend auto operator<=>(const MarkUse&, const MarkUse&) = default;
};

struct NetworkdFacts {
  bool running = false;
  bool enabled = false;       // at boot
  bool keeps_rules = false;   // ManageForeignRoutingPolicyRules=no
  bool keeps_routes = false;  // ManageForeignRoutes=no

  friend auto operator<=>(const NetworkdFacts&, const NetworkdFacts&) = default;
};

struct ConntrackFacts {
  std::uint64_t entries = 0;
  std::uint64_t limit = 0;

  friend auto operator<=>(const ConntrackFacts&,
                          const ConntrackFacts&) = default;
};

// A line of rt_tables or of a file in rt_tables.d.
struct TableName {
  std::uint32_t number = 0;
  std::string name;
  std::string file;

  friend auto operator<=>(const TableName&, const TableName&) = default;
};

struct HostFacts {
  bool net_admin = false;  // CAP_NET_ADMIN
  bool net_raw = false;    // CAP_NET_RAW
  // By name ("mangle", "ip6 mangle"; "statistic"; "CONNMARK"), only those asked
  // about.
  std::map<std::string, Presence> xt_tables;
  std::map<std::string, Presence> matches;
  std::map<std::string, Presence> targets;
  std::string xt_error;  // the kernel's words if iptables is not there at all
  std::vector<NftTable> nft_tables;
  NetworkdFacts networkd;
  std::map<std::string, LinkSettings> links;  // every link but lo
  bool forwarding = false;                    // net.ipv4.ip_forward
  bool forwarding6 = false;                   // net.ipv6.conf.all.forwarding
  std::optional<ConntrackFacts> conntrack;    // absent: not loaded
  std::vector<MarkUse> mark_uses;             // foreign
  std::vector<PolicyRule> rules;      // every rule, ours too; those of IPv6 if
                                      // the spec is about it
  std::vector<Route> foreign_routes;  // in the tables asked about
  // Of main, by an uplink's link: the default routes and the host routes.
  std::vector<Route> main_routes;
  std::vector<TableName> table_names;  // not from our own file
  bool agent_running = false;          // in this network namespace
  // What could not be looked at, each with the reason.
  std::vector<std::string> unread;

  friend auto operator<=>(const HostFacts&, const HostFacts&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_HOST_FACTS_H_
