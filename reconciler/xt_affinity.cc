#include "reconciler/xt_affinity.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "reconciler/xt_choice.h"

namespace uplinkd {
namespace {

using Use = ClientListMatch::Operation;
using Group = std::optional<std::uint8_t>;  // none: all destinations

ChainRule OfList(const std::string& list, Use use, Group group,
                 std::chrono::seconds age = {}) {
  ChainRule rule;
  rule.destination_group = group;
  rule.matches = {
      ClientListMatch{list, use, static_cast<std::uint32_t>(age.count())}};
  return rule;
}

ChainRule GoOnTo(std::string chain, Group group = {}) {
  ChainRule rule;
  rule.destination_group = group;
  rule.target = JumpTarget{.chain = std::move(chain), .go_to = true};
  return rule;
}

std::string ListName(const std::string& policy, UplinkId id, Group group) {
  const std::string name = ClientListName(policy, id);
  return group ? name + "-" + std::to_string(*group) : name;
}

// What was decided is remembered before it is marked.
void RememberFirst(const std::string& policy, const ClientMemory& memory,
                   Chain& chain) {
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

// Onto the list of that uplink; then its mark.
Chain Remember(const std::string& policy, UplinkId id,
               const ClientMemory& memory) {
  Chain chain;
  if (memory.by_destination) {
    for (std::uint8_t group = 0; group < kDestinationGroups; ++group) {
      chain.push_back(OfList(ListName(policy, id, group), Use::kAdd, group));
    }
  } else {
    chain.push_back(OfList(ListName(policy, id, {}), Use::kAdd, {}));
  }
  chain.push_back(GoOnTo(MarkChainName(id)));
  return chain;
}

// Who is on a list has that uplink; the others are taken off all lists.
Chain Look(const std::string& policy, const ClientMemory& memory, Group group) {
  Chain known;
  Chain unknown;
  for (const UplinkId id : memory.uplinks) {
    const std::string list = ListName(policy, id, group);
    known.push_back(OfList(list, Use::kHolds, {}, memory.lifetime));
    known.back().target =
        JumpTarget{.chain = ClientListName(policy, id), .go_to = true};
    unknown.push_back(OfList(list, Use::kRemove, {}));
  }
  known.insert(known.end(), unknown.begin(), unknown.end());
  return known;
}

}  // namespace

std::string ClientListName(const std::string& policy, UplinkId id) {
  return "UPL-SAME" + PolicySuffix(policy) + "." + std::to_string(id);
}

std::string PickChainName(const std::string& policy) {
  return "UPL-PICK" + PolicySuffix(policy);
}

void RememberClients(const std::string& policy, const ClientMemory& memory,
                     std::map<std::string, Chain>& chains) {
  for (auto& [name, chain] : chains) RememberFirst(policy, memory, chain);
  for (const UplinkId id : memory.uplinks) {
    chains[ClientListName(policy, id)] = Remember(policy, id, memory);
  }
  Chain& root = chains[FateChainName(policy)];
  if (!memory.by_destination) {
    const Chain look = Look(policy, memory, {});
    root.insert(root.begin(), look.begin(), look.end());
    return;
  }
  const std::string pick = PickChainName(policy);
  chains[pick] = std::exchange(root, {});
  for (std::uint8_t group = 0; group < kDestinationGroups; ++group) {
    const std::string name =
        "UPL-GROUP" + PolicySuffix(policy) + "." + std::to_string(group);
    root.push_back(GoOnTo(name, group));
    Chain& chain = chains[name];
    chain = Look(policy, memory, group);
    chain.push_back(GoOnTo(pick));
  }
}

}  // namespace uplinkd
