#include "reconciler/reconcile.h"

#include <algorithm>
#include <utility>

#include "reconciler/execute.h"

namespace uplinkd {
namespace {

constexpr int kCleanupRounds = 5;

// Runs `work` and adds the time it took to its phase.
template <typename Work>
decltype(auto) Timed(PassPhase phase, Report& report, const MonotonicClock& now,
                     Work work) {
  const std::chrono::nanoseconds start = now();
  decltype(auto) result = work();
  report.durations[phase] += now() - start;
  return result;
}

Report FailedRead(Report report, PassPhase phase, const Error& error) {
  // A read that raced with somebody else's writes is worth another try now.
  report.result = error.code == ErrorCode::kAborted ? PassResult::kConflict
                                                    : PassResult::kFailed;
  report.failed_phase = phase;
  report.error = error;
  return report;
}

std::map<std::string, int> LinkIndexes(const Spec& spec, const Facts& facts) {
  std::map<std::string, int> indexes;
  for (const Uplink& uplink : spec.uplinks) {
    const auto link = facts.links.find(uplink.interface);
    indexes[uplink.name] = link == facts.links.end() ? 0 : link->second.index;
  }
  return indexes;
}

const Desired& Remembered(const Spec& spec, Facts facts,
                          std::optional<PassMemory>& memory) {
  if (!memory || memory->facts != facts || memory->spec != spec) {
    Desired desired = Compile(spec, facts);
    memory = PassMemory{spec, std::move(facts), std::move(desired)};
  }
  return memory->desired;
}

// The tables of both are equal: from now on they are the same objects, which
// compare at once.
void Unify(const State& observed, State& desired) {
  for (const auto& [table, ours] : observed.tables) {
    if (!ours->Empty()) desired.tables[table] = ours;
  }
}

ObserveScope ScopeOf(const Spec& spec, const Desired& desired,
                     const PassOptions& options) {
  ObserveScope scope{options.more_tables, options.sweep, HasIpv6(spec)};
  for (const auto& [table, owner] : desired.table_owner) {
    scope.tables.insert(table);
  }
  return scope;
}

std::map<std::string, std::size_t> CountObjects(const State& state) {
  std::size_t chain_rules = 0;
  for (const auto& [table, ours] : state.tables) {
    for (const auto& [name, rules] : ours->chains) chain_rules += rules.size();
    for (const auto& [hook, jumps] : ours->jumps) chain_rules += jumps.size();
  }
  return {{"route", state.routes.size()},
          {"rule", state.rules.size()},
          {"chain-rule", chain_rules}};
}

// Counts what `report.plan`, as far as it was done, made of `observed`.
std::map<std::string, std::size_t> CountResult(const State& observed,
                                               const Report& report) {
  if (report.outcomes.empty()) return CountObjects(observed);
  State state = observed;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    if (report.outcomes[i].result == StepResult::kDone) {
      ApplyStep(report.plan.steps[i], state);
    }
  }
  return CountObjects(state);
}

// Refusals that are about the object, not about us or about the moment.
bool IsRefusal(const Outcome& outcome) {
  if (outcome.result != StepResult::kFailed) return false;
  switch (outcome.error.code) {
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kAborted:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kDeadlineExceeded: return false;
    default: return true;
  }
}

BlockedParts Refusals(const Report& report) {
  BlockedParts refused;
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Step& step = report.plan.steps[i];
    const bool make =
        step.stage == Stage::kPutRoutes || step.stage == Stage::kAddRules;
    if (!make || !IsRefusal(report.outcomes[i])) continue;
    for (const std::string& uplink : step.uplinks) {
      refused.emplace(UplinkPart(uplink, FamilyOf(step.change)),
                      report.outcomes[i].error.message);
    }
  }
  return refused;
}

template <typename T>
void Append(const std::vector<T>& more, std::vector<T>& all) {
  all.insert(all.end(), more.begin(), more.end());
}

PassResult ResultOf(const Report& report) {
  const auto any = [&report](StepResult result) {
    return std::ranges::find(report.outcomes, result, &Outcome::result) !=
           report.outcomes.end();
  };
  if (any(StepResult::kConflict)) return PassResult::kConflict;
  if (any(StepResult::kFailed)) return PassResult::kFailed;
  if (!report.plan.conflicts.empty()) return PassResult::kFailed;
  return report.plan.Empty() ? PassResult::kInSync : PassResult::kChanged;
}

}  // namespace

