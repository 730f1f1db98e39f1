#include "reconciler/compile_uplink.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace uplinkd {
namespace {

std::optional<Link> FindLink(const Facts& facts, const std::string& name) {
  const auto found = facts.links.find(name);
  if (found == facts.links.end()) return std::nullopt;
  return found->second;
}

std::optional<Exit> FindExit(const Uplink& uplink, const Link& link) {
  if (uplink.gateway) return Exit{uplink.gateway};
  if (link.default_route) return Exit{link.default_route->gateway};
  if (link.point_to_point) return Exit{};
  return std::nullopt;
}

// The address that the spec names, else the one that the gateway is next to,
// else the link's first.
std::optional<Address> FindAddress(const Uplink& uplink, const Link& link,
                                   const std::optional<Exit>& exit) {
  const std::vector<LinkAddress> addresses = Ipv4Addresses(link);
  if (uplink.address) {
    const bool there =
        std::any_of(addresses.begin(), addresses.end(),
                    [&](const auto& a) { return a.local == *uplink.address; });
    return there ? uplink.address : std::nullopt;
  }
  if (addresses.empty()) return std::nullopt;
  if (exit && exit->gateway) {
    for (const LinkAddress& address : addresses) {
      if (address.network.Contains(*exit->gateway)) return address.local;
    }
  }
  return addresses.front().local;
}

// What keeps the uplink from working; "" if nothing does.
std::string MissingPart(const ResolvedUplink& resolved) {
  const Uplink& uplink = resolved.uplink;
  const std::string& interface = uplink.interface;
  if (!resolved.link) return "interface " + interface + " does not exist";
  if (!resolved.link->up) return interface + " is down";
  if (!resolved.link->carrier) return interface + " has no carrier";
  if (!resolved.address && uplink.address) {
    return "address " + uplink.address->ToString() + " is not on " + interface;
  }
  if (!resolved.address) return interface + " has no address";
  if (!resolved.exit) {
    return "no gateway is known for " + interface +
           ": main has no default route through it";
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

ResolvedUplink Resolve(const Uplink& uplink, const Facts& facts) {
  ResolvedUplink resolved;
  resolved.uplink = uplink;
  if (uplink.mode == UplinkMode::kDisabled) {
    resolved.phase = UplinkPhase::kDisabled;
    resolved.reason = "disabled by the spec";
    return resolved;
  }
  resolved.link = FindLink(facts, uplink.interface);
  if (resolved.link) {
    resolved.exit = FindExit(uplink, *resolved.link);
    resolved.address = FindAddress(uplink, *resolved.link, resolved.exit);
  }
  const auto verdict = facts.health.find(uplink.name);
  if (uplink.health && verdict != facts.health.end()) {
    resolved.health = verdict->second;
  }
  resolved.reason = MissingPart(resolved);
  if (!resolved.reason.empty()) {
    resolved.phase = UplinkPhase::kWaiting;
  } else if (const auto refused = facts.blocked.find(uplink.name);
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

}  // namespace

std::vector<ResolvedUplink> ResolveUplinks(const Spec& spec,
                                           const Facts& facts) {
  std::vector<ResolvedUplink> all;
  all.reserve(spec.uplinks.size());
  for (const Uplink& uplink : spec.uplinks) {
    all.push_back(Resolve(uplink, facts));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.uplink.id < b.uplink.id;
  });
  return all;
}

std::vector<LinkAddress> Ipv4Addresses(const Link& link) {
  std::vector<LinkAddress> addresses;
  std::copy_if(link.addresses.begin(), link.addresses.end(),
               std::back_inserter(addresses),
               [](const auto& a) { return a.local.family() == Family::kIpv4; });
  return addresses;
}

bool HasConnectedNetwork(const LinkAddress& address) {
  return address.network != Prefix::Host(address.local);
}

std::vector<ResolvedLan> ResolveLans(const Spec& spec, const Facts& facts) {
  std::map<std::string, std::set<Prefix>> networks;
  for (const Lan& lan : spec.lans) {
    networks[lan.interface].insert(lan.networks.begin(), lan.networks.end());
  }
  std::vector<ResolvedLan> lans;
  for (auto& [interface, declared] : networks) {
    std::optional<Link> link = FindLink(facts, interface);
    if (declared.empty() && link) {
      for (const LinkAddress& address : Ipv4Addresses(*link)) {
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
