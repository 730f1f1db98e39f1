// What follows from the report of a pass: what is counted, told, probed, and
// where things stand now.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/follower.h"
#include "agent/probe_paths.h"
#include "agent/repairs.h"
#include "agent/wire.h"

namespace uplinkd {
namespace {

std::string DescribeDrift(const std::vector<Deed>& deeds) {
  const PlanLine& first = deeds.front().line;
  return std::to_string(deeds.size()) +
         " objects differed, first: " + first.reason + " (" + first.sign + " " +
         first.command + ")";
}

// What the kernel's state follows from, apart from the spec.
bool SameFacts(const UplinkState& a, const UplinkState& b) {
  return a.name == b.name && a.phase == b.phase && a.address == b.address &&
         a.gateway == b.gateway && a.address6 == b.address6 &&
         a.gateway6 == b.gateway6 && a.prefix6 == b.prefix6 &&
         a.health.state == b.health.state;
}

// What to probe, and by which path, after a pass that could read.
WatchedUplinks WhatToWatch(const Spec& spec, const Report& report) {
  WatchedUplinks watched;
  for (const UplinkState& state : report.uplinks) {
    const auto uplink =
        std::ranges::find(spec.uplinks, state.name, &Uplink::name);
    if (uplink == spec.uplinks.end() || !uplink->health) continue;
    WatchedUplink& one = watched[state.name];
    one.health = *uplink->health;
    one.path = ProbePathOf(spec, state, report);
  }
  return watched;
}

// LoadWatch asks each choice whether loads matter to it; what it calls them has
// no meaning, as long as no two are one.
std::map<std::string, CountedChoice> ToWatch(const CountedChoices& choices) {
  std::map<std::string, CountedChoice> watched;
  for (const auto& [key, choice] : choices) {
    watched[key.policy + " " + FamilyName(key.family)] = choice;
  }
  return watched;
}

bool DidSomething(const Report& report) {
  return std::any_of(report.outcomes.begin(), report.outcomes.end(),
                     [](const Outcome& outcome) {
                       return outcome.result == StepResult::kDone;
                     });
}

}  // namespace

// Everything that follows from the report of a pass.
Follower::PassEnd Follower::Digest(Trigger trigger,
                                   const PassOptions& options) {
  const std::chrono::nanoseconds now = options_.clocks.monotonic();
  const std::vector<Deed> deeds = DeedsOf(last_report_);
  const Report repairs = RepairsOfPass();
  const std::vector<Deed> repaired = DeedsOf(repairs);
  tally_.Count(last_report_, deeds, repaired, trigger);
  log_.Write(last_report_, deeds, trigger, ledger_.generation(), now);
  if (DidSomething(repairs)) {
    fights_.Note(repairs.plan, repairs.outcomes, now);
    drift_ = DescribeDrift(repaired);
  }
  const bool blocked_changed = blocked_.PassEnded(last_report_);
  has_report_ = true;
  const bool was_in_sync = standing_.in_sync;
  TakeOver();
  JudgeSync(options);
  if (!last_report_.failed_phase) {
    monitor_.Watch(WhatToWatch(ledger_.current()->spec, last_report_));
  }
  // Watchers are told of what was found and done, and of its good end.
  const bool newsworthy = last_report_.result != PassResult::kInSync ||
                          standing_.in_sync != was_in_sync;
  Publish(newsworthy ? std::make_shared<const v1::Event>(
                           ToEvent(last_report_, trigger, standing_.last_pass))
                     : nullptr);
  cutter_.PassEnded(ledger_.current()->spec, last_report_, now, tally_);
  CutConnections();
  // An uplink that was refused is left out from now on: that is no failure of
  // the line.
  const bool failed =
      last_report_.result == PassResult::kFailed && !OnlyRefused(last_report_);
  return {failed || fights_.SlowDown(now),
          blocked_changed || last_report_.result == PassResult::kChanged ||
              last_report_.result == PassResult::kConflict};
}

// Nothing was done; what would have been is told.
Follower::PassEnd Follower::DigestOfPaused(const PassOptions& options) {
  last_report_.outcomes.assign(last_report_.plan.steps.size(),
                               Outcome{StepResult::kSkipped, {}});
  has_report_ = true;
  TakeOver();
  JudgeSync(options);
  const std::vector<Deed> deeds = DeedsOf(last_report_);
  drift_ = deeds.empty() ? "" : DescribeDrift(deeds);
  if (!last_report_.failed_phase) {
    monitor_.Watch(WhatToWatch(ledger_.current()->spec, last_report_));
  }
  Publish();
  return {last_report_.result == PassResult::kFailed, false};
}

bool Follower::FactsChanged() const {
  return !std::equal(last_report_.uplinks.begin(), last_report_.uplinks.end(),
                     standing_.uplinks.begin(), standing_.uplinks.end(),
                     SameFacts);
}

// The policies whose choice is another one by what was measured.
std::set<std::string> Follower::ChoicesMoved() const {
  std::set<std::string> policies;
  if (loads_moved_) {
    for (const auto& [key, choice] : last_report_.counted) {
      policies.insert(key.policy);
    }
  }
  if (rankings_moved_) {
    for (const auto& [policy, choice] : last_report_.ranked) {
      policies.insert(policy);
    }
  }
  return policies;
}

// Whether the facts that the pass went by hold no longer. The kernel takes
// routes along with an address or a link without a word, also between the two
// reads of a pass: then what it put back was nobody's drift.
bool Follower::FactsMovedMeanwhile() {
  if (!memory_) return false;
  const Spec& spec = ledger_.current()->spec;
  const Result<Facts> now = host_->kernel().ReadFacts(FactsScopeOf(spec));
  if (!now) return false;
  Facts then = memory_->facts;
  then.blocked = now->blocked;
  then.loads = now->loads;
  then.rankings = now->rankings;
  then.draining = now->draining;
  then.health = now->health;
  return then != *now;
}

// What the pass did that the spec, the facts and the measurements did not ask
// for.
Report Follower::RepairsOfPass() {
  if (standing_.observed_generation != ledger_.generation() || FactsChanged()) {
    return {};
  }
  Report repairs = WithoutChoices(last_report_, ChoicesMoved());
  if (memory_) {
    repairs = WithoutRoutesThrough(repairs,
                                   LinksMoved(facts_before_, memory_->facts));
  }
  if (!repairs.plan.Empty() && FactsMovedMeanwhile()) return {};
  return repairs;
}

// Whether the pass did its work, and all of it was for the loads.
bool Follower::OnlySharesMoved() const {
  return loads_moved_ && !rankings_moved_ && standing_.in_sync &&
         !FactsChanged() && last_report_.result == PassResult::kChanged &&
         WithoutChoices(last_report_, ChoicesMoved()).plan.Empty();
}

void Follower::NoteShares(Trigger trigger) {
  const std::vector<Deed> deeds = DeedsOf(last_report_);
  log_.WriteShares(deeds, ledger_.generation());
  tally_.Count(last_report_, deeds, {}, trigger);
  loads_moved_ = false;
  TakeOver();
}

// Brings where things stand up to date with the last report.
void Follower::TakeOver() {
  standing_.last_pass = options_.clocks.wall();
  if (last_report_.failed_phase) return;
  standing_.uplinks = last_report_.uplinks;
  standing_.pending = PendingOf(DeedsOf(last_report_));
  history_.Note(standing_.uplinks, standing_.last_pass);
  TellOfDrains();
  standing_.warnings = last_report_.warnings;
  standing_.objects = last_report_.objects;
  standing_.foreign_routes = last_report_.foreign_routes;
  link_index_ = last_report_.link_index;
  sampler_.FatesSeen(last_report_.fates_given);
  loads_.PassEnded(ToWatch(last_report_.counted));
  latencies_.PassEnded(last_report_.ranked);
}

void Follower::JudgeSync(const PassOptions& options) {
  standing_.in_sync =
      last_report_.result == PassResult::kInSync && blocked_.all().empty();
  if (!standing_.in_sync) return;
  loads_moved_ = rankings_moved_ = false;
  standing_.observed_generation = ledger_.generation();
  standing_.last_in_sync = standing_.last_pass;
  if (const auto accepted_at = std::exchange(accepted_at_, std::nullopt)) {
    tally_.CountProgrammed(options_.clocks.monotonic() - *accepted_at);
  }
  drift_.clear();
  if (options.sweep && !old_tables_.empty()) {
    old_tables_.clear();
    WatchTables();
  }
}

}  // namespace uplinkd
