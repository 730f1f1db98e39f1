// The rules of a table, as the kernel dumps them.
//
// The input: 4 or 6 for the family, the kernel's ipt_getinfo, the entries.
#include <linux/netfilter_ipv4/ip_tables.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "reconciler/linux/xt_codec_blob.h"
#include "reconciler/ownership.h"
#include "reconciler/render.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/rule_laws.h"

namespace uplinkd {
namespace {

using testing::Require;

void RequireGoodRule(Family family, const ChainRule& rule) {
  (void)RenderChainRule(rule, family);
  const bool written = testing::RequireSurvivesItsBytes(family, rule);
  const bool foreign = testing::HasForeignPart(rule);
  Require(!written || !foreign, "what we do not know is never written",
          RenderChainRule(rule, family));
  // The kernel leaves room for longer names of chains than we write.
  if (std::holds_alternative<JumpTarget>(rule.target)) return;
  Require(written || foreign, "what we know can be written",
          RenderChainRule(rule, family));
}

void RequireGoodTable(Family family, const XtTableState& state) {
  for (const auto& [name, chain] : state.chains) {
    Require(IsOwnedChain(name), "only our chains are read", name);
    for (const ChainRule& rule : chain) RequireGoodRule(family, rule);
  }
  for (const auto& [hook, jumps] : state.jumps) {
    for (const HookJump& jump : jumps) RequireGoodRule(family, jump.rule);
  }
}

}  // namespace
}  // namespace uplinkd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace uplinkd;  // NOLINT(google-build-using-namespace)
  ipt_getinfo info{};
  if (size < 1 + sizeof info) return 0;
  const Family family = data[0] == '6' ? Family::kIpv6 : Family::kIpv4;
  std::memcpy(&info, data + 1, sizeof info);
  // Of its own, so that what is read beyond the end is noticed.
  const auto all = std::as_bytes(std::span(data, size));
  const auto rest = all.subspan(1 + sizeof info);
  std::vector<std::byte> entries(rest.begin(), rest.end());
  const Result<void> sound = ClearNameTails(family, entries);
  if (!sound) {
    Require(!sound.error().message.empty(), "a refusal has a text");
    return 0;
  }
  const std::vector<std::byte> cleared = entries;
  Require(ClearNameTails(family, entries).has_value() && entries == cleared,
          "clearing twice changes nothing");
  const DecodedBlob decoded = DecodeBlob(family, info, entries);
  for (const FateEntry& fate : decoded.fates) {
    (void)PacketsAt(family, entries, fate.offset);
  }
  RequireGoodTable(family, decoded.state);
  return 0;
}
