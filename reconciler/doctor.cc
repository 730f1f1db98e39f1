#include "reconciler/doctor.h"

#include <algorithm>
#include <utility>

#include "reconciler/counted.h"
#include "reconciler/doctor_modules.h"
#include "reconciler/hex.h"
#include "reconciler/ownership.h"
#include "reconciler/render.h"

namespace uplinkd {
namespace {

using Findings = std::vector<Finding>;

// Below this the table fills up with a handful of busy clients.
constexpr std::uint64_t kSmallConntrack = 65536;
constexpr std::uint64_t kFullPercent = 80;

template <typename Strings>
std::string Join(const Strings& strings) {
  std::string joined;
  for (const std::string& text : strings) {
    if (!joined.empty()) joined += ", ";
    joined += text;
  }
  return joined;
}

// sysctl(8) swaps dots and slashes: eth0.10 is one name.
std::string SysctlName(std::string link) {
  std::ranges::replace(link, '.', '/');
  return link;
}

// A command that sets a sysctl now and after the next boot.
std::string SetSysctl(const std::string& setting) {
  return "sysctl -w " + setting + "\necho '" + setting +
         "' >> /etc/sysctl.d/90-uplinkd.conf";
}

bool IsOurs(const PolicyRule& rule) {
  return rule.protocol == kProtocol && IsOwnedPriority(rule.priority);
}

// The command that removes a foreign rule, for a person who wants that.
std::string RemoveRuleCommand(const PolicyRule& rule) {
  return IpCommand(rule.family, "rule del ") + RenderRule(rule);
}

std::string RemoveRouteCommand(const Route& route) {
  return IpCommand(route.key.destination.family(), "route del ") +
         RenderRoute(route);
}

void CheckCapabilities(const HostFacts& host, Findings& findings) {
  std::vector<std::string> missing;
  if (!host.net_admin) missing.emplace_back("CAP_NET_ADMIN");
  if (!host.net_raw) missing.emplace_back("CAP_NET_RAW");
  if (missing.empty()) return;
  findings.push_back(
      {Severity::kError, "capability-missing",
       "this program runs without " + Join(missing),
       "routes and rules need CAP_NET_ADMIN, iptables needs CAP_NET_RAW as "
       "well; an agent that is started like this can do nothing, and the "
       "doctor sees only a part of the host",
       "sudo uplinkctl doctor"});
}

void CheckNftables(const HostFacts& host, Findings& findings) {
  // The tables that the iptables-nft programs make; other nftables tables
  // belong to people who know that they use nftables.
  static const std::set<std::string> names = {"filter", "nat", "mangle", "raw",
                                              "security"};
  std::vector<std::string> tables;
  for (const NftTable& table : host.nft_tables) {
    if (table.family == "ip" && names.contains(table.name)) {
      tables.push_back(table.family + " " + table.name);
    }
  }
  if (tables.empty()) return;
  findings.push_back(
      {Severity::kWarning, "other-backend",
       "iptables-nft has rules of its own: nftables has the tables " +
           Join(tables),
       "packets pass both rule sets, the legacy tables (where uplinkd writes) "
       "and these; a verdict, a mark or a NAT of either one counts, and "
       "neither program shows the other's rules",
       "iptables-nft-save    # look at them\n"
       "update-alternatives --set iptables /usr/sbin/iptables-legacy"});
}

void CheckNetworkd(const HostFacts& host, Findings& findings) {
  const NetworkdFacts& networkd = host.networkd;
  if (!networkd.running && !networkd.enabled) return;
  if (networkd.keeps_rules && networkd.keeps_routes) return;
  const std::string what =
      networkd.keeps_rules
          ? "routes"
          : (networkd.keeps_routes ? "rules" : "rules and routes");
  findings.push_back(
      {Severity::kWarning, "networkd-deletes",
       std::string("systemd-networkd ") +
           (networkd.running ? "runs" : "is enabled") + " and removes the " +
           what + " of other programs",
       "whenever it starts or configures a link it deletes what it did not "
       "make; the agent repairs that, but until then connections may leave by "
       "the wrong uplink",
       "mkdir -p /etc/systemd/networkd.conf.d\n"
       "printf '[Network]\\nManageForeignRoutingPolicyRules=no\\n"
       "ManageForeignRoutes=no\\n' > "
       "/etc/systemd/networkd.conf.d/uplinkd.conf\n"
       "systemctl try-restart systemd-networkd"});
}

void CheckReversePath(const HostFacts& host, const Expectation& expectation,
                      Findings& findings) {
  std::vector<std::string> strict;
  for (const auto& [name, settings] : host.links) {
    const bool asked = expectation.uplinks.empty()
                           ? !expectation.lans.contains(name)
                           : expectation.uplinks.contains(name);
    // With src_valid_mark the check follows our marks, and passes.
    if (asked && settings.rp_filter == 1 && !settings.src_valid_mark) {
      strict.push_back(name);
    }
  }
  if (strict.empty()) return;
  std::string mend;
  for (const std::string& name : strict) {
    if (!mend.empty()) mend += "\n";
    mend += SetSysctl("net.ipv4.conf." + SysctlName(name) + ".rp_filter=2");
  }
  findings.push_back(
      {expectation.uplinks.empty() ? Severity::kWarning : Severity::kError,
       "rp-filter-strict",
       "strict reverse path filtering (rp_filter 1) on " + Join(strict),
       "the kernel drops every reply that comes in by an uplink other than "
       "main's default: the connections of all other uplinks hang",
       std::move(mend)});
}

void CheckForwarding(const HostFacts& host, Findings& findings) {
  if (host.forwarding) return;
  findings.push_back({Severity::kError, "forwarding-off",
                      "net.ipv4.ip_forward is 0",
                      "the host forwards no packet of the LANs",
                      SetSysctl("net.ipv4.ip_forward=1")});
}

bool HasDefaultRoute6(const HostFacts& host, const std::string& link) {
  return std::ranges::any_of(host.main_routes, [&](const Route& route) {
    return route.key.destination == Prefix::Default(Family::kIpv6) &&
           std::ranges::find(route.next_hops, link, &NextHop::link) !=
               route.next_hops.end();
  });
}

void CheckForwarding6(const HostFacts& host, const Expectation& expectation,
                      Findings& findings) {
  if (!expectation.ipv6 || host.forwarding6) return;
  findings.push_back(
      {Severity::kError, "forwarding6-off", "net.ipv6.conf.all.forwarding is 0",
       "the host forwards no IPv6 packet of the LANs; once it does, it also "
       "takes default routes from router advertisements only where accept_ra "
       "is 2",
       SetSysctl("net.ipv6.conf.all.forwarding=1")});
}

void CheckDisabled6(const HostFacts& host, const Expectation& expectation,
                    Findings& findings) {
  for (const std::string& link : expectation.uplinks6) {
    const auto settings = host.links.find(link);
    if (settings == host.links.end() || !settings->second.disable_ipv6) {
      continue;
    }
    const std::string name =
        "net.ipv6.conf." + SysctlName(link) + ".disable_ipv6";
    findings.push_back({Severity::kError, "ipv6-off", name + " is 1",
                        "the kernel keeps no IPv6 address and no IPv6 route "
                        "there; or say family: ipv4 of that uplink",
                        SetSysctl(name + "=0")});
  }
}

void CheckAdvertisements(const HostFacts& host, const Expectation& expectation,
                         Findings& findings) {
  if (!host.forwarding6) return;
  for (const std::string& link : expectation.learns_router6) {
    const auto settings = host.links.find(link);
    if (settings == host.links.end() || settings->second.accept_ra == 2 ||
        HasDefaultRoute6(host, link)) {
      continue;
    }
    findings.push_back(
        {Severity::kWarning, "advertisements-ignored",
         link + " has no IPv6 default route, and its accept_ra is " +
             std::to_string(settings->second.accept_ra),
         "a host that forwards takes a router from its advertisements only "
         "where accept_ra is 2",
         SetSysctl("net.ipv6.conf." + SysctlName(link) + ".accept_ra=2")});
  }
}

void CheckConntrack(const HostFacts& host, Findings& findings) {
  if (!host.conntrack) return;
  const auto [entries, limit] = *host.conntrack;
  const bool full = limit > 0 && entries * 100 > limit * kFullPercent;
  if (!full && limit >= kSmallConntrack) return;
  const std::uint64_t better = std::max<std::uint64_t>(262144, limit * 2);
  findings.push_back(
      {Severity::kWarning, full ? "conntrack-full" : "conntrack-small",
       "the connection table holds " + std::to_string(entries) + " of " +
           std::to_string(limit) + " entries",
       "when it is full, new connections are dropped on every uplink",
       SetSysctl("net.netfilter.nf_conntrack_max=" + std::to_string(better))});
}

void CheckMarks(const HostFacts& host, const Expectation& expectation,
                Findings& findings) {
  const std::string mask = Hex(expectation.mark_mask);
  const std::string mend =
      "# move one of the two; ours moves with spec.marks.mask, for example\n"
      "#   marks: {mask: 0xff0000}";
  for (const MarkUse& use : host.mark_uses) {
    const std::uint32_t shared = use.bits & expectation.mark_mask;
    if (shared == 0) continue;
    findings.push_back(
        {use.writes ? Severity::kError : Severity::kWarning, "mark-collision",
         "a foreign rule " + std::string(use.writes ? "writes" : "looks at") +
             " mark bits " + Hex(shared) + " of our mask " + mask + ": " +
             use.place + ", " + use.text,
         use.writes ? "it moves live connections to other uplinks, or off them"
                    : "it takes our marks for its own",
         mend});
  }
  for (const PolicyRule& rule : host.rules) {
    if (IsOurs(rule) || !rule.mark) continue;
    if ((rule.mark->mask & expectation.mark_mask) == 0) continue;
    findings.push_back({Severity::kWarning, "mark-collision",
                        "a foreign ip rule looks at mark bits of our mask " +
                            mask + ": " + RenderRule(rule),
                        "it may take our connections to its own table", mend});
  }
}

void CheckTables(const HostFacts& host, const Expectation& expectation,
                 Findings& findings) {
  const std::string mend =
      "# move one of the two; ours move with spec.tables.base, for example\n"
      "#   tables: {base: 1000}";
  // One finding per table: somebody's table can be large.
  std::map<std::uint32_t, std::vector<const Route*>> foreign;
  for (const Route& route : host.foreign_routes) {
    if (route.protocol == kProtocol) continue;
    if (!expectation.tables.contains(route.key.table)) continue;
    foreign[route.key.table].push_back(&route);
  }
  for (const auto& [table, routes] : foreign) {
    const Route& first = *routes.front();
    findings.push_back(
        {Severity::kWarning, "table-collision",
         "routing table " + std::to_string(table) + " of an uplink has " +
             Counted(routes.size(), "foreign route") +
             ", first: " + RenderRoute(first),
         "they are left alone, and connections of that uplink may follow them",
         RemoveRouteCommand(first) + "\n" + mend});
  }
  for (const PolicyRule& rule : host.rules) {
    if (IsOurs(rule) || !expectation.tables.contains(rule.table)) continue;
    findings.push_back(
        {Severity::kWarning, "table-collision",
         "a foreign ip rule looks up a routing table of an uplink: " +
             RenderRule(rule),
         "it sends packets to that uplink that the spec did not send there",
         RemoveRuleCommand(rule) + "\n" + mend});
  }
  for (const TableName& name : host.table_names) {
    const auto table = expectation.tables.find(name.number);
    if (table == expectation.tables.end() || table->second == name.name) {
      continue;
    }
    findings.push_back({Severity::kWarning, "table-collision",
                        "routing table " + std::to_string(name.number) +
                            " is already called " + name.name + " in " +
                            name.file,
                        "somebody else means to use it, and ip(8) shows that "
                        "name for a table of ours",
                        mend});
  }
}

// Whether somebody pinned a destination to the link of `route`. The kernel's
// own routes lead to the far end of the link, and such a one may also lead to
// the gateway.
bool IsPinned(const Route& route, const std::vector<Route>& main) {
  constexpr std::uint8_t kKernelProtocol = 2;  // RTPROT_KERNEL, rtnetlink.h
  const Address& destination = route.key.destination.network();
  if (route.protocol == kKernelProtocol ||
      route.key.destination != Prefix::Host(destination)) {
    return false;
  }
  return std::ranges::none_of(main, [&](const Route& other) {
    return std::ranges::any_of(other.next_hops, [&](const NextHop& hop) {
      return hop.gateway == destination;
    });
  });
}

void CheckBypasses(const HostFacts& host, const Expectation& expectation,
                   Findings& findings) {
  std::map<std::string, std::vector<const Route*>> pinned;  // by uplink
  for (const Route& route : host.main_routes) {
    if (!IsPinned(route, host.main_routes)) continue;
    for (const NextHop& hop : route.next_hops) {
      const auto uplink = expectation.uplinks.find(hop.link);
      if (uplink != expectation.uplinks.end()) {
        pinned[uplink->second].push_back(&route);
      }
    }
  }
  for (const auto& [uplink, routes] : pinned) {
    const Route& first = *routes.front();
    findings.push_back(
        {Severity::kWarning, "bypass-route",
         "main pins " + Counted(routes.size(), "destination") + " to uplink " +
             uplink + ", first: " + RenderRoute(first),
         "main comes before every policy, so these stay on that uplink even if "
         "it is slow or dead, as the endpoint of a tunnel does",
         RemoveRouteCommand(first) +
             "\n# and have a traffic rule choose, if it is to be another than "
             "the usual one"});
  }
}

// Sees every packet before our rules do.
bool Shadows(const PolicyRule& rule) {
  return rule.priority > 0 && rule.priority < kFirstPriority && !rule.source &&
         rule.in_interface.empty() && !rule.mark &&
         !rule.suppress_prefix_length && rule.extra.empty();
}

void CheckPriorities(const HostFacts& host, Findings& findings) {
  for (const PolicyRule& rule : host.rules) {
    if (IsOurs(rule)) continue;
    if (IsOwnedPriority(rule.priority)) {
      findings.push_back({Severity::kWarning, "priority-collision",
                          "a foreign ip rule stands among ours (priorities " +
                              std::to_string(kFirstPriority) + " to " +
                              std::to_string(kLastPriority) +
                              "): " + RenderRule(rule),
                          "it comes before some of our rules and after others",
                          RemoveRuleCommand(rule) +
                              "\n# and add it again with another priority"});
    } else if (Shadows(rule)) {
      findings.push_back(
          {Severity::kWarning, "rule-shadows",
           "a foreign ip rule for all packets comes before ours: " +
               RenderRule(rule),
           "what its table has a route for never reaches an uplink's table",
           RemoveRuleCommand(rule) +
               "\n# and add it again with a priority above " +
               std::to_string(kLastPriority)});
    }
  }
}

void CheckInterfaces(const HostFacts& host, const Expectation& expectation,
                     Findings& findings) {
  const auto check = [&](const std::string& link, const std::string& role) {
    if (host.links.contains(link)) return;
    findings.push_back({Severity::kError, "interface-missing",
                        "there is no interface " + link + " (" + role + ")",
                        "it is left out until it appears",
                        "ip link show    # the interfaces that there are"});
  };
  for (const auto& [link, name] : expectation.uplinks) {
    check(link, "uplink " + name);
  }
  for (const std::string& link : expectation.lans) check(link, "LAN");
}

void CheckAgent(const HostFacts& host, Findings& findings) {
  if (host.agent_running) {
    findings.push_back({Severity::kNote, "agent-running",
                        "an agent runs in this network namespace",
                        "a second one would refuse to start", ""});
    return;
  }
  const auto ours = std::count_if(host.rules.begin(), host.rules.end(), IsOurs);
  if (ours == 0) return;
  findings.push_back({Severity::kNote, "left-behind",
                      "no agent runs, but " + std::to_string(ours) +
                          " ip rules of ours are in the kernel",
                      "an agent that stops leaves its work in place, so that "
                      "traffic goes on; nobody repairs it now",
                      "systemctl start uplinkd\n"
                      "uplinkctl cleanup --offline    # or remove it all"});
}

void CheckSight(const HostFacts& host, Findings& findings) {
  for (const std::string& unread : host.unread) {
    findings.push_back({Severity::kWarning, "not-looked-at",
                        "the doctor could not look everywhere: " + unread,
                        "something may be wrong there", ""});
  }
}

}  // namespace

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kNote: return "note";
    case Severity::kWarning: return "warning";
    case Severity::kError: return "error";
  }
  return "unknown";
}

std::vector<Finding> Diagnose(const HostFacts& host,
                              const Expectation& expectation) {
  Findings findings;
  CheckCapabilities(host, findings);
  for (Finding& finding : FindMissingModules(host)) {
    findings.push_back(std::move(finding));
  }
  CheckInterfaces(host, expectation, findings);
  CheckForwarding(host, findings);
  CheckForwarding6(host, expectation, findings);
  CheckDisabled6(host, expectation, findings);
  CheckAdvertisements(host, expectation, findings);
  CheckReversePath(host, expectation, findings);
  CheckMarks(host, expectation, findings);
  CheckTables(host, expectation, findings);
  CheckBypasses(host, expectation, findings);
  CheckPriorities(host, findings);
  CheckNftables(host, findings);
  CheckNetworkd(host, findings);
  CheckConntrack(host, findings);
  CheckSight(host, findings);
  CheckAgent(host, findings);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& left, const Finding& right) {
                     return left.severity > right.severity;
                   });
  return findings;
}

}  // namespace uplinkd
