#include "reconciler/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace uplinkd {
namespace {

// The first `length` bits of `bytes`, the others zero.
std::array<std::uint8_t, 16> Masked(std::array<std::uint8_t, 16> bytes,
                                    int length) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(length - 8 * i, 0, 8);
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00 >> kept));
  }
  return bytes;
}

// A decimal number without sign or leading zero.
std::optional<int> ParseLength(std::string_view text, int max) {
  if (text.empty() || text.size() > 3) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  unsigned length = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, length);
  if (error != std::errc() || stop != end) return std::nullopt;
  if (length > static_cast<unsigned>(max)) return std::nullopt;
  return static_cast<int>(length);
}

}  // namespace

int SystemFamily(Family family) {
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

std::optional<Address> Address::Parse(std::string_view text) {
  // inet_pton() would stop at an embedded NUL and call the rest good.
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    std::array<std::uint8_t, 16> bytes{};
    if (inet_pton(SystemFamily(family), terminated.c_str(), bytes.data()) ==
        1) {
      return FromBytes(family, bytes);
    }
  }
  return std::nullopt;
}

Address Address::FromIpv4(std::uint32_t bits) {
  std::array<std::uint8_t, 16> bytes{};
  for (int i = 0; i < 4; ++i) {
    bytes[i] = static_cast<std::uint8_t>(bits >> (24 - 8 * i));
  }
  return FromBytes(Family::kIpv4, bytes);
}

Address Address::FromBytes(Family family,
                           const std::array<std::uint8_t, 16>& bytes) {
  Address address;
  address.family_ = family;
  address.bytes_ = Masked(bytes, FamilyBits(family));
  return address;
}

std::uint32_t Address::ipv4() const {
  std::uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) bits = bits << 8 | bytes_[i];
  return bits;
}

bool Address::IsUnspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(),
                     [](std::uint8_t byte) { return byte == 0; });
}

bool Address::IsLinkLocal() const {
  return family_ == Family::kIpv6 && bytes_[0] == 0xfe &&
         (bytes_[1] & 0xc0) == 0x80;
}

std::string Address::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(SystemFamily(family_), bytes_.data(), text.data(), text.size());
  return text.data();
}

std::string HostAndPort(const Address& host, std::uint16_t port) {
  const std::string text = host.ToString();
  return (host.family() == Family::kIpv6 ? "[" + text + "]" : text) + ":" +
         std::to_string(port);
}

Prefix::Prefix(const Address& address, int length)
    : network_(Address::FromBytes(address.family(),
                                  Masked(address.bytes(), length))),
      length_(std::clamp(length, 0, FamilyBits(address.family()))) {}

std::optional<Prefix> Prefix::ParseLenient(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<Address> address = Address::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Host(*address);
  const std::optional<int> length =
      ParseLength(text.substr(slash + 1), FamilyBits(address->family()));
  if (!length) return std::nullopt;
  return Prefix(*address, *length);
}

std::optional<Prefix> Prefix::Parse(std::string_view text) {
  const std::optional<Prefix> prefix = ParseLenient(text);
  if (!prefix) return std::nullopt;
  const auto address = Address::Parse(text.substr(0, text.find('/')));
  if (address != prefix->network()) return std::nullopt;
  return prefix;
}

Prefix Prefix::Host(const Address& address) {
  return {address, FamilyBits(address.family())};
}

Prefix Prefix::Default(Family family) {
  return {Address::FromBytes(family, {}), 0};
}

bool Prefix::Contains(const Address& address) const {
  return address.family() == family() &&
         Masked(address.bytes(), length_) == network_.bytes();
}

bool Prefix::Contains(const Prefix& other) const {
  return other.length_ >= length_ && Contains(other.network_);
}

bool Prefix::Overlaps(const Prefix& other) const {
  return Contains(other) || other.Contains(*this);
}

std::string Prefix::ToString() const {
  return network_.ToString() + "/" + std::to_string(length_);
}

}  // namespace uplinkd
