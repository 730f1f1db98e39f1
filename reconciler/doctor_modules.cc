#include "reconciler/doctor_modules.h"

#include <map>
#include <string>

namespace uplinkd {
namespace {

// Commands that load a module now and after the next boot.
std::string LoadModule(const std::string& module) {
  return "modprobe " + module + "\necho " + module +
         " >> /etc/modules-load.d/uplinkd.conf";
}

// `table`: "nat" is that of iptables, "ip6 nat" that of ip6tables.
Finding MissingTable(const std::string& table) {
  const bool ipv6 = table.starts_with("ip6 ");
  const std::string name = ipv6 ? table.substr(4) : table;
  const std::string program = ipv6 ? "ip6table" : "iptable";
  return {Severity::kError, "legacy-tables-missing",
          "the kernel has no legacy " + program + "s table " + name,
          "uplinkd writes its chains there", LoadModule(program + "_" + name)};
}

void CheckLegacyTables(const HostFacts& host, std::vector<Finding>& findings) {
  if (!host.xt_error.empty()) {
    findings.push_back(
        {Severity::kError, "legacy-tables-missing",
         "the kernel has no legacy iptables: " + host.xt_error,
         "uplinkd writes its chains to the legacy tables; without them no "
         "connection gets an uplink",
         "modprobe -a ip_tables iptable_mangle iptable_nat\n"
         "printf '%s\\n' ip_tables iptable_mangle iptable_nat > "
         "/etc/modules-load.d/uplinkd.conf"});
    return;
  }
  for (const auto& [table, presence] : host.xt_tables) {
    if (presence == Presence::kNo) findings.push_back(MissingTable(table));
  }
}

// The module that brings an extension. Targets that only have a mark's or NAT's
// name live in the module of the match or the table.
std::string ModuleOf(const std::string& extension) {
  static const std::map<std::string, std::string> modules = {
      {"MARK", "xt_mark"}, {"CONNMARK", "xt_connmark"}, {"SNAT", "xt_nat"}};
  const auto module = modules.find(extension);
  return module == modules.end() ? "xt_" + extension : module->second;
}

Finding MissingExtension(const std::string& kind, const std::string& name) {
  return {Severity::kError, "extension-missing",
          "the kernel has no iptables " + kind + " " + name,
          "the chains of the spec use it, and the kernel refuses a table with "
          "something that it does not know",
          LoadModule(ModuleOf(name))};
}

void CheckExtensions(const std::map<std::string, Presence>& extensions,
                     const std::string& kind, std::vector<Finding>& findings) {
  for (const auto& [name, presence] : extensions) {
    if (presence == Presence::kNo) {
      findings.push_back(MissingExtension(kind, name));
    }
  }
}

}  // namespace

std::vector<Finding> FindMissingModules(const HostFacts& host) {
  std::vector<Finding> findings;
  CheckLegacyTables(host, findings);
  CheckExtensions(host.matches, "match", findings);
  CheckExtensions(host.targets, "target", findings);
  return findings;
}

}  // namespace uplinkd
