// XtExtension: a match or a target of a rule as the kernel stores it, and the
// few ways to fill and read one.
//
// Data is always the structure of the extension, zeroed before it is filled and
// padded to the kernel's alignment: the kernel keeps padding as it was sent and
// the iptables programs compare it.
#ifndef UPLINKD_RECONCILER_LINUX_XT_CODEC_EXTENSION_H_
#define UPLINKD_RECONCILER_LINUX_XT_CODEC_EXTENSION_H_

#include <linux/netfilter/x_tables.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/result.h"

namespace uplinkd {

struct XtExtension {
  std::string_view name;  // static, or of the value that was encoded
  std::uint8_t revision = 0;
  std::vector<std::byte> data;
};

// One inside a dump; valid as long as the dump.
struct XtExtensionView {
  std::string_view name;
  std::uint8_t revision = 0;
  std::span<const std::byte> data;
};

// The extension whose header (xt_entry_match, or xt_entry_target, which has the
// same layout) starts `bytes`. `bytes` ends where it ends.
XtExtensionView ViewExtension(std::span<const std::byte> bytes);

// Appends header and data to `bytes`.
void AppendExtension(const XtExtension& extension,
                     std::vector<std::byte>& bytes);

// Whether `view` is, to the byte, what we would write for `extension`.
bool SameBytes(const XtExtension& extension, const XtExtensionView& view);

// "tcp r0 9f86d081884c7d65": the same text for the same bytes.
std::string OpaqueText(const XtExtensionView& view);
// 16 hexadecimal digits (FNV-1a).
std::string Digest(std::span<const std::byte> bytes);

// The padded bytes of a T that `fill` has filled; all else is zero.
template <typename T, typename Fill>
std::vector<std::byte> PackData(Fill fill) {
  T value;
  std::memset(&value, 0, sizeof value);
  fill(value);
  std::vector<std::byte> data(XT_ALIGN(sizeof(T)));
  std::memcpy(data.data(), &value, sizeof value);
  return data;
}

// nullopt if `data` is not of the size of a T.
template <typename T>
std::optional<T> UnpackData(std::span<const std::byte> data) {
  if (data.size() != XT_ALIGN(sizeof(T))) return std::nullopt;
  T value;
  std::memcpy(&value, data.data(), sizeof value);
  return value;
}

// Copies `name` with its NUL. Fails kInvalidArgument if it has no room.
template <std::size_t N>
Result<void> PackName(std::string_view name, char (&field)[N]) {
  if (name.empty() || name.size() >= N) {
    return Fail(ErrorCode::kInvalidArgument,
                "the name '" + std::string(name) + "' must have 1 to " +
                    std::to_string(N - 1) + " characters");
  }
  std::memcpy(field, name.data(), name.size());
  field[name.size()] = '\0';
  return {};
}

// Up to the NUL, or all of it if there is none.
template <std::size_t N>
std::string UnpackName(const char (&field)[N]) {
  return {field, strnlen(field, N)};
}

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_LINUX_XT_CODEC_EXTENSION_H_
