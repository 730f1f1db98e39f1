#include "reconciler/xt_affinity.h"

#include <utility>
#include <variant>

#include "reconciler/xt_choice.h"

namespace uplinkd {
namespace {

using Use = ClientListMatch::Operation;

ChainRule OfList(const std::string& list, Use use,
                 std::chrono::seconds age = {}) {
  ChainRule rule;
  rule.matches = {
      ClientListMatch{list, use, static_cast<std::uint32_t>(age.count())}};
  return rule;
}

JumpTarget GoOnTo(std::string chain) {
  return {.chain = std::move(chain), .go_to = true};
}

}  // namespace

std::string ClientListName(const std::string& policy, UplinkId id) {
  return "UPL-SAME" + PolicySuffix(policy) + "." + std::to_string(id);
}

void RememberClients(const std::string& policy, const ClientMemory& memory,
                     std::map<std::string, Chain>& chains) {
  // What was decided is remembered before it is marked.
  for (auto& [name, chain] : chains) {
    for (ChainRule& rule : chain) {
      auto* const jump = std::get_if<JumpTarget>(&rule.target);
      if (jump == nullptr) continue;
      for (const UplinkId id : memory.uplinks) {
        if (jump->chain != MarkChainName(id)) continue;
        jump->chain = ClientListName(policy, id);
        break;
      }
    }
  }
  Chain known;
  Chain unknown;
  for (const UplinkId id : memory.uplinks) {
    const std::string list = ClientListName(policy, id);
    known.push_back(OfList(list, Use::kHolds, memory.lifetime));
    known.back().target = GoOnTo(list);
    unknown.push_back(OfList(list, Use::kRemove));
    Chain& chain = chains[list];
    chain = {OfList(list, Use::kAdd), ChainRule{}};
    chain.back().target = GoOnTo(MarkChainName(id));
  }
  Chain& root = chains[FateChainName(policy)];
  known.insert(known.end(), unknown.begin(), unknown.end());
  root.insert(root.begin(), known.begin(), known.end());
}

}  // namespace uplinkd
