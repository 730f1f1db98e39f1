#include "reconciler/linux/host_marks.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CONNMARK.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_mark.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "reconciler/hex.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/linux/xt_library.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

std::string Masked(std::uint32_t value, std::uint32_t mask) {
  return Hex(value) + "/" + Hex(mask);
}

// The kernel ends names with a NUL but leaves what follows unwritten.
template <std::size_t kSize>
std::string_view Name(const char (&name)[kSize]) {
  return {name, strnlen(name, kSize)};
}

template <typename Info>
std::optional<Info> InfoOf(const unsigned char* data, std::size_t size) {
  if (size < sizeof(Info)) return std::nullopt;
  Info info;
  std::memcpy(&info, data, sizeof(info));
  return info;
}

std::optional<MarkUse> DecodeMatch(const xt_entry_match& match) {
  const auto name = Name(match.u.user.name);
  const std::size_t size = match.u.match_size - sizeof(match);
  // The two have one layout: mark, mask, invert.
  static_assert(sizeof(xt_mark_mtinfo1) == sizeof(xt_connmark_mtinfo1));
  if ((name != "mark" && name != "connmark") || match.u.user.revision != 1) {
    return std::nullopt;
  }
  const auto info = InfoOf<xt_mark_mtinfo1>(match.data, size);
  if (!info) return std::nullopt;
  return MarkUse{"",
                 "-m " + std::string(name) + (info->invert ? " !" : "") +
                     " --mark " + Masked(info->mark, info->mask),
                 info->mask, false};
}

std::string Masks(const xt_connmark_tginfo1& info) {
  return " --nfmask " + Hex(info.nfmask) + " --ctmask " + Hex(info.ctmask);
}

std::optional<MarkUse> DecodeConnmark(const xt_connmark_tginfo1& info) {
  switch (info.mode) {
    case XT_CONNMARK_SET:
      return MarkUse{
          "", "-j CONNMARK --set-xmark " + Masked(info.ctmark, info.ctmask),
          info.ctmark | info.ctmask, true};
    case XT_CONNMARK_SAVE:
      return MarkUse{"", "-j CONNMARK --save-mark" + Masks(info), info.ctmask,
                     true};
    case XT_CONNMARK_RESTORE:
      return MarkUse{"", "-j CONNMARK --restore-mark" + Masks(info),
                     info.nfmask, true};
    default: return std::nullopt;
  }
}

std::optional<MarkUse> DecodeTarget(const xt_entry_target& target) {
  const auto name = Name(target.u.user.name);
  const std::size_t size = target.u.target_size - sizeof(target);
  const int revision = target.u.user.revision;
  if (name == "MARK" && revision == 2) {
    const auto info = InfoOf<xt_mark_tginfo2>(target.data, size);
    if (!info) return std::nullopt;
    return MarkUse{"", "-j MARK --set-xmark " + Masked(info->mark, info->mask),
                   info->mark | info->mask, true};
  }
  if (name == "CONNMARK" && revision == 1) {
    const auto info = InfoOf<xt_connmark_tginfo1>(target.data, size);
    return info ? DecodeConnmark(*info) : std::nullopt;
  }
  if (name == "CONNMARK" && revision == 2) {
    const auto info = InfoOf<xt_connmark_tginfo2>(target.data, size);
    if (!info) return std::nullopt;
    return DecodeConnmark(
        {info->ctmark, info->ctmask, info->nfmask, info->mode});
  }
  // It writes the whole mark, whatever it is told.
  if (name == "HMARK") return MarkUse{"", "-j HMARK", 0xffffffff, true};
  return std::nullopt;
}

void ReadRule(const XtLayout& layout, const std::byte* bytes,
              const std::string& place, std::vector<MarkUse>& uses) {
  const auto add = [&](std::optional<MarkUse> use) {
    if (!use) return;
    use->place = place;
    uses.push_back(std::move(*use));
  };
  const std::size_t target_offset = layout.TargetOffset(bytes);
  std::size_t offset = layout.size;
  while (offset < target_offset) {
    const auto& match =
        *reinterpret_cast<const xt_entry_match*>(bytes + offset);
    add(DecodeMatch(match));
    offset += match.u.match_size;
  }
  add(DecodeTarget(
      *reinterpret_cast<const xt_entry_target*>(bytes + target_offset)));
}

}  // namespace

Result<std::vector<MarkUse>> ReadMarkUses(Family family,
                                          const std::string& table) {
  const XtLibrary& library = LibraryOf(family);
  const std::string program =
      family == Family::kIpv4 ? "iptables" : "ip6tables";
  const XtHandle handle(library.init(table.c_str()), FreeXtHandle{&library});
  if (!handle) {
    return Fail(ErrorCode::kFailedPrecondition,
                "cannot read the " + program + " table " + table + ": " +
                    library.strerror(errno),
                errno);
  }
  const std::string title = family == Family::kIpv4 ? table : "ip6 " + table;
  std::vector<MarkUse> uses;
  for (const char* chain = library.first_chain(handle.get()); chain != nullptr;
       chain = library.next_chain(handle.get())) {
    if (IsOwnedChain(chain)) continue;
    int number = 0;
    for (const std::byte* entry = library.first_rule(chain, handle.get());
         entry != nullptr; entry = library.next_rule(entry, handle.get())) {
      ++number;
      if (IsOwnedChain(library.get_target(entry, handle.get()))) continue;
      ReadRule(LayoutOf(family), entry,
               title + " " + chain + " rule " + std::to_string(number), uses);
    }
  }
  return uses;
}

}  // namespace uplinkd
