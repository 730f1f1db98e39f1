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

bool IsRouteThrough(const std::set<std::string>& links, const Step& step) {
  const auto* const put = std::get_if<PutRoute>(&step.change);
  return put != nullptr && !put->replaces &&
         std::ranges::any_of(put->route.next_hops, [&](const NextHop& hop) {
           return links.contains(hop.link);
         });
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

std::set<std::string> LinksMoved(const Facts& before, const Facts& now) {
  std::set<std::string> moved;
  for (const auto& [name, link] : now.links) {
    const auto was = before.links.find(name);
    if (was == before.links.end() || was->second.index != link.index ||
        was->second.up != link.up || was->second.addresses != link.addresses) {
      moved.insert(name);
    }
  }
  return moved;
}

Report WithoutRoutesThrough(const Report& report,
                            const std::set<std::string>& links) {
  Report rest;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    if (IsRouteThrough(links, report.plan.steps[i])) continue;
    rest.plan.steps.push_back(report.plan.steps[i]);
    rest.outcomes.push_back(report.outcomes[i]);
  }
  return rest;
}

}  // namespace uplinkd
