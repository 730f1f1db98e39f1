// Laws 3 and 6 as property tests: whatever fails or dies on the way, the next
// passes converge, and no marked packet ever meets a missing rule or route.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "reconciler/reconcile.h"
#include "tests/core/generators.h"
#include "tests/core/world.h"

namespace uplinkd {
namespace {

using testing::Describe;
using testing::IsDesired;
using ::testing::IsEmpty;
using testing::Pass;
using testing::Random;
using testing::RandomEdit;
using testing::RandomFacts;
using testing::RandomWorld;
using testing::World;

constexpr std::uint64_t kCases = 10000;

enum class Fault { kFails, kFailsAfterDoing, kDies };

// Errors of all kinds: about the object, the moment, ourselves.
Error AnyError(Random& random) {
  const std::vector<Error> errors = {
      {ErrorCode::kInvalidArgument, "Invalid argument", EINVAL},
      {ErrorCode::kFailedPrecondition, "Network is unreachable", ENETUNREACH},
      {ErrorCode::kPermissionDenied, "Operation not permitted", EPERM},
      {ErrorCode::kResourceExhausted, "No buffer space available", ENOBUFS},
      {ErrorCode::kAborted, "Resource temporarily unavailable", EAGAIN}};
  return random.AnyOf(errors);
}

void Inject(FakeKernel& kernel, Fault fault, std::size_t n,
            const Error& error) {
  switch (fault) {
    case Fault::kFails: return kernel.FailNth(n, error);
    case Fault::kFailsAfterDoing: return kernel.FailNthAfter(n, error);
    case Fault::kDies: return kernel.InterruptNth(n);
  }
}

// As the agent goes on after a pass with a fault: first without the uplinks
// that were refused, if it still lives to know them, then with them.
::testing::AssertionResult Converges(World& world, Report report) {
  for (int pass = 0; pass < 4; ++pass) {
    report = Pass(world, report.refused);
    if (report.result != PassResult::kInSync) continue;
    if (IsDesired(world.kernel.Ours(), world.desired.state)) {
      return ::testing::AssertionSuccess();
    }
  }
  return ::testing::AssertionFailure() << Describe(report);
}

Report PassWithFault(World& world, Fault fault, std::size_t n,
                     const Error& error) {
  Inject(world.kernel, fault, n, error);
  Report report;
  try {
    report = Pass(world);
  } catch (const FakeKernel::Killed&) {
    report = Report{};
  }
  world.kernel.NoFaults();
  return report;
}

TEST(Law3, ConvergesAfterAnyOneFaultAtAnyStep) {
  Random random(31);
  std::uint64_t cases = 0;
  while (cases < kCases) {
    const World start = RandomWorld(random);
    World dry = start;
    const std::size_t steps = Pass(dry).plan.steps.size();
    for (std::size_t n = 1; n <= steps; ++n) {
      for (const Fault fault :
           {Fault::kFails, Fault::kFailsAfterDoing, Fault::kDies}) {
        World world = start;
        const FakeKernel::Foreign foreign = world.kernel.AllForeign();
        const Report report = PassWithFault(world, fault, n, AnyError(random));
        ASSERT_TRUE(Converges(world, report))
            << "case " << cases << ", step " << n << " of " << steps
            << ", fault " << static_cast<int>(fault);
        ASSERT_EQ(world.kernel.AllForeign(), foreign) << "case " << cases;
        ++cases;
      }
    }
  }
}

TEST(Law3, ConvergesAfterAFailedRead) {
  Random random(32);
  for (std::uint64_t i = 0; i < kCases; ++i) {
    World world = RandomWorld(random);
    const State before = world.kernel.Ours();
    world.kernel.read_error = AnyError(random);
    const Report report = Pass(world);
    ASSERT_TRUE(report.failed_phase.has_value()) << "case " << i;
    ASSERT_TRUE(IsDesired(world.kernel.Ours(), before)) << "case " << i;
    ASSERT_TRUE(Converges(world, report)) << "case " << i;
  }
}

TEST(Law3, CleanupConvergesAfterAnyOneFaultAtAnyStep) {
  Random random(33);
  std::uint64_t cases = 0;
  while (cases < kCases) {
    const World start = RandomWorld(random);
    const std::size_t steps = MakeCleanupPlan(start.kernel.Ours()).steps.size();
    for (std::size_t n = 1; n <= steps; ++n) {
      for (const Fault fault : {Fault::kFails, Fault::kFailsAfterDoing}) {
        World world = start;
        Inject(world.kernel, fault, n, AnyError(random));
        CleanUp(world.kernel, false, testing::StoppedClock());
        ASSERT_TRUE(IsDesired(world.kernel.Ours(), State{}))
            << "case " << cases << ", step " << n << " of " << steps;
        ASSERT_THAT(world.kernel.broken_promises, IsEmpty());
        ++cases;
      }
    }
  }
}

// ---- law 6 ----

constexpr std::array kFamilies = {Family::kIpv4, Family::kIpv6};

std::set<std::string> NatLinks(const State& state, Family family) {
  std::set<std::string> links;
  const auto nat = state.tables.find(NatOf(family));
  if (nat == state.tables.end()) return links;
  for (const auto& [name, rules] : nat->second->chains) {
    for (const ChainRule& rule : rules) {
      if (!rule.out_interface.empty()) links.insert(rule.out_interface);
    }
  }
  return links;
}

std::set<Mark> MarksSet(const State& state, Family family) {
  std::set<Mark> marks;
  const auto mangle = state.tables.find(MangleOf(family));
  if (mangle == state.tables.end()) return marks;
  for (const auto& [name, rules] : mangle->second->chains) {
    for (const ChainRule& rule : rules) {
      const auto* set = std::get_if<SetMarkTarget>(&rule.target);
      if (set != nullptr) marks.insert(set->mark);
    }
  }
  return marks;
}

bool HasLiveDefault(const State& state, std::uint32_t table, Family family) {
  return std::ranges::any_of(state.routes, [&](const auto& route) {
    return route.first.table == table &&
           route.first.destination == Prefix::Default(family) &&
           !route.second.next_hops.empty();
  });
}

// Uplinks of either spec that get fates now and whose sources should be
// translated, by the new spec or, as long as it does not take over, by the old
// one; but for which no rule translates them now.
std::vector<std::string> Untranslated(const Desired& from, const Desired& to,
                                      const State& now, Family family) {
  const std::set<std::string> by_old = NatLinks(from.state, family);
  const std::set<std::string> by_new = NatLinks(to.state, family);
  const std::set<Mark> fates_to_come = MarksSet(to.state, family);
  const std::set<Mark> fates = MarksSet(now, family);
  const std::set<std::string> translated = NatLinks(now, family);
  std::vector<std::string> untranslated;
  for (const Desired* spec : {&from, &to}) {
    for (const UplinkState& uplink : spec->uplinks) {
      const bool wanted = by_new.contains(uplink.interface) ||
                          (by_old.contains(uplink.interface) &&
                           !fates_to_come.contains(uplink.mark));
      if (wanted && fates.contains(uplink.mark) &&
          HasLiveDefault(now, uplink.table, family) &&
          !translated.contains(uplink.interface)) {
        untranslated.push_back(uplink.name);
      }
    }
  }
  return untranslated;
}

bool HooksHold(const State& now, const State& from, const State& to,
               Family family) {
  const auto jumps = [family](const State& state) {
    const auto mangle = state.tables.find(MangleOf(family));
    return mangle == state.tables.end()
               ? std::map<XtHook, std::vector<HookJump>>{}
               : mangle->second->jumps;
  };
  return std::ranges::all_of(jumps(from), [&](const auto& hook) {
    const auto wanted = jumps(to);
    const auto kept = wanted.find(hook.first);
    if (kept == wanted.end() || kept->second != hook.second) return true;
    const auto there = jumps(now);
    return there.contains(hook.first) && there.at(hook.first) == hook.second;
  });
}

// From one programmed spec to the next, on a host that changes as well. `check`
// sees the kernel before each write and at the end.
class Transition {
 public:
  explicit Transition(Random& random)
      : random_(random), from_(testing::FreshWorld(random)) {
    Pass(from_);
    to_ = from_;
    to_.spec = RandomEdit(random, from_.spec);
    if (random.Chance(50)) {
      to_.kernel.SetHost(RandomFacts(random, to_.spec));
    } else {
      AddNewLinks();
    }
    to_.desired = Compile(to_.spec, to_.kernel.host());
    to_.kernel.broken_promises.clear();
  }

