// World: a spec, a host and a kernel that belong together, for property tests.
#ifndef UPLINKD_TESTS_CORE_WORLD_H_
#define UPLINKD_TESTS_CORE_WORLD_H_

#include <chrono>
#include <string>

#include "reconciler/reconcile.h"
#include "tests/core/fake_kernel.h"
#include "tests/core/generators.h"

namespace uplinkd::testing {

struct World {
  Spec spec;
  FakeKernel kernel;
  Desired desired;  // of `spec` on the kernel's host
};

inline MonotonicClock StoppedClock() {
  return [] { return std::chrono::nanoseconds(0); };
}

// A world whose kernel holds nothing of ours yet.
inline World FreshWorld(Random& random) {
  World world;
  world.spec = RandomSpec(random);
  const Facts facts = RandomFacts(random, world.spec);
  world.kernel.SetHost(facts);
  AddForeign(random, world.spec, world.kernel);
  world.desired = Compile(world.spec, facts);
  return world;
}

// A world whose kernel holds what it should, with random damage.
inline World RandomWorld(Random& random) {
  World world = FreshWorld(random);
  world.kernel.SetOurs(RandomDamage(random, world.desired.state));
  return world;
}

// One sweeping pass, with the fate of earlier refusals in `blocked`.
inline Report Pass(World& world, BlockedParts blocked = {}) {
  PassOptions options;
  options.sweep = true;
  options.blocked = std::move(blocked);
  return ReconcileOnce(world.spec, options, world.kernel, StoppedClock());
}

// Whether all that is ours is as it should be; foreign routes do not count.
inline bool IsDesired(const State& state, const State& desired) {
  const auto table = [](const State& of, XtTable which) {
    const auto found = of.tables.find(which);
    return found == of.tables.end() ? XtTableState{} : *found->second;
  };
  const auto same = [&](XtTable which) {
    return table(state, which) == table(desired, which);
  };
  return state.routes == desired.routes && state.rules == desired.rules &&
         same(XtTable::kMangle) && same(XtTable::kNat) &&
         same(XtTable::kMangle6) && same(XtTable::kNat6);
}

// The reason and the kernel's words of every step that was not done.
inline std::string Describe(const Report& report) {
  std::string text(PassResultName(report.result));
  for (std::size_t i = 0; i < report.outcomes.size(); ++i) {
    const Outcome& outcome = report.outcomes[i];
    if (outcome.result == StepResult::kDone) continue;
    text += "\n" + report.plan.steps[i].reason + ": " +
            std::string(StepResultName(outcome.result)) + " " +
            outcome.error.message;
  }
  return text;
}

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_WORLD_H_
