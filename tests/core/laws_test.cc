// The laws of docs/design.md as property tests: each holds for at least 10,000
// generated cases. Convergence after failures is in convergence_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/execute.h"
#include "reconciler/reconcile.h"
#include "reconciler/sharers.h"
#include "tests/core/generators.h"
#include "tests/core/world.h"

namespace uplinkd {
namespace {

using testing::AddForeign;
using testing::IsDesired;
using ::testing::IsEmpty;
using testing::Pass;
using testing::Random;
using testing::RandomDamage;
using testing::RandomEdit;
using testing::RandomFacts;
using testing::RandomSpec;
using testing::RandomWorld;
using testing::World;

const std::uint64_t law_cases = testing::CasesOfALaw();

TEST(Generators, MakeValidSpecs) {
  Random random(1);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Spec spec = RandomSpec(random);
    ASSERT_EQ(Validate(spec), std::vector<Violation>{}) << "case " << i;
    ASSERT_EQ(Validate(RandomEdit(random, spec)), std::vector<Violation>{})
        << "case " << i;
  }
}

TEST(Generators, MakeEveryKindOfCase) {
  Random random(2);
  std::set<std::size_t> uplink_counts;
  std::set<Algorithm> algorithms;
  std::size_t damaged = 0;
  std::size_t waiting = 0;
  std::size_t shared = 0;
  std::map<std::vector<Family>, std::size_t> families;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const World world = RandomWorld(random);
    uplink_counts.insert(world.spec.uplinks.size());
    algorithms.insert(world.spec.balance.algorithm);
    ++families[FamiliesOf(world.spec)];
    damaged += IsDesired(world.kernel.Ours(), world.desired.state) ? 0 : 1;
    for (const Uplink& uplink : world.spec.uplinks) {
      shared += SharesInterface(world.spec, uplink) ? 1 : 0;
    }
    for (const UplinkState& uplink : world.desired.uplinks) {
      waiting += uplink.phase == UplinkPhase::kWaiting ? 1 : 0;
    }
  }
  EXPECT_GT(uplink_counts.size(), 10u);
  EXPECT_EQ(algorithms.size(), 6u);
  EXPECT_GT(damaged, 1000u);
  EXPECT_GT(waiting, 500u);
  EXPECT_GT(shared, 300u);
  EXPECT_EQ(families.size(), 3u);
  EXPECT_GT(families[{Family::kIpv6}], 20u);
  EXPECT_GT((families[{Family::kIpv4, Family::kIpv6}]), 300u);
}

TEST(Law1, ASecondPassPlansNothing) {
  Random random(11);
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    World world = RandomWorld(random);
    const Report first = Pass(world);
    ASSERT_TRUE(first.result == PassResult::kChanged ||
                first.result == PassResult::kInSync)
        << "case " << i << ": " << testing::Describe(first);
    world.kernel.calls.clear();
    const Report second = Pass(world);
    ASSERT_EQ(second.result, PassResult::kInSync) << "case " << i;
    ASSERT_THAT(second.plan.steps, IsEmpty()) << "case " << i;
    ASSERT_EQ(world.kernel.calls,
              (std::vector<std::string>{"facts", "observe"}));
  }
}

TEST(Law2, APlanTurnsObservedIntoDesired) {
  Random random(12);
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    const World world = RandomWorld(random);
    State state = world.kernel.Ours();
    const Plan plan = MakePlan(world.desired, state);
    for (const Step& step : plan.steps) ApplyStep(step, state);
    ASSERT_TRUE(IsDesired(state, world.desired.state)) << "case " << i;
    ASSERT_TRUE(MakePlan(world.desired, state).Empty()) << "case " << i;
  }
}

TEST(Law4, ForeignStateStaysAsItIs) {
  Random random(14);
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    World world = RandomWorld(random);
    const FakeKernel::Foreign before = world.kernel.AllForeign();
    Pass(world);
    ASSERT_EQ(world.kernel.AllForeign(), before) << "pass, case " << i;
    world.spec = RandomEdit(random, world.spec);
    Pass(world);
    ASSERT_EQ(world.kernel.AllForeign(), before) << "new spec, case " << i;
    CleanUp(world.kernel, false, testing::StoppedClock());
    ASSERT_EQ(world.kernel.AllForeign(), before) << "cleanup, case " << i;
  }
}

TEST(Law4, AForeignRouteWithAKeyOfOursStays) {
  Random random(15);
  std::size_t conflicts = 0;
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    World world = RandomWorld(random);
    Route foreign = random.AnyOf(world.desired.state.routes).second;
    foreign.protocol = 4;
    world.kernel.routes.insert_or_assign(foreign.key, foreign);
    const FakeKernel::Foreign before = world.kernel.AllForeign();
    const Report report = Pass(world);
    conflicts += report.plan.conflicts.size();
    ASSERT_EQ(report.result, PassResult::kFailed) << "case " << i;
    ASSERT_EQ(world.kernel.AllForeign(), before) << "case " << i;
  }
  EXPECT_EQ(conflicts, law_cases);
}

// What a pass remembers of the one before never shows in what it plans.
TEST(PassMemory, MakesNoDifferenceToThePlan) {
  Random random(17);
  World world = RandomWorld(random);
  std::optional<PassMemory> memory;
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    // Edits alone would make the spec ever larger.
    if (random.Chance(5)) world = RandomWorld(random);
    switch (random.Below(5)) {
      case 0: world.spec = RandomEdit(random, world.spec); break;
      case 1: world.kernel.SetHost(RandomFacts(random, world.spec)); break;
      case 2:
        world.kernel.SetOurs(RandomDamage(random, world.kernel.Ours()));
        break;
      case 3: Pass(world); break;
      default: break;
    }
    const PassOptions options{.dry_run = true, .sweep = true};
    const Report with = ReconcileOnce(world.spec, options, memory, world.kernel,
                                      testing::StoppedClock());
    const Report without = ReconcileOnce(world.spec, options, world.kernel,
                                         testing::StoppedClock());
    ASSERT_EQ(with.plan.steps, without.plan.steps) << "case " << i;
    ASSERT_EQ(with.uplinks, without.uplinks) << "case " << i;
    ASSERT_EQ(with.objects, without.objects) << "case " << i;
  }
}

TEST(Cleanup, LeavesNothingOfOursAndEverythingElse) {
  Random random(16);
  for (std::uint64_t i = 0; i < law_cases; ++i) {
    World world = RandomWorld(random);
    const FakeKernel::Foreign before = world.kernel.AllForeign();
    const Report report = CleanUp(world.kernel, false, testing::StoppedClock());
    ASSERT_NE(report.result, PassResult::kFailed) << "case " << i;
    ASSERT_TRUE(IsDesired(world.kernel.Ours(), State{})) << "case " << i;
    ASSERT_EQ(world.kernel.AllForeign(), before) << "case " << i;
    ASSERT_THAT(world.kernel.broken_promises, IsEmpty()) << "case " << i;
  }
}

}  // namespace
}  // namespace uplinkd
