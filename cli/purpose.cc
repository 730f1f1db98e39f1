#include "cli/purpose.h"

#include <array>
#include <string_view>
#include <utility>
#include <variant>

namespace uplinkd {
namespace {

// The first beginning that fits a chain's name says what it is for.
constexpr std::array<std::pair<std::string_view, const char*>, 14> kMangle = {{
    {"UPL-ESTIMATE", "Measure the traffic of each uplink"},
    {"UPL-FATE", "Choose an uplink for a new connection"},
    {"UPL-FULL", "All uplinks are full: choose at random, by capacity"},
    {"UPL-GROUP",
     "What this client has had to destinations of this group goes on by the "
     "same uplink"},
    {"UPL-MARK", "The fate: mark the packet and, for good, its connection"},
    {"UPL-NEW",
     "A new connection: from a LAN, it gets a fate; from an uplink, it stays "
     "with it"},
    {"UPL-ONLY", "For connections that may take this uplink alone"},
    {"UPL-OUTPUT",
     "Replies of the router's own services keep their uplink; probes have "
     "theirs already"},
    {"UPL-PICK", "Choose an uplink where the client has had none"},
    {"UPL-POSTROUTING", "What a connection left by becomes its fate"},
    {"UPL-PREROUTING",
     "A packet of a known connection is done after two rules; only a new one "
     "goes on"},
    {"UPL-RULE", "A traffic rule with lists"},
    {"UPL-SAME", "Remember who has this uplink, for the next connection"},
    {"UPL-TRAFFIC",
     "To an internal network, main routes it; to others, the first rule that "
     "matches says which policy it is under"},
}};

std::string ChainPurpose(XtTable table, std::string_view chain) {
  if (table == NatOf(FamilyOf(table))) {
    return chain.starts_with("UPL-SNAT")
               ? "The source address is that of the uplink that it leaves by"
               : "Translate the sources that are ours: LANs and uplinks";
  }
  for (const auto& [prefix, purpose] : kMangle) {
    if (chain.starts_with(prefix)) return purpose;
  }
  return "";
}

std::string EditPurpose(XtTable table, const ChainEdit& edit) {
  switch (edit.kind) {
    case ChainEdit::Kind::kCreateChain: return "The chains";
    case ChainEdit::Kind::kInsertJump:
      return "From here on they count: one jump, first in the builtin chain";
    default: return ChainPurpose(table, edit.chain);
  }
}

// One overload per kind of change.
class Purposes {
 public:
  explicit Purposes(const Desired& desired) : desired_(desired) {}

  std::vector<std::string> operator()(const PutRoute& put) const {
    const Route& route = put.route;
    const std::string owner = OwnerOf(route.key.table);
    if (route.type == RouteType::kUnreachable) {
      return {"The floor of " + owner +
              ": its connections never fall through to another uplink"};
    }
    if (!route.key.destination.IsDefault()) {
      return {"Networks that " + owner + " does not need its gateway for"};
    }
    return {"The way out by " + owner};
  }
  std::vector<std::string> operator()(const AddRule& add) const {
    const PolicyRule& rule = add.rule;
    if (rule.action != RuleAction::kLookup) {
      return {"The last resort: no uplink carries the connection"};
    }
    if (rule.table == kMainTable) {
      return {"All routes of main win, but not its default route"};
    }
    const std::string owner = OwnerOf(rule.table);
    if (rule.mark) return {"A connection whose fate is " + owner};
    if (rule.source) return {"What is bound to the address of " + owner};
    return {"What comes from a LAN: the kernel's route chooses"};
  }
  std::vector<std::string> operator()(const EditXtTable& edit_table) const {
    std::vector<std::string> purposes;
    for (const ChainEdit& edit : edit_table.edits) {
      purposes.push_back(EditPurpose(edit_table.table, edit));
    }
    return purposes;
  }
  std::vector<std::string> operator()(const RemoveRoute&) const { return {""}; }
  std::vector<std::string> operator()(const RemoveRule&) const { return {""}; }

 private:
  std::string OwnerOf(std::uint32_t table) const {
    const auto owner = desired_.table_owner.find(table);
    return owner == desired_.table_owner.end() || owner->second.empty()
               ? "all uplinks, by weight"
               : owner->second;
  }

  const Desired& desired_;
};

}  // namespace

std::string HeadingOf(Stage stage) {
  switch (stage) {
    case Stage::kPutRoutes: return "Routes: a table per uplink";
    case Stage::kAddRules: return "ip rules: which packet looks up which table";
    case Stage::kMakeNat: return "nat: which source address a connection gets";
    case Stage::kMangle: return "mangle: which uplink a connection gets";
    case Stage::kBreakNat:
    case Stage::kRemoveRules:
    case Stage::kRemoveRoutes: return "What is not needed any more";
  }
  return "";
}

std::vector<std::string> PurposesOf(const Step& step, const Desired& desired) {
  return std::visit(Purposes(desired), step.change);
}

}  // namespace uplinkd