std::string_view PassPhaseName(PassPhase phase) {
  switch (phase) {
    case PassPhase::kFacts: return "facts";
    case PassPhase::kCompile: return "compile";
    case PassPhase::kObserve: return "observe";
    case PassPhase::kPlan: return "plan";
    case PassPhase::kExecute: return "execute";
  }
  return "";
}

std::string_view PassResultName(PassResult result) {
  switch (result) {
    case PassResult::kInSync: return "in-sync";
    case PassResult::kChanged: return "changed";
    case PassResult::kFailed: return "failed";
    case PassResult::kConflict: return "conflict";
  }
  return "";
}

Report ReconcileOnce(const Spec& spec, const PassOptions& options,
                     Kernel& kernel, const MonotonicClock& now) {
  std::optional<PassMemory> memory;
  return ReconcileOnce(spec, options, memory, kernel, now);
}

Report ReconcileOnce(const Spec& spec, const PassOptions& options,
                     std::optional<PassMemory>& memory, Kernel& kernel,
                     const MonotonicClock& now) {
  Report report;
  Result<Facts> facts = Timed(PassPhase::kFacts, report, now, [&] {
    return kernel.ReadFacts(FactsScopeOf(spec));
  });
  if (!facts) return FailedRead(report, PassPhase::kFacts, facts.error());
  facts->blocked = options.blocked;
  facts->loads = options.loads;
  facts->rankings = options.rankings;
  facts->draining = options.draining;
  facts->health = options.health;
  report.link_index = LinkIndexes(spec, *facts);

  const Desired& desired =
      Timed(PassPhase::kCompile, report, now, [&]() -> const Desired& {
        return Remembered(spec, *std::move(facts), memory);
      });
  report.uplinks = desired.uplinks;
  report.warnings = desired.warnings;
  report.counted = desired.counted;
  report.ranked = desired.ranked;

  const Result<State> observed = Timed(PassPhase::kObserve, report, now, [&] {
    return kernel.Observe(ScopeOf(spec, desired, options));
  });
  if (!observed) {
    return FailedRead(report, PassPhase::kObserve, observed.error());
  }

  report.plan = Timed(PassPhase::kPlan, report, now,
                      [&] { return MakePlan(desired, *observed); });
  if (report.plan.Empty()) Unify(*observed, memory->desired.state);
  if (!options.dry_run) {
    report.outcomes = Timed(PassPhase::kExecute, report, now,
                            [&] { return ExecutePlan(report.plan, kernel); });
  }
  report.fates_given = observed->fates_given;
  report.chains_version = observed->chains_version;
  report.foreign_routes = observed->foreign_routes.size();
  report.objects = CountResult(*observed, report);
  report.refused = Refusals(report);
  report.result = ResultOf(report);
  return report;
}

Report CleanUp(Kernel& kernel, bool dry_run, const MonotonicClock& now) {
  Report report;
  for (int round = 0;; ++round) {
    const Result<State> observed = Timed(PassPhase::kObserve, report, now, [&] {
      return kernel.Observe({.tables = {}, .sweep = true, .ipv6 = true});
    });
    if (!observed) {
      return FailedRead(std::move(report), PassPhase::kObserve,
                        observed.error());
    }
    const Plan plan = Timed(PassPhase::kPlan, report, now,
                            [&] { return MakeCleanupPlan(*observed); });
    report.objects = CountObjects(*observed);
    if (plan.Empty()) {
      report.result = round == 0 ? PassResult::kInSync : PassResult::kChanged;
      return report;
    }
    report.result = dry_run ? PassResult::kChanged : PassResult::kFailed;
    if (round == kCleanupRounds) return report;
    Append(plan.steps, report.plan.steps);
    if (dry_run) return report;
    Append(Timed(PassPhase::kExecute, report, now,
                 [&] { return ExecutePlan(plan, kernel); }),
           report.outcomes);
  }
}

}  // namespace uplinkd
