#include "reconciler/linux/xt_codec_blob.h"

#include <linux/netfilter_ipv4/ip_tables.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

// The entries of a table, and where things lie in them.
struct Entries {
  Family family = Family::kIpv4;
  std::span<const std::byte> bytes;

  const XtLayout& layout() const { return LayoutOf(family); }
  std::size_t size() const { return bytes.size(); }
  // The place of the entry behind that at `offset`.
  std::size_t Next(std::size_t offset) const {
    return offset + layout().NextOffset(bytes.data() + offset);
  }
  const xt_entry_target& TargetAt(std::size_t offset) const {
    const std::byte* entry = bytes.data() + offset;
    return *reinterpret_cast<const xt_entry_target*>(
        entry + layout().TargetOffset(entry));
  }
};

// ---- name tails ----

// False if the name has no end.
bool ClearNameTail(char (&name)[XT_EXTENSION_MAXNAMELEN]) {
  const std::size_t length = strnlen(name, sizeof name);
  std::memset(name + length, 0, sizeof name - length);
  return length < sizeof name;
}

// What a target takes, as far as we look into it.
std::size_t RoomOf(const xt_entry_target& target) {
  const char* name = target.u.user.name;
  if (name[0] == '\0') return sizeof(xt_standard_target);
  return std::strcmp(name, XT_ERROR_TARGET) == 0 ? sizeof(xt_error_target)
                                                 : sizeof(xt_entry_target);
}

// Whether matches and target of the entry at `offset` lie where it says.
bool EntryIsSound(const Entries& entries, std::size_t offset) {
  const XtLayout& layout = entries.layout();
  const std::size_t room = entries.size() - offset;
  if (room < layout.size) return false;
  const std::byte* entry = entries.bytes.data() + offset;
  const std::size_t next = layout.NextOffset(entry);
  const std::size_t target = layout.TargetOffset(entry);
  return next <= room && target >= layout.size &&
         target + sizeof(xt_entry_target) <= next;
}

// False if a match or the target does not lie inside its entry, or has a name
// without an end.
bool ClearNameTailsOf(const XtLayout& layout, std::byte* entry) {
  const std::size_t target_offset = layout.TargetOffset(entry);
  std::size_t offset = layout.size;
  while (offset < target_offset) {
    auto* match = reinterpret_cast<xt_entry_match*>(entry + offset);
    const std::size_t room = target_offset - offset;
    if (room < sizeof(xt_entry_match) || match->u.match_size > room ||
        match->u.match_size < sizeof(xt_entry_match)) {
      return false;
    }
    if (!ClearNameTail(match->u.user.name)) return false;
    offset += match->u.match_size;
  }
  auto* target = reinterpret_cast<xt_entry_target*>(entry + offset);
  return ClearNameTail(target->u.user.name) &&
         offset + RoomOf(*target) <= layout.NextOffset(entry);
}

// ---- chains ----

struct BlobChain {
  std::string_view name;
  std::optional<XtHook> hook;  // the builtin chains that we hang jumps in
  std::size_t first = 0;       // offset of the first rule
  std::size_t end = 0;         // offset after the last rule: its policy's
};

struct Builtin {
  unsigned int number;
  std::optional<XtHook> hook;
};
constexpr std::array<Builtin, NF_INET_NUMHOOKS> kBuiltins{{
    {NF_INET_PRE_ROUTING, XtHook::kPrerouting},
    {NF_INET_LOCAL_IN, std::nullopt},
    {NF_INET_FORWARD, std::nullopt},
    {NF_INET_LOCAL_OUT, XtHook::kOutput},
    {NF_INET_POST_ROUTING, XtHook::kPostrouting},
}};

// The chain that starts at `offset`, if one does.
std::optional<BlobChain> ChainAt(const ipt_getinfo& info,
                                 const Entries& entries, std::size_t offset) {
  for (const Builtin& builtin : kBuiltins) {
    if ((info.valid_hooks & (1U << builtin.number)) != 0 &&
        info.hook_entry[builtin.number] == offset) {
      return BlobChain{"", builtin.hook, offset, offset};
    }
  }
  const xt_entry_target& target = entries.TargetAt(offset);
  if (std::strcmp(target.u.user.name, XT_ERROR_TARGET) != 0) {
    return std::nullopt;
  }
  const auto* error = reinterpret_cast<const xt_error_target*>(&target);
  const std::size_t first = entries.Next(offset);
  return BlobChain{
      {error->errorname, strnlen(error->errorname, sizeof error->errorname)},
      std::nullopt,
      first,
      first};
}