  World& to() { return to_; }
  const World& from() const { return from_; }

 private:
  void AddNewLinks() {
    Facts host = to_.kernel.host();
    for (const auto& [name, link] : RandomFacts(random_, to_.spec).links) {
      host.links.emplace(name, link);
    }
    to_.kernel.SetHost(host);
  }

  Random& random_;
  World from_;
  World to_;
};

TEST(Law6, MarksAlwaysLeadSomewhere) {
  Random random(61);
  for (std::uint64_t i = 0; i < kCases; ++i) {
    Transition transition(random);
    World& world = transition.to();
    const auto fault = static_cast<Fault>(random.Below(3));
    const Report report =
        PassWithFault(world, fault, random.Between(1, 20), AnyError(random));
    ASSERT_TRUE(Converges(world, report)) << "case " << i;
    ASSERT_THAT(world.kernel.broken_promises, IsEmpty()) << "case " << i;
  }
}

TEST(Law6, HooksAndTranslationsHoldAtEachStep) {
  Random random(62);
  for (std::uint64_t i = 0; i < kCases; ++i) {
    Transition transition(random);
    World& world = transition.to();
    const State from = transition.from().kernel.Ours();
    // What was untranslated before was so by the old spec's wish.
    const Desired& old_desired = transition.from().desired;
    const auto untranslated = [&](const State& state, Family family) {
      return Untranslated(old_desired, world.desired, state, family);
    };
    const std::size_t n = random.Between(1, 20);
    PassWithFault(world, Fault::kDies, n, {});
    const State now = world.kernel.Ours();
    for (const Family family : kFamilies) {
      ASSERT_TRUE(HooksHold(now, from, world.desired.state, family))
          << "case " << i;
      const std::vector<std::string> at_first = untranslated(from, family);
      for (const std::string& uplink : untranslated(now, family)) {
        ASSERT_THAT(at_first, ::testing::Contains(uplink))
            << "case " << i << ", dead before write " << n;
      }
    }
  }
}

TEST(Law6, OneCommitPerTableAndTwoForNatAtMost) {
  Random random(63);
  std::size_t twice = 0;
  for (std::uint64_t i = 0; i < kCases; ++i) {
    Transition transition(random);
    World& world = transition.to();
    std::map<XtTable, std::size_t> commits;
    for (const Step& step : Pass(world).plan.steps) {
      const auto* edit = std::get_if<EditXtTable>(&step.change);
      if (edit != nullptr) ++commits[edit->table];
    }
    for (const Family family : kFamilies) {
      ASSERT_LE(commits[MangleOf(family)], 1u) << "case " << i;
      ASSERT_LE(commits[NatOf(family)], 2u) << "case " << i;
    }
    twice += commits[XtTable::kNat] == 2 ? 1 : 0;
  }
  EXPECT_GT(twice, 0u);
  EXPECT_LT(twice, kCases / 5);
}

}  // namespace
}  // namespace uplinkd
