#include "reconciler/assume.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "reconciler/compile.h"

namespace uplinkd {
namespace {

// 0.16.<id>.<host> and 0.32.<ordinal>.<host>, with room for ids above 255.
constexpr std::uint32_t kUplinkBlock = 0x00100000;
constexpr std::uint32_t kLanBlock = 0x00200000;
// 100::16:<id>:0:0:<host> and so on, in the discard-only network of RFC 6666.
constexpr int kNetworkLength = 24;
constexpr int kNetworkLength6 = 64;
constexpr std::uint8_t kUplinkBlock6 = 0x16;
constexpr std::uint8_t kPrefixBlock6 = 0x18;
constexpr std::uint8_t kLanBlock6 = 0x32;
constexpr std::uint32_t kGatewayHost = 1;
constexpr std::uint32_t kAddressHost = 2;

Address Placeholder(std::uint32_t block, std::uint32_t number,
                    std::uint32_t host) {
  return Address::FromIpv4(block + (number << 8) + host);
}

Address Placeholder6(std::uint8_t block, std::uint32_t number,
                     std::uint32_t host) {
  std::array<std::uint8_t, 16> bytes{0x01};
  bytes[5] = block;
  bytes[6] = static_cast<std::uint8_t>(number >> 8);
  bytes[7] = static_cast<std::uint8_t>(number);
  bytes[15] = static_cast<std::uint8_t>(host);
  return Address::FromBytes(Family::kIpv6, bytes);
}

// The smallest network with both in it, neither at its ends.
Prefix NetworkOf(const Address& address, const Address& gateway) {
  constexpr int kLongest = 30;
  const int common = std::countl_zero(address.ipv4() ^ gateway.ipv4());
  for (int length = std::min(common, kLongest); length > 0; --length) {
    const std::uint32_t hosts = ~std::uint32_t{0} >> length;
    const auto at_end = [hosts](const Address& a) {
      return (a.ipv4() & hosts) == 0 || (a.ipv4() & hosts) == hosts;
    };
    if (!at_end(address) && !at_end(gateway)) return {address, length};
  }
  return Prefix::Host(address);
}

class Assumption {
 public:
  Assumed Make(const Spec& spec) {
    for (const Uplink& uplink : spec.uplinks) AssumeUplink(uplink);
    std::set<std::string> lans;
    for (const Lan& lan : spec.lans) lans.insert(lan.interface);
    for (const Lan& lan : spec.lans) {
      const auto ordinal = static_cast<std::uint32_t>(
          std::distance(lans.begin(), lans.find(lan.interface)));
      AssumeLan(lan, ordinal);
    }
    return std::move(assumed_);
  }

 private:
  void AssumeUplink(const Uplink& uplink) {
    const std::string prefix = VariablePrefix(uplink.name);
    Up(uplink.interface);
    if (CarriesFamily(uplink, Family::kIpv4)) AssumeIpv4(uplink, prefix);
    if (CarriesFamily(uplink, Family::kIpv6)) AssumeIpv6(uplink, prefix);
  }

  void AssumeIpv6(const Uplink& uplink, const std::string& prefix) {
    ipv6_ = true;
    const Address address = GivenOr(
        uplink.address6, Placeholder6(kUplinkBlock6, uplink.id, kAddressHost),
        prefix + "ADDRESS6");
    const Address gateway = GivenOr(
        uplink.gateway6, Placeholder6(kUplinkBlock6, uplink.id, kGatewayHost),
        prefix + "GATEWAY6");
    const Prefix network(address, kNetworkLength6);
    Name(network.ToString(), prefix + "NETWORK6");
    Link& link = Up(uplink.interface);
    link.addresses.push_back({address, network, std::nullopt});
    link.default_route6 = DefaultRoute{gateway};
    std::optional<Address>& source = assumed_.facts.default_source6;
    if (!source) source = address;
    if (uplink.prefix6_interface.empty()) return;
    // Where it is learned from.
    const Prefix delegated(Placeholder6(kPrefixBlock6, uplink.id, 0),
                           kNetworkLength6);
    Name(delegated.ToString(), prefix + "PREFIX6");
    Link& from = Up(uplink.prefix6_interface);
    from.addresses.insert(from.addresses.begin(),
                          {Placeholder6(kPrefixBlock6, uplink.id, kGatewayHost),
                           delegated, std::nullopt});
  }

  // What is given, else the placeholder of a variable.
  Address GivenOr(const std::optional<Address>& given,
                  const Address& placeholder, const std::string& variable) {
    if (given) return *given;
    Name(placeholder.ToString(), variable);
    return placeholder;
  }

