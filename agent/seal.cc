#include "agent/seal.h"

#include <openssl/sha.h>

#include <array>
#include <cstdint>

#include "reconciler/hex.h"

namespace uplinkd {
namespace {

// What follows `body`, which is an object up to its last member.
std::string SealOf(std::string_view body) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  const std::string bytes(body);
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         digest.data());
  return std::string(",\n \"") + kSealKey + "\": \"" + HexOf(digest) +
         "\"\n}\n";
}

}  // namespace

std::string Sealed(std::string_view object) {
  const std::size_t brace = object.find_last_of('}');
  const std::string_view inside = object.substr(0, brace);
  const std::string_view body =
      inside.substr(0, inside.find_last_not_of(" \n") + 1);
  return std::string(body) + SealOf(body);
}

bool SealHolds(std::string_view text) {
  const std::size_t length = SealOf("").size();
  if (text.size() < length) return false;
  const std::string_view body = text.substr(0, text.size() - length);
  return text.substr(body.size()) == SealOf(body);
}

std::optional<std::string> Unsealed(std::string_view text) {
  if (SealHolds(text)) {
    return std::string(text.substr(0, text.size() - SealOf("").size())) + "}";
  }
  const std::string key = std::string("\n \"") + kSealKey + "\"";
  if (text.find(key) != std::string_view::npos) return std::nullopt;
  return std::string(text);
}

}  // namespace uplinkd
