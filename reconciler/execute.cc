#include "reconciler/execute.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "reconciler/plan_tables.h"

namespace uplinkd {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

// What was not done so far of one family, and what must not be done because of
// it.
class Undone {
 public:
  void Note(const Step& step) {
    std::visit(
        Overloaded{
            [&](const PutRoute& put) { Make(step, put.route.key.table); },
            [&](const AddRule& add) {
              Make(step, add.rule.table);
              last_resort_ =
                  last_resort_ || add.rule.action != RuleAction::kLookup;
            },
            [&](const RemoveRule& remove) {
              tables_.insert(remove.rule.table);
            },
            [](const RemoveRoute&) {},
            [&](const EditXtTable&) {
              nat_ = nat_ || step.stage == Stage::kMakeNat;
              mangle_ = mangle_ || step.stage == Stage::kMangle;
            }},
        step.change);
  }

  // A route that somebody else's is in the way of.
  void Note(const ForeignConflict& conflict) {
    tables_.insert(conflict.wanted.key.table);
    uplinks_.insert(conflict.uplinks.begin(), conflict.uplinks.end());
  }

  bool Forbids(const Step& step) const {
    return std::visit(
        Overloaded{[](const PutRoute&) { return false; },
                   [](const AddRule&) { return false; },
                   [&](const EditXtTable&) { return ForbidsEdit(step); },
                   // Connections with this mark go on.
                   [&](const RemoveRule& remove) {
                     return tables_.contains(remove.rule.table) ||
                            (mangle_ && remove.rule.mark.has_value());
                   },
                   [&](const RemoveRoute& remove) {
                     const RouteKey& key = remove.route.key;
                     return tables_.contains(key.table) ||
                            (mangle_ && key.destination.IsDefault());
                   }},
        step.change);
  }

 private:
  void Make(const Step& step, std::uint32_t table) {
    tables_.insert(table);
    uplinks_.insert(step.uplinks.begin(), step.uplinks.end());
  }

  bool ForbidsEdit(const Step& step) const {
    switch (step.stage) {
      case Stage::kMangle:
        return nat_ || last_resort_ ||
               std::ranges::any_of(step.uplinks, [this](const auto& u) {
                 return uplinks_.contains(u);
               });
      case Stage::kBreakNat: return nat_ || mangle_;
      default: return false;
    }
  }

  std::set<std::uint32_t> tables_;  // routing tables
  std::set<std::string> uplinks_;
  bool last_resort_ = false;  // its mark would be routed by main
  bool nat_ = false;
  bool mangle_ = false;
};

bool Achieved(const Outcome& outcome) {
  return outcome.result == StepResult::kDone ||
         outcome.result == StepResult::kAlreadySo;
}

}  // namespace

std::vector<Outcome> ExecutePlan(const Plan& plan, Kernel& kernel) {
  const std::vector<Step>& steps = plan.steps;
  std::vector<Outcome> outcomes(steps.size(),
                                Outcome{StepResult::kSkipped, {}});
  // A family does not rest on what the other one has.
  std::map<Family, Undone> undone;
  for (const ForeignConflict& conflict : plan.conflicts) {
    undone[conflict.wanted.key.destination.family()].Note(conflict);
  }
  for (std::size_t begin = 0; begin < steps.size();) {
    std::size_t end = begin;
    std::vector<std::size_t> places;
    std::vector<Step> tried;
    for (; end < steps.size() && steps[end].stage == steps[begin].stage;
         ++end) {
      if (undone[FamilyOf(steps[end].change)].Forbids(steps[end])) continue;
      places.push_back(end);
      tried.push_back(steps[end]);
    }
    const std::vector<Outcome> results = kernel.Execute(tried);
    for (std::size_t i = 0; i < results.size(); ++i) {
      outcomes[places[i]] = results[i];
    }
    for (; begin < end; ++begin) {
      if (Achieved(outcomes[begin])) continue;
      undone[FamilyOf(steps[begin].change)].Note(steps[begin]);
    }
  }
  return outcomes;
}

void ApplyStep(const Step& step, State& state) {
  std::visit(
      Overloaded{
          [&](const PutRoute& put) {
            state.routes.insert_or_assign(put.route.key, put.route);
          },
          [&](const RemoveRoute& remove) {
            state.routes.erase(remove.route.key);
          },
          [&](const AddRule& add) {
            state.rules.insert(std::ranges::upper_bound(state.rules, add.rule),
                               add.rule);
          },
          [&](const RemoveRule& remove) {
            const auto rule = std::ranges::find(state.rules, remove.rule);
            if (rule != state.rules.end()) state.rules.erase(rule);
          },
          [&](const EditXtTable& edit) {
            Result<XtTableState> edited =
                ApplyEdits(*state.tables[edit.table], edit.edits);
            if (edited) state.tables[edit.table] = *std::move(edited);
            if (state.tables[edit.table]->Empty()) {
              state.tables.erase(edit.table);
            }
          }},
      step.change);
}

}  // namespace uplinkd
