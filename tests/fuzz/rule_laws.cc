#include "tests/fuzz/rule_laws.h"

#include <algorithm>
#include <string_view>
#include <variant>

#include "reconciler/linux/xt_codec.h"
#include "reconciler/ownership.h"
#include "reconciler/render.h"
#include "tests/fuzz/require.h"

namespace uplinkd::testing {
namespace {

// What iptc_get_target() says of the rule's target.
std::string_view TargetName(const ChainRule& rule) {
  if (const auto* jump = std::get_if<JumpTarget>(&rule.target)) {
    return jump->chain;
  }
  return std::holds_alternative<ReturnTarget>(rule.target) ? "RETURN" : "";
}

}  // namespace

bool RequireSurvivesItsBytes(Family family, const ChainRule& rule) {
  // Chains of others are none of ours to jump to: their names are read in the
  // kernel's form of a jump alone.
  const auto* jump = std::get_if<JumpTarget>(&rule.target);
  if (jump != nullptr && !IsOwnedChain(jump->chain)) return false;
  const auto bytes = EncodeRule(family, rule);
  if (!bytes) {
    Require(!bytes.error().message.empty(), "a refusal has a text");
    return false;
  }
  Require(DecodeRule(family, *bytes, TargetName(rule)) == rule,
          "a rule that was written is read as the same one",
          RenderChainRule(rule, family));
  return true;
}

bool HasForeignPart(const ChainRule& rule) {
  return !rule.extra.empty() ||
         std::holds_alternative<OpaqueTarget>(rule.target) ||
         std::ranges::any_of(rule.matches, [](const Match& match) {
           return std::holds_alternative<OpaqueMatch>(match);
         });
}

}  // namespace uplinkd::testing
