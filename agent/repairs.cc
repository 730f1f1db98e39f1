#include "agent/repairs.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "reconciler/xt_choice.h"

namespace uplinkd {
namespace {

// False: nothing is left of the step.
bool TakeOutChoices(const std::set<std::string>& policies, Step& step) {
  auto* const edit = std::get_if<EditXtTable>(&step.change);
  if (edit == nullptr || edit->table != MangleOf(FamilyOf(edit->table))) {
    return true;
  }
  std::erase_if(edit->edits, [&](const ChainEdit& one) {
    return std::ranges::any_of(policies, [&](const std::string& policy) {
      return IsChainOfChoice(one.chain, policy);
    });
  });
  return !edit->edits.empty();
}

}  // namespace

Report WithoutChoices(const Report& report,
                      const std::set<std::string>& policies) {
  Report rest;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    Step step = report.plan.steps[i];
    if (!TakeOutChoices(policies, step)) continue;
    rest.plan.steps.push_back(std::move(step));
    rest.outcomes.push_back(report.outcomes[i]);
  }
  return rest;
}

}  // namespace uplinkd
