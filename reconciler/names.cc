#include "reconciler/names.h"

#include <algorithm>
#include <array>

namespace uplinkd {
namespace {

constexpr std::size_t kMaxName = 32;
// What the names of chains leave it: "UPL-FATE.<name>.299" has 28 characters.
constexpr std::size_t kMaxChainPart = 15;
constexpr std::size_t kMaxQuoted = 60;
constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1

// Names that already mean something where a table is named by its uplink
// (ip-route(8)) or will where a spec refers to one.
constexpr std::array<std::string_view, 6> kReservedNames = {
    "all", "balance", "default", "local", "main", "unspec"};

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Of a name that becomes a part of the names of chains.
std::string ChainPartFault(const std::string& name, const std::string& thing) {
  if (name.empty()) return "every " + thing + " needs a name";
  if (name.size() > kMaxChainPart) {
    return "is longer than 15 characters, which no chain has room for";
  }
  if (!IsLetter(name[0])) return "must begin with a letter";
  for (const char c : name) {
    if (!IsLetter(c) && !IsDigit(c) && c != '-' && c != '_') {
      return "may hold only letters, digits, '-' and '_'";
    }
  }
  return "";
}

}  // namespace

bool IsPrintable(char c) {
  return static_cast<unsigned char>(c) > ' ' && c != '\x7f';
}

std::string Quote(std::string_view text) {
  std::size_t end = text.size();
  if (end > kMaxQuoted) {
    end = kMaxQuoted;
    // Not in the middle of a UTF-8 sequence.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;
    }
  }
  std::string quoted = "\"";
  for (const char c : text.substr(0, end)) {
    quoted += c == ' ' || IsPrintable(c) ? c : '?';
  }
  return quoted + (end < text.size() ? "...\"" : "\"");
}

std::string UplinkNameFault(const std::string& name) {
  if (name.empty()) return "every uplink needs a name";
  if (name.size() > kMaxName) return "is longer than 32 characters";
  for (const char c : name) {
    if (!IsLetter(c) && !IsDigit(c) && c != '-' && c != '_' && c != '.') {
      return "may hold only letters, digits, '-', '_' and '.'";
    }
  }
  if (!IsLetter(name[0]) && !IsDigit(name[0])) {
    return "must begin with a letter or a digit";
  }
  if (std::all_of(name.begin(), name.end(), IsDigit) ||
      name.starts_with("0x") || name.starts_with("0X")) {
    return "is a number, which `ip route show table` would not take for a name";
  }
  if (std::find(kReservedNames.begin(), kReservedNames.end(), name) !=
      kReservedNames.end()) {
    return Quote(name) + " has a meaning of its own; choose another name";
  }
  return "";
}

std::string PolicyNameFault(const std::string& name) {
  std::string fault = ChainPartFault(name, "policy");
  if (fault.empty() && std::find(kReservedNames.begin(), kReservedNames.end(),
                                 name) != kReservedNames.end()) {
    fault = Quote(name) + " has a meaning of its own; choose another name";
  }
  return fault;
}

std::string TrafficRuleNameFault(const std::string& name) {
  return ChainPartFault(name, "traffic rule");
}

std::string InterfaceFault(const std::string& name) {
  if (name.empty()) return "an interface is needed";
  if (name.size() > kMaxInterfaceName) {
    return "is longer than 15 characters, which no interface can be";
  }
  if (name == "." || name == "..") return "is not a name for an interface";
  if (name == "lo") return "lo is the loopback, which carries no such traffic";
  for (const char c : name) {
    if (!IsPrintable(c) || c == '/' || c == ':') {
      return "may hold no '/', ':', white space or control characters";
    }
  }
  if (name.back() == '+') return "may not end in '+', a wildcard of iptables";
  return "";
}

namespace {

std::string Ipv6Fault(const Prefix& prefix) {
  const auto within = [&prefix](std::uint8_t first, std::uint8_t second,
                                int length) {
    const Address network = Address::FromBytes(Family::kIpv6, {first, second});
    return Prefix(network, length).Overlaps(prefix);
  };
  if (prefix.IsDefault()) return "is every address";
  if (within(0, 0, 8)) return "is in ::/8, which no network has";
  if (within(0xfe, 0x80, 10)) return "is in fe80::/10, link-local";
  if (within(0xff, 0, 8)) return "is in ff00::/8, multicast";
  return "";
}

}  // namespace

std::string AddressFault(const Prefix& prefix, Family family) {
  if (prefix.family() != family) {
    return std::string("is ") + FamilyName(prefix.family()) +
           "; something of " + FamilyName(family) + " is needed here";
  }
  return AddressFault(prefix);
}

std::string AddressFault(const Prefix& prefix) {
  if (prefix.family() == Family::kIpv6) return Ipv6Fault(prefix);
  const auto within = [&prefix](std::uint32_t network, int length) {
    return Prefix(Address::FromIpv4(network), length).Overlaps(prefix);
  };
  if (prefix.IsDefault()) return "is every address";
  if (within(0x00000000, 8)) return "is in 0.0.0.0/8, the unspecified network";
  if (within(0x7f000000, 8)) return "is in 127.0.0.0/8, the loopback network";
  if (within(0xe0000000, 4)) return "is in 224.0.0.0/4, multicast";
  if (within(0xf0000000, 4)) return "is in 240.0.0.0/4, reserved or broadcast";
  return "";
}

}  // namespace uplinkd
