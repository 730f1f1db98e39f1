#include "reconciler/linux/xt_codec_extension.h"

#include <algorithm>
#include <cstdio>

namespace uplinkd {

static_assert(sizeof(xt_entry_match) == sizeof(xt_entry_target));
static_assert(sizeof(xt_entry_match) == XT_ALIGN(sizeof(xt_entry_match)));

XtExtensionView ViewExtension(std::span<const std::byte> bytes) {
  const auto* header = reinterpret_cast<const xt_entry_match*>(bytes.data());
  // The bytes after the name's NUL are whatever was in the buffer before.
  const char* name = header->u.user.name;
  return {{name, strnlen(name, XT_EXTENSION_MAXNAMELEN)},
          header->u.user.revision,
          bytes.subspan(sizeof(xt_entry_match))};
}

void AppendExtension(const XtExtension& extension,
                     std::vector<std::byte>& bytes) {
  const std::size_t start = bytes.size();
  bytes.resize(start + sizeof(xt_entry_match));
  auto* header = reinterpret_cast<xt_entry_match*>(bytes.data() + start);
  header->u.user.match_size =
      static_cast<__u16>(sizeof(xt_entry_match) + extension.data.size());
  header->u.user.revision = extension.revision;
  extension.name.copy(header->u.user.name, XT_EXTENSION_MAXNAMELEN - 1);
  bytes.insert(bytes.end(), extension.data.begin(), extension.data.end());
}

bool SameBytes(const XtExtension& extension, const XtExtensionView& view) {
  return extension.name == view.name && extension.revision == view.revision &&
         std::ranges::equal(extension.data, view.data);
}

std::string OpaqueText(const XtExtensionView& view) {
  return std::string(view.name) + " r" + std::to_string(view.revision) + " " +
         Digest(view.data);
}

std::string Digest(std::span<const std::byte> bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte byte : bytes) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3;
  }
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx",
                static_cast<unsigned long long>(hash));
  return text.data();
}

}  // namespace uplinkd
