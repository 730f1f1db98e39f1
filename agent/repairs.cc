#include "agent/repairs.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "reconciler/xt_choice.h"

namespace uplinkd {
namespace {

// False: nothing is left of the step.
bool TakeOutChoices(const std::map<std::string, CountedChoice>& choices,
                    Step& step) {
  auto* const edit = std::get_if<EditXtTable>(&step.change);
  if (edit == nullptr || edit->table != XtTable::kMangle) return true;
  std::erase_if(edit->edits, [&](const ChainEdit& one) {
    return std::ranges::any_of(choices, [&](const auto& choice) {
      return IsChainOfChoice(one.chain, choice.first);
    });
  });
  return !edit->edits.empty();
}

}  // namespace

Report WithoutChoices(const Report& report,
                      const std::map<std::string, CountedChoice>& choices) {
  Report rest;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    Step step = report.plan.steps[i];
    if (!TakeOutChoices(choices, step)) continue;
    rest.plan.steps.push_back(std::move(step));
    rest.outcomes.push_back(report.outcomes[i]);
  }
  return rest;
}

}  // namespace uplinkd
