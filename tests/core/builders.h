// Builders of the values that the core's tests start from.
//
// Two providers as in the README: wan1 (40 Mbit/s) and wan2 (10 Mbit/s) and a
// LAN, everything up. Tests change what they are about.
#ifndef UPLINKD_TESTS_CORE_BUILDERS_H_
#define UPLINKD_TESTS_CORE_BUILDERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "reconciler/facts.h"
#include "reconciler/ip.h"
#include "reconciler/spec.h"

namespace uplinkd::testing {

inline Address Ip(std::string_view text) {
  return Address::Parse(text).value();
}

inline Prefix Net(std::string_view text) {
  return Prefix::Parse(text).value();
}

// "198.51.100.2/24" as an address of a link.
inline LinkAddress AddressOnLink(std::string_view text) {
  const std::string_view address = text.substr(0, text.find('/'));
  return {Ip(address), Prefix::ParseLenient(text).value(), std::nullopt};
}

// A link that is up and has carrier. No address if `address` is empty, no
// default route in main if `gateway` is.
inline Link UpLink(std::string name, int index, std::string_view address,
                   std::string_view gateway = {}) {
  Link link;
  link.name = std::move(name);
  link.index = index;
  link.up = true;
  link.carrier = true;
  if (!address.empty()) link.addresses.push_back(AddressOnLink(address));
  if (!gateway.empty()) link.default_route = DefaultRoute{Ip(gateway)};
  return link;
}

// A point-to-point link, such as ppp0, with a default route without gateway.
inline Link PointToPointLink(std::string name, int index, std::string_view own,
                             std::string_view peer) {
  Link link = UpLink(std::move(name), index, {});
  link.point_to_point = true;
  link.addresses.push_back({Ip(own), Prefix::Host(Ip(peer)), Ip(peer)});
  link.default_route = DefaultRoute{};
  return link;
}

inline void AddLink(Facts& facts, Link link) {
  const std::string name = link.name;
  facts.links[name] = std::move(link);
}

inline constexpr std::uint64_t kMegabit = 1000 * 1000;

inline Uplink MakeUplink(std::string name, UplinkId id,
                         std::uint64_t download_mbit,
                         std::uint64_t upload_mbit) {
  Uplink uplink;
  uplink.interface = name;
  uplink.name = std::move(name);
  uplink.id = id;
  uplink.capacity = {download_mbit * kMegabit, upload_mbit * kMegabit};
  return uplink;
}

// `count` uplinks wan1.. with ids 1.., of 10, 20, 30 ... Mbit/s down.
inline Spec SpecWithUplinks(std::uint32_t count, Algorithm algorithm) {
  Spec spec;
  spec.name = "office";
  spec.lans = {{"lan0", {Net("192.168.10.0/24")}}};
  for (std::uint32_t id = 1; id <= count; ++id) {
    spec.uplinks.push_back(
        MakeUplink("wan" + std::to_string(id), id, 10 * id, 4 * id));
  }
  spec.balance.algorithm = algorithm;
  return spec;
}

// The links of SpecWithUplinks(count): wanN is 10.N.0.2/24 behind 10.N.0.1.
inline Facts FactsWithUplinks(std::uint32_t count) {
  Facts facts;
  AddLink(facts, UpLink("lan0", 2, "192.168.10.1/24"));
  for (std::uint32_t id = 1; id <= count; ++id) {
    const std::string network = "10." + std::to_string(id) + ".0.";
    AddLink(facts, UpLink("wan" + std::to_string(id), static_cast<int>(id) + 2,
                          network + "2/24", network + "1"));
  }
  return facts;
}

inline TrafficRule RuleTo(const std::string& name, std::string use) {
  TrafficRule rule;
  rule.name = name;
  rule.use = std::move(use);
  return rule;
}

// The spec of the README, ids assigned.
inline Spec TwoUplinkSpec() {
  Spec spec;
  spec.name = "office";
  spec.lans = {{"lan0", {Net("192.168.10.0/24")}}};
  spec.uplinks = {MakeUplink("wan1", 1, 40, 10), MakeUplink("wan2", 2, 10, 4)};
  return spec;
}

inline Facts TwoUplinkFacts() {
  Facts facts;
  AddLink(facts, UpLink("lan0", 2, "192.168.10.1/24"));
  AddLink(facts, UpLink("wan1", 3, "198.51.100.2/24", "198.51.100.1"));
  AddLink(facts, UpLink("wan2", 4, "203.0.113.2/24", "203.0.113.1"));
  return facts;
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_BUILDERS_H_
