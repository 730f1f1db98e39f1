// Address and Prefix: IP addresses as values that parse, print and order.
//
// Both carry their family, so that one model serves IPv4 and IPv6. Bytes are in
// network order; an IPv4 address uses the first four and leaves the rest zero.
#ifndef UPLINKD_RECONCILER_IP_H_
#define UPLINKD_RECONCILER_IP_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace uplinkd {

enum class Family : std::uint8_t { kIpv4, kIpv6 };

// As people write it: "IPv4".
constexpr const char* FamilyName(Family family) {
  return family == Family::kIpv4 ? "IPv4" : "IPv6";
}

// Address bits of the family: 32 or 128.
constexpr int FamilyBits(Family family) {
  return family == Family::kIpv4 ? 32 : 128;
}

// AF_INET or AF_INET6.
int SystemFamily(Family family);

class Address {
 public:
  Address() = default;  // 0.0.0.0

  // "192.0.2.1" or "2001:db8::1"; nothing else (no zone, no prefix length).
  static std::optional<Address> Parse(std::string_view text);
  // `bits` in host order: 0xc0000201 is 192.0.2.1.
  static Address FromIpv4(std::uint32_t bits);
  static Address FromBytes(Family family,
                           const std::array<std::uint8_t, 16>& bytes);

  Family family() const { return family_; }
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  // Host order. Only for IPv4.
  std::uint32_t ipv4() const;
  bool IsUnspecified() const;
  // In fe80::/10. Such an address means something on its link alone.
  bool IsLinkLocal() const;
  std::string ToString() const;

  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<std::uint8_t, 16> bytes_{};
};

// "192.0.2.1:53" or "[2001:db8::1]:53" (RFC 3986).
std::string HostAndPort(const Address& host, std::uint16_t port);

// An address block. The host bits of `network()` are always zero.
class Prefix {
 public:
  Prefix() = default;  // 0.0.0.0/0

  // Host bits of `address` below `length` are cleared.
  Prefix(const Address& address, int length);

  // "192.0.2.0/24", or a bare address, which means a /32 or /128. Host bits
  // that are set are refused: use ParseLenient where they are to be cleared.
  static std::optional<Prefix> Parse(std::string_view text);
  static std::optional<Prefix> ParseLenient(std::string_view text);
  static Prefix Host(const Address& address);  // /32 or /128
  static Prefix Default(Family family);        // 0.0.0.0/0 or ::/0

  Family family() const { return network_.family(); }
  const Address& network() const { return network_; }
  int length() const { return length_; }
  bool IsDefault() const { return length_ == 0; }
  bool Contains(const Address& address) const;
  bool Contains(const Prefix& other) const;
  bool Overlaps(const Prefix& other) const;
  std::string ToString() const;  // always with the length: "192.0.2.1/32"

  friend auto operator<=>(const Prefix&, const Prefix&) = default;

 private:
  Address network_;
  int length_ = 0;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_IP_H_
