#include "reconciler/compile_uplink.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "reconciler/sharers.h"

namespace uplinkd {
namespace {

std::optional<Link> FindLink(const Facts& facts, const std::string& name) {
  const auto found = facts.links.find(name);
  if (found == facts.links.end()) return std::nullopt;
  return found->second;
}

std::optional<Exit> FindExit(const Uplink& uplink, const Link& link,
                             Family family) {
  if (const auto& gateway = GatewayOf(uplink, family)) return Exit{gateway};
  if (const auto& route = DefaultRouteOf(link, family)) {
    return Exit{route->gateway};
  }
  if (link.point_to_point) return Exit{};
  return std::nullopt;
}

// The address that the spec names, else the one that the gateway is next to,
// else the link's first.
std::optional<Address> FindAddress(const Uplink& uplink, const Link& link,
                                   Family family,
                                   const std::optional<Exit>& exit) {
  const std::vector<LinkAddress> addresses = AddressesIn(link, family);
  if (const std::optional<Address>& wanted = AddressOf(uplink, family)) {
    const bool there =
        std::any_of(addresses.begin(), addresses.end(),
                    [&](const auto& a) { return a.local == *wanted; });
    return there ? wanted : std::nullopt;
  }
  if (addresses.empty()) return std::nullopt;
  if (exit && exit->gateway) {
    for (const LinkAddress& address : addresses) {
      if (address.network.Contains(*exit->gateway)) return address.local;
    }
  }
  return addresses.front().local;
}

// The interface whose address lies in the delegated prefix.
const std::string& PrefixInterface(const Uplink& uplink) {
  const std::string& named = uplink.prefix6_interface;
  return named.empty() ? uplink.interface : named;
}

// A line may have no address of its own but a delegated prefix: then the one
// that the router has in it.
std::optional<Address> FindDelegatedAddress(const Uplink& uplink,
                                            const Facts& facts, Family family) {
  const std::optional<Link> link = FindLink(facts, PrefixInterface(uplink));
  if (!link) return std::nullopt;
  return FindAddress(uplink, *link, family, std::nullopt);
}

// What Nat::kPrefix translates to: what the spec says, else the network of the
// first address that has one.
std::optional<Prefix> FindPrefix(const Uplink& uplink, const Facts& facts,
                                 Family family) {
  if (uplink.prefix6) return uplink.prefix6;
  const std::optional<Link> link = FindLink(facts, PrefixInterface(uplink));
  if (!link) return std::nullopt;
  for (const LinkAddress& address : AddressesIn(*link, family)) {
    if (HasConnectedNetwork(address)) return address.network;
  }
  return std::nullopt;
}

// What keeps the uplink from working; "" if nothing does.
std::string MissingPart(const ResolvedUplink& resolved) {
  const Uplink& uplink = resolved.uplink;
  const std::string& interface = uplink.interface;
  const std::optional<Address>& wanted = AddressOf(uplink, resolved.family);
  // People call IPv4 nothing.
  const std::string ip = resolved.family == Family::kIpv6 ? "IPv6 " : "";
  if (!resolved.link) return "interface " + interface + " does not exist";
  if (!resolved.link->up) return interface + " is down";
  if (!resolved.link->carrier) return interface + " has no carrier";
  if (!resolved.address && wanted) {
    return "address " + wanted->ToString() + " is not on " + interface;
  }
  if (!resolved.address) return interface + " has no " + ip + "address";
  if (!resolved.exit) {
    return "no " + ip + "gateway is known for " + interface +
           ": main has no default route through it";
  }
  if (resolved.nat() == Nat::kPrefix && !resolved.prefix) {
    return "no prefix is known for " + interface + ": " +
           PrefixInterface(uplink) + " has no IPv6 network";
  }
  return "";
}

// Whether the uplink is being emptied, and in which words.
std::optional<std::string> Draining(const Uplink& uplink, const Facts& facts) {
  const auto asked = facts.draining.find(uplink.name);
  if (asked != facts.draining.end()) return asked->second;
  if (uplink.mode == UplinkMode::kDraining) return "draining by the spec";
  return std::nullopt;
}

ResolvedUplink Resolve(const Uplink& uplink, const Facts& facts,
                       Family family) {
  ResolvedUplink resolved;
  resolved.uplink = uplink;
  resolved.family = family;
  if (uplink.mode == UplinkMode::kDisabled || !CarriesFamily(uplink, family)) {
    resolved.phase = UplinkPhase::kDisabled;
    resolved.reason = "disabled by the spec";
    return resolved;
  }
  const bool prefixed = resolved.nat() == Nat::kPrefix;
  resolved.link = FindLink(facts, uplink.interface);
  if (resolved.link) {
    resolved.exit = FindExit(uplink, *resolved.link, family);
    resolved.address =
        FindAddress(uplink, *resolved.link, family, resolved.exit);
    if (!resolved.address && prefixed) {
      resolved.address = FindDelegatedAddress(uplink, facts, family);
    }
  }
  if (prefixed) resolved.prefix = FindPrefix(uplink, facts, family);
  const auto verdict = facts.health.find(uplink.name);
  if (uplink.health && verdict != facts.health.end()) {
    resolved.health = verdict->second;
  }
  resolved.reason = MissingPart(resolved);
  if (!resolved.reason.empty()) {
    resolved.phase = UplinkPhase::kWaiting;
  } else if (const auto refused = facts.blocked.find({uplink.name, family});
             refused != facts.blocked.end()) {
    resolved.phase = UplinkPhase::kBlocked;
    resolved.reason = refused->second;
  } else if (resolved.health.state == HealthState::kDown) {
    resolved.phase = UplinkPhase::kDown;
    resolved.reason = resolved.health.reason;
  } else if (std::optional<std::string> words = Draining(uplink, facts)) {
    resolved.phase = UplinkPhase::kDraining;
    resolved.reason = std::move(*words);
  } else {
    resolved.phase = UplinkPhase::kReady;
  }
  return resolved;
}

// Of two uplinks that learned the same prefix one is wrong: its provider drops
// what has that of the other. The one with the lower id keeps it.
void RefuseSharedPrefixes(std::vector<ResolvedUplink>& uplinks) {
  for (auto later = uplinks.begin(); later != uplinks.end(); ++later) {
    if (!later->prefix || !later->SetUp()) continue;
    const auto first = std::find_if(
        uplinks.begin(), later, [&later](const ResolvedUplink& other) {
          return other.prefix && other.SetUp() &&
                 other.prefix->Overlaps(*later->prefix);
        });
    if (first == later) continue;
    later->phase = UplinkPhase::kWaiting;
    later->reason = "its prefix " + later->prefix->ToString() +
                    " overlaps that of " + first->uplink.name + ", " +
                    first->prefix->ToString();
  }
}

}  // namespace

std::vector<ResolvedUplink> ResolveUplinks(const Spec& spec, const Facts& facts,
                                           Family family) {
  std::vector<ResolvedUplink> all;
  all.reserve(spec.uplinks.size());
  for (const Uplink& uplink : spec.uplinks) {
    all.push_back(Resolve(uplink, facts, family));
    all.back().shared = SharesInterface(spec, uplink, family);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.uplink.id < b.uplink.id;
  });
  RefuseSharedPrefixes(all);
  return all;
}

