#include "exporters/http_address.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace uplinkd {
namespace {

// As it stands before a port: IPv6 in brackets, IPv4 without.
std::optional<Address> ParseHost(std::string_view text) {
  const bool brackets = text.starts_with('[') && text.ends_with(']');
  if (brackets) text = text.substr(1, text.size() - 2);
  const std::optional<Address> address = Address::Parse(text);
  if (!address || (address->family() == Family::kIpv6) != brackets) {
    return std::nullopt;
  }
  return address;
}

bool IsLoopbackAddress(const Address& address) {
  const auto& bytes = address.bytes();
  if (address.family() == Family::kIpv4) return bytes[0] == 127;
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                    0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
    return bytes[12] == 127;
  }
  return address == Address::Parse("::1");
}

}  // namespace

std::optional<ListenAddress> ParseListen(std::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = listen.substr(0, colon);
  const std::string_view port = listen.substr(colon + 1);
  ListenAddress result;
  if (!host.empty() && host != "*") {
    result.address = ParseHost(host);
    if (!result.address) return std::nullopt;
  }
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return std::nullopt;
  }
  if (result.port < 0 || result.port > 65535) return std::nullopt;
  return result;
}

bool IsLoopback(const ListenAddress& listen) {
  return listen.address && IsLoopbackAddress(*listen.address);
}

bool IsAddressOrLocalhost(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !host.ends_with(']')) {
    const std::string_view port = host.substr(colon + 1);
    if (port.find_first_not_of("0123456789") != std::string_view::npos) {
      return false;
    }
    host = host.substr(0, colon);
  }
  return strcasecmp(std::string(host).c_str(), "localhost") == 0 ||
         ParseHost(host).has_value();
}

}  // namespace uplinkd
