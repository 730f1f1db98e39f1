// Others edit what is theirs, in the same places that ours is in.
#include <array>
#include <cstdint>

#include "tests/chaos/disturbance.h"

namespace uplinkd::chaos {
namespace {

constexpr char kIptables[] = "iptables-legacy -w 10 -t ";
constexpr char kOrNothing[] = " 2>/dev/null || true\n";
constexpr std::size_t kMostItems = 12;

// Adds it everywhere; one that was added earlier goes, if there are many.
void Add(Chaos& chaos, const std::string& add, const std::string& remove) {
  chaos.Say(add);
  chaos.world().Everywhere(add);
  chaos.foreign().push_back({add, remove + kOrNothing});
  if (chaos.foreign().size() <= kMostItems) return;
  chaos.Say("no more: " + chaos.foreign().front().name);
  chaos.world().Everywhere(chaos.foreign().front().remove);
  chaos.foreign().pop_front();
}

// Tells it from the others. No connection of ours has such a port; some are
// priorities of the band that is ours.
std::string Number(Chaos& chaos) {
  return std::to_string(10000 + chaos.NextNumber() * 37 % 20000);
}

// Half of them before our jump, which then is not the first any more.
void AddChainRule(Chaos& chaos) {
  static const std::vector<std::string> chains = {
      "mangle PREROUTING", "mangle OUTPUT",     "mangle FORWARD",
      "nat POSTROUTING",   "nat PREROUTING",    "filter FORWARD",
      "raw PREROUTING",    "mangle POSTROUTING"};
  const std::string& place = chaos.random().AnyOf(chains);
  const std::string table = place.substr(0, place.find(' '));
  const std::string chain = place.substr(place.find(' '));
  const bool first = chaos.random().Chance(50);
  const std::string rule = chain + " -p tcp --sport " + Number(chaos) +
                           " -m comment --comment foreign -j ";
  const std::string target =
      table == "mangle" ? "MARK --set-xmark 0x10000/0x10000" : "ACCEPT";
  Add(chaos, kIptables + table + (first ? " -I" : " -A") + rule + target,
      kIptables + table + " -D" + rule + target);
}

void AddChain(Chaos& chaos) {
  const std::string table = chaos.random().Chance(50) ? "mangle" : "nat";
  const std::string chain = "theirs-" + Number(chaos);
  const std::string in = kIptables + table;
  Add(chaos,
      in + " -N " + chain + "\n" + in + " -A " + chain +
          " -i vpn0 -j RETURN\n" + in + " -A PREROUTING -i vpn0 -j " + chain,
      in + " -D PREROUTING -i vpn0 -j " + chain + kOrNothing + in + " -F " +
          chain + kOrNothing + in + " -X " + chain);
}

void AddRule(Chaos& chaos) {
  // Also where ours are.
  const std::string rule =
      "priority " + Number(chaos) + " fwmark 0x10000/0x10000 lookup 500";
  Add(chaos, "ip rule add " + rule + " protocol 99", "ip rule del " + rule);
}

void AddRoute(Chaos& chaos) {
  const std::array<std::size_t, 4> tables = {500, 254, chaos.spec().TableOf(1),
                                             chaos.spec().TableOf(kLines)};
  const std::size_t table = chaos.random().AnyOf(tables);
  const std::uint64_t number = chaos.NextNumber();
  const std::string route = "10." + std::to_string(100 + number / 256 % 100) +
                            "." + std::to_string(number % 256) +
                            ".0/24 via 10.99.0.2 dev vpn0 proto 99 table " +
                            std::to_string(table);
  Add(chaos, "ip route replace " + route, "ip route del " + route);
}

void RestoreMore(Chaos& chaos) {
  const std::string chain = "more-" + Number(chaos);
  const std::string in = std::string(kIptables) + "mangle";
  Add(chaos,
      "printf '*mangle\\n:" + chain + " -\\n-A " + chain +
          " -p 98 -j ACCEPT\\n-A OUTPUT -o vpn0 -j " + chain +
          "\\nCOMMIT\\n' | iptables-legacy-restore -w 10 --noflush",
      in + " -D OUTPUT -o vpn0 -j " + chain + kOrNothing + in + " -F " + chain +
          kOrNothing + in + " -X " + chain);
}

}  // namespace

Disturbances OfForeign() {
  return {{"foreign chain rule", 4, AddChainRule},
          {"foreign chain", 2, AddChain},
          {"foreign ip rule", 2, AddRule},
          {"foreign route", 3, AddRoute},
          {"foreign restore --noflush", 2, RestoreMore}};
}

}  // namespace uplinkd::chaos
