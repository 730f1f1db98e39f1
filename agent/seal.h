// Seal: a checksum within a JSON file, so that a bit that flipped on the disk
// is not taken for what somebody wrote.
//
// It is the last member of the file's object: the SHA-256 of everything before
// it. A file without one is taken as it is; so is what an older version wrote.
// Pure.
#ifndef UPLINKD_AGENT_SEAL_H_
#define UPLINKD_AGENT_SEAL_H_

#include <optional>
#include <string>
#include <string_view>

namespace uplinkd {

inline constexpr char kSealKey[] = "sha256";

// `object`: the text of a JSON object that has members.
std::string Sealed(std::string_view object);

// Whether the text ends with the seal that it should have.
bool SealHolds(std::string_view text);

// The object without its seal, as far as it ends with one that holds; nothing
// if it has one that does not.
std::optional<std::string> Unsealed(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_SEAL_H_
