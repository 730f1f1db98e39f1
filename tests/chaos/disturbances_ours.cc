// Others delete, add, change and reorder what is ours, or restore tables that
// have none of it, or an old state of it.
#include <array>
#include <filesystem>
#include <fstream>

#include "tests/chaos/disturbance.h"
#include "tests/lab/process.h"

namespace uplinkd::chaos {
namespace {

// What is damaged may be missing now: that is no fault.
constexpr char kOrNothing[] = " 2>/dev/null || true\n";

std::size_t AnyLine(Chaos& chaos) {
  return chaos.random().Between(1, kLines);
}

void Damage(Chaos& chaos, const std::string& command) {
  chaos.Say(command);
  chaos.effects().damaged = true;
  chaos.world().OnRouter(command + kOrNothing);
}

// What does the same to foreign objects happens everywhere.
void DamageAll(Chaos& chaos, const std::string& command) {
  chaos.Say(command);
  chaos.effects().damaged = true;
  chaos.world().Everywhere(command + kOrNothing);
}

// Of an uplink in the spec. A stray route of ours in any other table is found
// by the full pass only, each half a minute.
std::string AnyTable(Chaos& chaos) {
  const std::size_t line = chaos.random().AnyOf(chaos.spec().uplinks()).line;
  return " table " + std::to_string(chaos.spec().TableOf(line));
}

void DeleteRule(Chaos& chaos) {
  const std::array priorities = {std::size_t{20000}, 20100 + AnyLine(chaos),
                                 20400 + AnyLine(chaos)};
  Damage(chaos, "ip rule del priority " +
                    std::to_string(chaos.random().AnyOf(priorities)));
}

void DeleteRules(Chaos& chaos) {
  Damage(chaos, "ip rule flush protocol 117");
}

void AddRule(Chaos& chaos) {
  const std::string priority =
      std::to_string(chaos.random().Between(20100, 20999));
  Damage(chaos, "ip rule add priority " + priority +
                    " fwmark 0x70/0xf0 lookup 12 protocol 117");
}

void MoveRule(Chaos& chaos) {
  Damage(chaos,
         "ip rule del priority 20000 && ip rule add priority 20990 lookup main "
         "suppress_prefixlength 0 protocol 117");
}

void DoubleRule(Chaos& chaos) {
  const std::string mark = std::to_string(AnyLine(chaos));
  Damage(chaos, "ip rule add priority 20099 fwmark " + mark + "/0xff" +
                    AnyTable(chaos) + " protocol 117");
}

void FlushTable(Chaos& chaos) {
  DamageAll(chaos, "ip route flush" + AnyTable(chaos));
}

void DeleteRoute(Chaos& chaos) {
  static const std::vector<std::string> routes = {
      "default", "unreachable default metric 4294967295", "192.168.10.0/24"};
  const std::string& route = chaos.random().AnyOf(routes);
  Damage(chaos, "ip route del " + route + AnyTable(chaos) + " proto 117");
}

void ChangeRoute(Chaos& chaos) {
  const std::size_t n = AnyLine(chaos);
  Damage(chaos, "ip route replace default via 198.18." + std::to_string(n) +
                    ".77 dev " + lab::UplinkInterface(n) + " proto 117" +
                    AnyTable(chaos));
}

void AddRoute(Chaos& chaos) {
  Damage(chaos,
         "ip route add 10.55.0.0/16 via 10.99.0.2 proto 117" + AnyTable(chaos));
}

std::string AnyChain(Chaos& chaos) {
  static const std::vector<std::string> chains = {
      "mangle UPL-PREROUTING", "mangle UPL-NEW",    "mangle UPL-TRAFFIC",
      "mangle UPL-FATE",       "mangle UPL-OUTPUT", "mangle UPL-MARK-1",
      "mangle UPL-MARK-2",     "mangle UPL-MARK-3", "nat UPL-POSTROUTING",
      "nat UPL-SNAT"};
  const std::string& chain = chaos.random().AnyOf(chains);
  const std::size_t space = chain.find(' ');
  return " " + chain.substr(space + 1) + " -t " + chain.substr(0, space);
}

constexpr char kIptables[] = "iptables-legacy -w 10";

void FlushChain(Chaos& chaos) {
  Damage(chaos, std::string(kIptables) + " -F" + AnyChain(chaos));
}

void DeleteChainRule(Chaos& chaos) {
  const std::string number = std::to_string(chaos.random().Between(1, 3));
  const std::string chain = AnyChain(chaos);
  Damage(chaos, kIptables + chain.substr(chain.find(" -t ")) + " -D" +
                    chain.substr(0, chain.find(" -t ")) + " " + number);
}

void AddChainRule(Chaos& chaos) {
  static const std::vector<std::string> rules = {
      "-p icmp -j ACCEPT", "-j RETURN", "-j MARK --set-xmark 0x2/0xff",
      "-m comment --comment chaos"};
  const std::string& rule = chaos.random().AnyOf(rules);
  Damage(chaos,
         kIptables + std::string(" -t mangle -I UPL-PREROUTING 1 ") + rule);
}

void AddChain(Chaos& chaos) {
  Damage(chaos, kIptables + std::string(" -t mangle -N UPL-STRANGE"));
}

void DeleteJump(Chaos& chaos) {
  static const std::vector<std::string> hooks = {
      "mangle -D PREROUTING -j UPL-PREROUTING",
      "mangle -D OUTPUT -j UPL-OUTPUT",
      "nat -D POSTROUTING -j UPL-POSTROUTING"};
  Damage(chaos, std::string(kIptables) + " -t " + chaos.random().AnyOf(hooks));
}

void DoubleJump(Chaos& chaos) {
  Damage(chaos,
         kIptables + std::string(" -t mangle -A PREROUTING -j UPL-PREROUTING"));
}

std::string AnyXtTable(Chaos& chaos) {
  return chaos.random().Chance(60) ? "mangle" : "nat";
}

// A table that has nothing at all, in one commit.
void EmptyTable(Chaos& chaos) {
  const std::string table = AnyXtTable(chaos);
  DamageAll(chaos, "printf '*" + table +
                       "\\nCOMMIT\\n' | iptables-legacy-restore -w 10");
  if (table == "nat") chaos.effects().lost_forwards = true;
}

// What somebody keeps in a file, and restores: ours are not in it.
void RestoreForeign(Chaos& chaos) {
  const std::string table = AnyXtTable(chaos);
  const std::string file =
      (chaos.world().lab().directory() / ("saved." + table)).string();
  const lab::CommandResult saved = lab::Shell(
      chaos.world().twin(), "iptables-legacy-save -t " + table + " > " + file);
  if (!saved.Ok()) return chaos.Violate("save: " + saved.output);
  DamageAll(chaos, "iptables-legacy-restore -w 10 " + file);
}

// What was there when this happened the last time comes back, ours as well.
void RestoreOld(Chaos& chaos) {
  const std::filesystem::path directory = chaos.world().lab().directory();
  const std::string ours = (directory / "old.router").string();
  const std::string theirs = (directory / "old.copies").string();
  if (std::filesystem::exists(ours)) {
    chaos.Say("restore an old state of all tables");
    chaos.effects().damaged = true;
    chaos.effects().lost_forwards = true;
    chaos.world().Everywhere("iptables-legacy-restore -w 10 " + ours,
                             "iptables-legacy-restore -w 10 " + theirs);
  } else {
    chaos.Say("save all tables");
  }
  const std::string save = "iptables-legacy-save > ";
  const lab::CommandResult router =
      lab::Shell(chaos.world().router(), save + ours);
  const lab::CommandResult twin =
      lab::Shell(chaos.world().twin(), save + theirs);
  if (!router.Ok() || !twin.Ok()) {
    chaos.Violate("save: " + router.output + twin.output);
  }
}

}  // namespace

Disturbances OfOurs() {
  return {{"ip rule deleted", 2, DeleteRule},
          {"all ip rules deleted", 1, DeleteRules},
          {"ip rule added", 1, AddRule},
          {"ip rule moved", 1, MoveRule},
          {"ip rule doubled", 1, DoubleRule},
          {"table flushed", 2, FlushTable},
          {"route deleted", 2, DeleteRoute},
          {"route changed", 1, ChangeRoute},
          {"route added", 1, AddRoute},
          {"chain flushed", 2, FlushChain},
          {"chain rule deleted", 2, DeleteChainRule},
          {"chain rule added", 2, AddChainRule},
          {"chain added", 1, AddChain},
          {"jump deleted", 2, DeleteJump},
          {"jump doubled", 1, DoubleJump},
          {"xtables table emptied", 1, EmptyTable},
          {"foreign table restored", 3, RestoreForeign},
          {"old tables restored", 2, RestoreOld}};
}

}  // namespace uplinkd::chaos