  void AssumeIpv4(const Uplink& uplink, const std::string& prefix) {
    ipv4_ = true;
    const Address address = GivenOr(
        uplink.address, Placeholder(kUplinkBlock, uplink.id, kAddressHost),
        prefix + "ADDRESS");
    const Address gateway = GivenOr(
        uplink.gateway, Placeholder(kUplinkBlock, uplink.id, kGatewayHost),
        prefix + "GATEWAY");
    Prefix network(gateway, kNetworkLength);
    if (uplink.address && uplink.gateway) {
      network = NetworkOf(address, gateway);
    }
    Link& link = Up(uplink.interface);
    JoinNetworks(link, network);
    Name(network.ToString(), prefix + "NETWORK");
    link.addresses.push_back({address, network, std::nullopt});
    link.default_route = DefaultRoute{gateway};
    if (!assumed_.facts.default_source) assumed_.facts.default_source = address;
  }

  // Networks of uplinks that share an interface are one where they overlap: the
  // widest of them, under the name that it had first.
  void JoinNetworks(Link& link, Prefix& network) {
    for (const LinkAddress& other : link.addresses) {
      if (!other.network.Overlaps(network)) continue;
      if (other.network.Contains(network)) network = other.network;
    }
    for (LinkAddress& other : link.addresses) {
      if (other.network == network || !other.network.Overlaps(network)) {
        continue;
      }
      auto renamed = assumed_.variables.extract(other.network.ToString());
      if (!renamed.empty()) {
        renamed.key() = network.ToString();
        assumed_.variables.insert(std::move(renamed));
      }
      other.network = network;
    }
  }

  void AssumeLan(const Lan& lan, std::uint32_t ordinal) {
    Link& link = Up(lan.interface);
    const auto known = [&](Family family) {
      const auto is = [family](Family other) { return other == family; };
      return std::ranges::any_of(lan.networks, is, &Prefix::family) ||
             std::ranges::any_of(link.addresses, is, [](const auto& a) {
               return a.local.family();
             });
    };
    const bool ipv4 = ipv4_ && !known(Family::kIpv4);
    const bool ipv6 = ipv6_ && !known(Family::kIpv6);
    if (!ipv4 && !ipv6) return;
    const std::string prefix = VariablePrefix(lan.interface);
    if (ipv4) {
      AssumeNetwork(link, Placeholder(kLanBlock, ordinal, kGatewayHost),
                    kNetworkLength, prefix + "NETWORK");
    }
    if (ipv6) {
      AssumeNetwork(link, Placeholder6(kLanBlock6, ordinal, kGatewayHost),
                    kNetworkLength6, prefix + "NETWORK6");
    }
  }

  void AssumeNetwork(Link& link, const Address& own, int length,
                     const std::string& variable) {
    const Prefix network(own, length);
    link.addresses.push_back({own, network, std::nullopt});
    Name(network.ToString(), variable);
  }

  Link& Up(const std::string& name) {
    Link& link = assumed_.facts.links[name];
    link.name = name;
    link.index = static_cast<int>(assumed_.facts.links.size());
    link.up = true;
    link.carrier = true;
    return link;
  }

  void Name(std::string placeholder, const std::string& variable) {
    // Uplinks that share an interface may be in one network.
    assumed_.variables.emplace(std::move(placeholder), "$" + variable);
  }

  // "WAN_1_" for "wan-1"; different for different names.
  std::string VariablePrefix(const std::string& name) {
    std::string prefix;
    for (const char c : name) {
      const bool lower = c >= 'a' && c <= 'z';
      const bool upper = c >= 'A' && c <= 'Z';
      const bool digit = c >= '0' && c <= '9';
      // A variable cannot begin with a digit.
      if (digit && prefix.empty()) prefix = "_";
      if (lower) {
        prefix += static_cast<char>(c - 'a' + 'A');
      } else {
        prefix += upper || digit ? c : '_';
      }
    }
    prefix += '_';
    while (!prefixes_.insert(prefix).second) prefix += '_';
    return prefix;
  }

  Assumed assumed_;
  std::set<std::string> prefixes_;
  bool ipv4_ = false;  // an uplink carries it
  bool ipv6_ = false;
};

bool PartOfNumber(std::string_view line, std::size_t position) {
  if (position >= line.size()) return false;
  const char c = line[position];
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '.' ||
         c == ':';
}

void ReplaceAll(std::string& line, const std::string& placeholder,
                const std::string& variable) {
  std::size_t at = line.find(placeholder);
  while (at != std::string::npos) {
    const bool whole = (at == 0 || !PartOfNumber(line, at - 1)) &&
                       !PartOfNumber(line, at + placeholder.size());
    if (whole) line.replace(at, placeholder.size(), variable);
    at = line.find(placeholder, at + (whole ? variable.size() : 1));
  }
}

}  // namespace

Assumed AssumeFacts(const Spec& spec) {
  Assumed assumed = Assumption().Make(spec);
  assumed.facts.ipsets = IpsetsOf(spec);
  return assumed;
}

std::string SubstituteVariables(const Assumed& assumed, std::string line) {
  // Networks first: a declared address may begin one of them.
  for (const bool networks : {true, false}) {
    for (const auto& [placeholder, variable] : assumed.variables) {
      const bool is_network = placeholder.find('/') != std::string::npos;
      if (is_network == networks) ReplaceAll(line, placeholder, variable);
    }
  }
  return line;
}

}  // namespace uplinkd
