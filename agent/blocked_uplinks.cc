#include "agent/blocked_uplinks.h"

#include <algorithm>
#include <utility>

#include "reconciler/render.h"

namespace uplinkd {
namespace {

std::string OwnerOf(const Report& report, std::uint32_t table) {
  for (const UplinkState& uplink : report.uplinks) {
    if (uplink.table == table) return uplink.name;
  }
  return "";
}

}  // namespace

Refusals RefusalsOf(const Report& report) {
  Refusals refusals;
  for (const auto& [uplink, words] : report.refused) {
    refusals[uplink] = {"KernelRejected", words};
  }
  for (const ForeignConflict& conflict : report.plan.conflicts) {
    const std::string uplink = OwnerOf(report, conflict.wanted.key.table);
    if (uplink.empty()) continue;
    refusals[{uplink, conflict.wanted.key.destination.family()}] = {
        "ForeignConflict", "a route that is not ours is in the way: " +
                               RenderRoute(conflict.foreign)};
  }
  return refusals;
}

bool OnlyRefused(const Report& report) {
  if (report.failed_phase || report.result != PassResult::kFailed) return false;
  const Refusals refusals = RefusalsOf(report);
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    if (report.outcomes[i].result != StepResult::kFailed) continue;
    const Step& step = report.plan.steps[i];
    const Family family = FamilyOf(step.change);
    const bool refused = std::any_of(
        step.uplinks.begin(), step.uplinks.end(), [&](const auto& uplink) {
          return refusals.contains({uplink, family});
        });
    if (!refused) return false;
  }
  return true;
}

BlockedParts BlockedUplinks::LeftOut() const {
  BlockedParts words;
  for (const auto& [uplink, refusal] : refusals_) words[uplink] = refusal.words;
  return words;
}

bool BlockedUplinks::PassEnded(const Report& report) {
  // A pass that could not read tells nothing about uplinks.
  if (report.failed_phase) return false;
  Refusals now = RefusalsOf(report);
  // Under a conflict not everything was tried.
  if (report.result == PassResult::kConflict) {
    now.insert(refusals_.begin(), refusals_.end());
  }
  const bool same = std::equal(
      now.begin(), now.end(), refusals_.begin(), refusals_.end(),
      [](const auto& a, const auto& b) { return a.first == b.first; });
  refusals_ = std::move(now);
  return !same;
}

}  // namespace uplinkd
