#include "reconciler/linux/nl_codec.h"

#include <netlink/attr.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "reconciler/hex.h"

namespace uplinkd {
namespace {

std::size_t AddressBytes(Family family) {
  return static_cast<std::size_t>(FamilyBits(family)) / 8;
}

template <typename T>
T DecodeNumber(const nlattr* attribute) {
  T number = 0;
  if (nla_len(attribute) < static_cast<int>(sizeof number)) return number;
  std::memcpy(&number, nla_data(attribute), sizeof number);
  return number;
}

void AppendName(std::string& extra, std::string_view name) {
  if (!extra.empty()) extra += ' ';
  extra += name;
}

}  // namespace

std::optional<Family> FamilyOf(int system_family) {
  switch (system_family) {
    case AF_INET: return Family::kIpv4;
    case AF_INET6: return Family::kIpv6;
    default: return std::nullopt;
  }
}

const nlattr* FindIn(const nlattr* nest, int type) {
  if (nest == nullptr) return nullptr;
  return nla_find(static_cast<const nlattr*>(nla_data(nest)), nla_len(nest),
                  type);
}

std::uint8_t DecodeU8(const nlattr* attribute) {
  return DecodeNumber<std::uint8_t>(attribute);
}

std::uint32_t DecodeU32(const nlattr* attribute) {
  return DecodeNumber<std::uint32_t>(attribute);
}

std::string DecodeText(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(nla_data(attribute));
  return {text, strnlen(text, static_cast<std::size_t>(nla_len(attribute)))};
}

Address DecodeAddress(const nlattr* attribute, Family family) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = AddressBytes(family);
  if (static_cast<std::size_t>(nla_len(attribute)) >= size) {
    std::memcpy(bytes.data(), nla_data(attribute), size);
  }
  return Address::FromBytes(family, bytes);
}

void PutAddress(NlRequest& request, int attribute, const Address& address) {
  request.Put(attribute, address.bytes().data(),
              AddressBytes(address.family()));
}

void AppendUnknown(std::string& extra, std::string_view name,
                   const nlattr* attribute) {
  AppendName(extra, name);
  extra += ":";
  extra += HexOf({static_cast<const std::uint8_t*>(nla_data(attribute)),
                  static_cast<std::size_t>(nla_len(attribute))});
}

void AppendUnknown(std::string& extra, std::string_view name,
                   std::uint32_t value) {
  AppendName(extra, name);
  extra += ' ';
  extra += std::to_string(value);
}

}  // namespace uplinkd
