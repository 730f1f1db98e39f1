#include "reconciler/chain.h"

#include <array>

namespace uplinkd {

std::string_view XtTableName(XtTable table) {
  return table == MangleOf(FamilyOf(table)) ? "mangle" : "nat";
}

std::string_view XtTableTitle(XtTable table) {
  switch (table) {
    case XtTable::kMangle: return "mangle";
    case XtTable::kNat: return "nat";
    case XtTable::kMangle6: return "ip6 mangle";
    case XtTable::kNat6: return "ip6 nat";
  }
  return "";
}

Family FamilyOf(XtTable table) {
  const bool ipv4 = table == XtTable::kMangle || table == XtTable::kNat;
  return ipv4 ? Family::kIpv4 : Family::kIpv6;
}

XtTable MangleOf(Family family) {
  return family == Family::kIpv4 ? XtTable::kMangle : XtTable::kMangle6;
}

XtTable NatOf(Family family) {
  return family == Family::kIpv4 ? XtTable::kNat : XtTable::kNat6;
}

std::string_view XtHookName(XtHook hook) {
  switch (hook) {
    case XtHook::kPrerouting: return "PREROUTING";
    case XtHook::kOutput: return "OUTPUT";
    case XtHook::kPostrouting: return "POSTROUTING";
  }
  return "";
}

std::uint8_t DestinationGroup(const Address& address) {
  const int last = FamilyBits(address.family()) / 8 - 1;
  return address.bytes().at(static_cast<std::size_t>(last)) %
         kDestinationGroups;
}

// As print_rate() of libxt_hashlimit does it.
BudgetRate RateOf(const BudgetMatch& match) {
  using std::chrono::hours;
  using std::chrono::microseconds;
  using std::chrono::minutes;
  using std::chrono::seconds;
  constexpr std::array<seconds, 4> kUnits = {hours(24), hours(1), minutes(1),
                                             seconds(1)};
  BudgetRate rate;
  for (const seconds unit : kUnits) {
    const auto length = static_cast<std::uint64_t>(microseconds(unit).count());
    const bool largest = unit == kUnits.front();
    if (!largest && (match.interval > length ||
                     length / match.interval < length % match.interval)) {
      break;
    }
    rate = {length / match.interval, unit};
  }
  return rate;
}

}  // namespace uplinkd
