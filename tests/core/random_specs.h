// RandomSpecs: valid specs and facts to go with them, for the laws.
//
// The same sequence in every run. About one link in nine lacks something.
#ifndef UPLINKD_TESTS_CORE_RANDOM_SPECS_H_
#define UPLINKD_TESTS_CORE_RANDOM_SPECS_H_

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/core/builders.h"

namespace uplinkd::testing {

class RandomSpecs {
 public:
  enum class Families { kIpv4, kBoth };

  explicit RandomSpecs(Families families = Families::kIpv4)
      : ipv6_(families == Families::kBoth) {}

  int Draw(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_);
  }

  Spec MakeSpec() {
    const int most = Draw(0, 20) == 0 ? 32 : 6;
    constexpr std::array kAlgorithms = {
        Algorithm::kLeastLoaded,      Algorithm::kWeightedRandom,
        Algorithm::kRoundRobin,       Algorithm::kSourceHash,
        Algorithm::kLeastConnections, Algorithm::kLowestLatency,
        Algorithm::kMultipath};
    Spec spec =
        SpecWithUplinks(static_cast<std::uint32_t>(Draw(1, most)),
                        kAlgorithms.at(static_cast<std::size_t>(Draw(0, 6))));
    spec.balance.measure = static_cast<Measure>(Draw(0, 2));
    if (spec.balance.algorithm != Algorithm::kMultipath && Draw(0, 3) == 0) {
      spec.balance.affinity.by = Draw(0, 9) == 0
                                     ? AffinityKey::kSourceDestination
                                     : AffinityKey::kSource;
    }
    std::vector<UplinkId> ids(252);
    std::iota(ids.begin(), ids.end(), 1);
    std::shuffle(ids.begin(), ids.end(), random_);
    for (std::size_t i = 0; i < spec.uplinks.size(); ++i) {
      Uplink& uplink = spec.uplinks[i];
      uplink.id = ids[i];
      uplink.nat = static_cast<Nat>(Draw(0, 2));
      if (ipv6_ && Draw(0, 3) == 0) {
        uplink.families = i == 0 || Draw(0, 1) == 0 ? UplinkFamilies::kBoth
                                                    : UplinkFamilies::kIpv6;
        uplink.nat6 = static_cast<Nat>(Draw(0, 3));
      }
      if (Draw(0, 8) == 0) uplink.mode = static_cast<UplinkMode>(Draw(1, 2));
      if (Draw(0, 1) == 0) {
        uplink.weight = static_cast<std::uint32_t>(Draw(1, 300));
      }
      if (Draw(0, 1) == 0 ||
          spec.balance.algorithm == Algorithm::kLowestLatency) {
        uplink.health.emplace().probes = {IcmpProbe{Ip("192.0.2.1")}};
      }
    }
    for (std::size_t n = 1; n < spec.uplinks.size(); n += 2) {
      const bool multipath = spec.balance.algorithm == Algorithm::kMultipath;
      if (Draw(0, 5) == 0 && !multipath) {
        Share(static_cast<int>(n), spec.uplinks[n - 1], spec.uplinks[n]);
      }
    }
    if (ipv6_) spec.lans[0].networks.push_back(Net("fd00:10::/64"));
    for (int lan = 1; lan < Draw(1, 4); ++lan) {
      const std::string network = "172.16." + std::to_string(lan) + ".";
      spec.lans.push_back({"lan" + std::to_string(lan),
                           {Net(network + "0/25"), Net(network + "128/26")}});
    }
    return spec;
  }

  Facts MakeFacts() {
    Facts facts = FactsWithUplinks(32);
    for (auto& [name, link] : facts.links) {
      link.up = Draw(0, 8) != 0;
      link.carrier = Draw(0, 8) != 0;
      link.rp_filter = Draw(0, 2);
      const std::string number = std::to_string(link.index - 2);
      if (name != "lan0") {
        link.addresses.push_back(AddressOnLink("10." + number + ".0.3/24"));
      }
      if (ipv6_ && Draw(0, 2) != 0) {
        const std::string network = "2001:db8:" + number;
        link.addresses.push_back(AddressOnLink(network + "::2/64"));
        link.addresses.push_back(AddressOnLink(network + "::3/64"));
        link.default_route6 = DefaultRoute{Ip("fe80::1")};
      }
      if (Draw(0, 8) == 0) link.addresses.clear();
      if (Draw(0, 8) == 0) link.default_route.reset();
      if (Draw(0, 8) == 0) facts.blocked[name] = "refused";
      if (Draw(0, 8) == 0) facts.draining[name] = "draining";
      facts.health[name] = {static_cast<HealthState>(Draw(0, 3)), "probed"};
    }
    for (int id = 1; id <= 32; ++id) {
      if (Draw(0, 8) == 0) facts.links.erase("wan" + std::to_string(id));
    }
    if (Draw(0, 1) == 0) facts.loads = MakeLoads();
    facts.rankings[kBalance] = {"wan" + std::to_string(Draw(1, 8))};
    return facts;
  }

  Loads MakeLoads() {
    Loads loads;
    for (int id = 1; id <= 32; ++id) {
      loads["wan" + std::to_string(id)] = {
          .connections = static_cast<std::uint64_t>(Draw(0, 300)),
          .arrivals = Draw(0, 100) / 10.0};
    }
    return loads;
  }

  Spec Shuffled(Spec spec) {
    std::shuffle(spec.uplinks.begin(), spec.uplinks.end(), random_);
    std::shuffle(spec.lans.begin(), spec.lans.end(), random_);
    for (Lan& lan : spec.lans) {
      std::shuffle(lan.networks.begin(), lan.networks.end(), random_);
    }
    return spec;
  }

 private:
  // Both are on the interface of uplink `n`.
  void Share(int n, Uplink& one, Uplink& other) {
    const std::string number = std::to_string(n);
    const auto settle = [&](Uplink& uplink, const std::string& host,
                            const std::string& gateway) {
      if (CarriesFamily(uplink, Family::kIpv4)) {
        uplink.address = Ip("10." + number + ".0." + host);
        uplink.gateway = Ip("10." + number + ".0." + gateway);
        if (uplink.nat == Nat::kMasquerade) uplink.nat = Nat::kSnat;
      }
      if (!CarriesFamily(uplink, Family::kIpv6)) return;
      uplink.address6 = Ip("2001:db8:" + number + "::" + host);
      uplink.gateway6 = Ip("fe80::" + gateway);
      if (uplink.nat6 == Nat::kMasquerade) uplink.nat6 = Nat::kSnat;
      if (uplink.nat6 == Nat::kPrefix) {
        uplink.prefix6 = Net("2001:db8:8" + host + number + "::/48");
      }
    };
    other.interface = one.interface;
    settle(one, "2", "1");
    settle(other, "3", "9");
  }

  bool ipv6_;
  std::mt19937 random_{20261122};
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_RANDOM_SPECS_H_
