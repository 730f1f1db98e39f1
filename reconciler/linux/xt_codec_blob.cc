#include "reconciler/linux/xt_codec_blob.h"

#include <linux/netfilter_ipv4/ip_tables.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/ownership.h"

namespace uplinkd {
namespace {

using Entries = std::span<const std::byte>;

const ipt_entry& EntryAt(Entries entries, std::size_t offset) {
  return *reinterpret_cast<const ipt_entry*>(entries.data() + offset);
}

const xt_entry_target& TargetOf(const ipt_entry& entry) {
  return *reinterpret_cast<const xt_entry_target*>(
      reinterpret_cast<const std::byte*>(&entry) + entry.target_offset);
}

// ---- name tails ----

void ClearNameTail(char (&name)[XT_EXTENSION_MAXNAMELEN]) {
  const std::size_t length = strnlen(name, sizeof name);
  std::memset(name + length, 0, sizeof name - length);
}

// Whether matches and target of the entry at `offset` lie where it says.
bool EntryIsSound(std::span<const std::byte> entries, std::size_t offset) {
  if (entries.size() - offset < sizeof(ipt_entry)) return false;
  const ipt_entry& entry = EntryAt(entries, offset);
  return entry.next_offset <= entries.size() - offset &&
         entry.target_offset >= sizeof(ipt_entry) &&
         entry.target_offset + sizeof(xt_entry_target) <= entry.next_offset;
}

// False if a match does not lie inside its entry.
bool ClearNameTailsOf(std::byte* entry) {
  const auto* header = reinterpret_cast<const ipt_entry*>(entry);
  std::size_t offset = sizeof(ipt_entry);
  while (offset < header->target_offset) {
    auto* match = reinterpret_cast<xt_entry_match*>(entry + offset);
    const std::size_t room = header->target_offset - offset;
    if (room < sizeof(xt_entry_match) || match->u.match_size > room ||
        match->u.match_size < sizeof(xt_entry_match)) {
      return false;
    }
    ClearNameTail(match->u.user.name);
    offset += match->u.match_size;
  }
  auto* target = reinterpret_cast<xt_entry_target*>(entry + offset);
  ClearNameTail(target->u.user.name);
  return true;
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
std::optional<BlobChain> ChainAt(const ipt_getinfo& info, Entries entries,
                                 std::size_t offset) {
  for (const Builtin& builtin : kBuiltins) {
    if ((info.valid_hooks & (1U << builtin.number)) != 0 &&
        info.hook_entry[builtin.number] == offset) {
      return BlobChain{"", builtin.hook, offset, offset};
    }
  }
  const ipt_entry& entry = EntryAt(entries, offset);
  const xt_entry_target& target = TargetOf(entry);
  if (std::strcmp(target.u.user.name, XT_ERROR_TARGET) != 0) {
    return std::nullopt;
  }
  const auto* error = reinterpret_cast<const xt_error_target*>(&target);
  const std::size_t first = offset + entry.next_offset;
  return BlobChain{
      {error->errorname, strnlen(error->errorname, sizeof error->errorname)},
      std::nullopt,
      first,
      first};
}

// In the order of their offsets. The table's last entry looks like a chain
// without rules named "ERROR".
std::vector<BlobChain> FindChains(const ipt_getinfo& info, Entries entries) {
  std::vector<BlobChain> chains;
  std::size_t last = 0;
  for (std::size_t offset = 0; offset < entries.size();
       offset += EntryAt(entries, offset).next_offset) {
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
std::string_view TargetName(Entries entries, std::size_t offset,
                            const std::vector<BlobChain>& chains) {
  const ipt_entry& entry = EntryAt(entries, offset);
  const xt_entry_target& target = TargetOf(entry);
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
  if (destination == offset + entry.next_offset) return "";
  const auto found =
      std::ranges::lower_bound(chains, destination, {}, &BlobChain::first);
  const bool known = found != chains.end() && found->first == destination;
  return known ? found->name : "(no chain)";  // the kernel refuses such jumps
}

ChainRule RuleAt(Entries entries, std::size_t offset, std::string_view target) {
  return DecodeRule(
      entries.subspan(offset, EntryAt(entries, offset).next_offset), target);
}

Chain DecodeChain(Entries entries, const BlobChain& chain,
                  const std::vector<BlobChain>& chains,
                  std::vector<FateEntry>& fates) {
  Chain rules;
  for (std::size_t offset = chain.first; offset < chain.end;
       offset += EntryAt(entries, offset).next_offset) {
    rules.push_back(
        RuleAt(entries, offset, TargetName(entries, offset, chains)));
    const Target& target = rules.back().target;
    if (const auto* set = std::get_if<SetMarkTarget>(&target)) {
      fates.push_back({set->mark, offset});
    }
  }
  return rules;
}

std::vector<HookJump> DecodeJumps(Entries entries, const BlobChain& chain,
                                  const std::vector<BlobChain>& chains) {
  std::vector<HookJump> jumps;
  std::size_t position = 0;
  for (std::size_t offset = chain.first; offset < chain.end;
       offset += EntryAt(entries, offset).next_offset) {
    const std::string_view target = TargetName(entries, offset, chains);
    if (IsOwnedChain(target)) {
      jumps.push_back({position, RuleAt(entries, offset, target)});
    }
    ++position;
  }
  return jumps;
}

}  // namespace

Result<void> ClearNameTails(std::span<std::byte> entries) {
  for (std::size_t offset = 0; offset < entries.size();
       offset += EntryAt(entries, offset).next_offset) {
    if (!EntryIsSound(entries, offset) ||
        !ClearNameTailsOf(entries.data() + offset)) {
      return Fail(ErrorCode::kInternal,
                  "the kernel's dump of the table is damaged at byte " +
                      std::to_string(offset));
    }
  }
  return {};
}

DecodedBlob DecodeBlob(const ipt_getinfo& info,
                       std::span<const std::byte> entries) {
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

std::uint64_t PacketsAt(std::span<const std::byte> entries,
                        std::size_t offset) {
  return EntryAt(entries, offset).counters.pcnt;
}

}  // namespace uplinkd