std::vector<LinkAddress> AddressesIn(const Link& link, Family family) {
  std::vector<LinkAddress> addresses;
  std::copy_if(link.addresses.begin(), link.addresses.end(),
               std::back_inserter(addresses), [family](const auto& a) {
                 return a.local.family() == family && !a.local.IsLinkLocal();
               });
  std::stable_partition(addresses.begin(), addresses.end(),
                        [](const auto& a) { return a.preferred; });
  return addresses;
}

bool HasConnectedNetwork(const LinkAddress& address) {
  return address.network != Prefix::Host(address.local);
}

std::vector<ResolvedLan> ResolveLans(const Spec& spec, const Facts& facts,
                                     Family family) {
  std::map<std::string, std::set<Prefix>> networks;
  for (const Lan& lan : spec.lans) {
    std::set<Prefix>& declared = networks[lan.interface];
    std::ranges::copy_if(
        lan.networks, std::inserter(declared, declared.end()),
        [family](const Prefix& p) { return p.family() == family; });
  }
  std::vector<ResolvedLan> lans;
  for (auto& [interface, declared] : networks) {
    std::optional<Link> link = FindLink(facts, interface);
    if (declared.empty() && link) {
      for (const LinkAddress& address : AddressesIn(*link, family)) {
        if (HasConnectedNetwork(address)) declared.insert(address.network);
      }
    }
    lans.push_back({interface,
                    std::vector<Prefix>(declared.begin(), declared.end()),
                    std::move(link)});
  }
  return lans;
}

}  // namespace uplinkd
