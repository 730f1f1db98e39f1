#include "reconciler/traffic.h"

#include <algorithm>
#include <array>

namespace uplinkd {
namespace {

bool Within(const Prefix& inner, const Prefix& outer) {
  return outer.Contains(inner);
}

template <typename Range>
requires requires(Range range) {
  range.first;
  range.last;
}
bool Within(const Range& inner, const Range& outer) {
  return outer.first <= inner.first && inner.last <= outer.last;
}

template <typename T>
bool Within(const T& inner, const T& outer) {
  return inner == outer;
}

// No values hold for everything.
template <typename T>
bool CoversList(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.empty()) return true;
  if (b.empty()) return false;
  return std::ranges::all_of(b, [&a](const T& inner) {
    return std::ranges::any_of(
        a, [&inner](const T& outer) { return Within(inner, outer); });
  });
}

}  // namespace

std::set<std::string> IpsetsOf(const TrafficRule& rule) {
  std::set<std::string> names = {
      rule.match.source_set, rule.match.destination_set, rule.except.source_set,
      rule.except.destination_set};
  names.erase("");
  return names;
}

bool IsLocal(const TrafficRule& rule) {
  return !rule.match.uid.empty();
}

bool HasPorts(std::uint8_t protocol) {
  // https://www.iana.org/assignments/protocol-numbers
  constexpr std::array<std::uint8_t, 5> kWithPorts = {6,     // tcp
                                                      17,    // udp
                                                      33,    // dccp
                                                      132,   // sctp
                                                      136};  // udplite
  return std::ranges::find(kWithPorts, protocol) != kWithPorts.end();
}

bool Covers(const TrafficRule& a, const TrafficRule& b) {
  if (IsLocal(a) != IsLocal(b)) return false;
  if (a.except != TrafficMatch{} && a.except != b.except) return false;
  const TrafficMatch& outer = a.match;
  const TrafficMatch& inner = b.match;
  if (outer.limit) return false;  // what is above it goes on
  return (!outer.protocol || outer.protocol == inner.protocol) &&
         (outer.interface.empty() || outer.interface == inner.interface) &&
         CoversList(outer.source, inner.source) &&
         CoversList(outer.destination, inner.destination) &&
         CoversList(outer.source_ports, inner.source_ports) &&
         CoversList(outer.destination_ports, inner.destination_ports) &&
         CoversList(outer.dscp, inner.dscp) &&
         CoversList(outer.source_mac, inner.source_mac) &&
         (outer.source_set.empty() || outer.source_set == inner.source_set) &&
         (outer.destination_set.empty() ||
          outer.destination_set == inner.destination_set) &&
         (!outer.mark || outer.mark == inner.mark) &&
         (!outer.connmark || outer.connmark == inner.connmark) &&
         CoversList(outer.uid, inner.uid);
}

}  // namespace uplinkd