// In the order of their offsets. The table's last entry looks like a chain
// without rules named "ERROR".
std::vector<BlobChain> FindChains(const ipt_getinfo& info,
                                  const Entries& entries) {
  std::vector<BlobChain> chains;
  std::size_t last = 0;
  for (std::size_t offset = 0; offset < entries.size();
       offset = entries.Next(offset)) {
    if (const auto chain = ChainAt(info, entries, offset)) {
      if (!chains.empty()) {
        chains.back().end = std::max(chains.back().first, last);
      }
      chains.push_back(*chain);
    }
    last = offset;
  }
  return chains;
}

// What iptc_get_target() would say of the rule at `offset`.
std::string_view TargetName(const Entries& entries, std::size_t offset,
                            const std::vector<BlobChain>& chains) {
  const xt_entry_target& target = entries.TargetAt(offset);
  if (target.u.user.name[0] != '\0') return target.u.user.name;
  const int verdict =
      reinterpret_cast<const xt_standard_target*>(&target)->verdict;
  switch (verdict) {
    case -NF_ACCEPT - 1: return "ACCEPT";
    case -NF_DROP - 1: return "DROP";
    case -NF_QUEUE - 1: return "QUEUE";
    case XT_RETURN: return "RETURN";
    default: break;
  }
  const auto destination = static_cast<std::size_t>(verdict);
  if (destination == entries.Next(offset)) return "";
  const auto found =
      std::ranges::lower_bound(chains, destination, {}, &BlobChain::first);
  const bool known = found != chains.end() && found->first == destination;
  return known ? found->name : "(no chain)";  // the kernel refuses such jumps
}

ChainRule RuleAt(const Entries& entries, std::size_t offset,
                 std::string_view target) {
  return DecodeRule(
      entries.family,
      entries.bytes.subspan(offset, entries.Next(offset) - offset), target);
}

Chain DecodeChain(const Entries& entries, const BlobChain& chain,
                  const std::vector<BlobChain>& chains,
                  std::vector<FateEntry>& fates) {
  Chain rules;
  for (std::size_t offset = chain.first; offset < chain.end;
       offset = entries.Next(offset)) {
    rules.push_back(
        RuleAt(entries, offset, TargetName(entries, offset, chains)));
    const Target& target = rules.back().target;
    if (const auto* set = std::get_if<SetMarkTarget>(&target)) {
      fates.push_back({set->mark, offset});
    }
  }
  return rules;
}

std::vector<HookJump> DecodeJumps(const Entries& entries,
                                  const BlobChain& chain,
                                  const std::vector<BlobChain>& chains) {
  std::vector<HookJump> jumps;
  std::size_t position = 0;
  for (std::size_t offset = chain.first; offset < chain.end;
       offset = entries.Next(offset)) {
    const std::string_view target = TargetName(entries, offset, chains);
    if (IsOwnedChain(target)) {
      jumps.push_back({position, RuleAt(entries, offset, target)});
    }
    ++position;
  }
  return jumps;
}

}  // namespace

Result<void> ClearNameTails(Family family, std::span<std::byte> bytes) {
  const Entries entries{family, bytes};
  for (std::size_t offset = 0; offset < entries.size();
       offset = entries.Next(offset)) {
    if (!EntryIsSound(entries, offset) ||
        !ClearNameTailsOf(entries.layout(), bytes.data() + offset)) {
      return Fail(ErrorCode::kInternal,
                  "the kernel's dump of the table is damaged at byte " +
                      std::to_string(offset));
    }
  }
  return {};
}

DecodedBlob DecodeBlob(Family family, const ipt_getinfo& info,
                       std::span<const std::byte> bytes) {
  const Entries entries{family, bytes};
  const std::vector<BlobChain> chains = FindChains(info, entries);
  DecodedBlob decoded;
  for (const BlobChain& chain : chains) {
    if (chain.hook) {
      std::vector<HookJump> jumps = DecodeJumps(entries, chain, chains);
      if (!jumps.empty()) {
        decoded.state.jumps.emplace(*chain.hook, std::move(jumps));
      }
    } else if (IsOwnedChain(chain.name)) {
      decoded.state.chains.emplace(
          chain.name, DecodeChain(entries, chain, chains, decoded.fates));
    }
  }
  return decoded;
}

std::uint64_t PacketsAt(Family family, std::span<const std::byte> entries,
                        std::size_t offset) {
  xt_counters counters;
  std::memcpy(&counters, entries.data() + offset + LayoutOf(family).counters,
              sizeof counters);
  return counters.pcnt;
}

}  // namespace uplinkd
