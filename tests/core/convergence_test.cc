// Laws 3 and 6 as property tests: whatever fails or dies on the way, the next
// passes converge, and no marked packet ever meets a missing rule or route.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
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

const std::uint64_t world_cases = testing::CasesOfALaw();

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
  while (cases < world_cases) {
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
  for (std::uint64_t i = 0; i < world_cases; ++i) {
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
  while (cases < world_cases) {
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

// Whether the rule translates, or keeps, what leaves by the uplink with its
// fate, for clients of the LANs.
bool IsFor(const UplinkState& uplink, const ChainRule& rule) {
  if (rule.out_interface != uplink.interface) return false;
  if (rule.source && !rule.source->invert) return false;  // a socket's own
  return std::ranges::all_of(rule.matches, [&](const Match& match) {
    const auto* connmark = std::get_if<ConnmarkMatch>(&match);
    return connmark != nullptr && connmark->mark == uplink.mark;
  });
}

// What becomes of the sources of the LANs' connections that have the fate of
// `uplink` and leave by its interface. None: nothing.
std::optional<Target> Translation(const State& state, const UplinkState& uplink,
                                  Family family) {
  const auto nat = state.tables.find(NatOf(family));
  if (nat == state.tables.end()) return std::nullopt;
  const auto chain = nat->second->chains.find("UPL-SNAT");
  if (chain == nat->second->chains.end()) return std::nullopt;
  for (const ChainRule& rule : chain->second) {
    if (!IsFor(uplink, rule)) continue;
    if (std::holds_alternative<ReturnTarget>(rule.target)) break;
    return rule.target;
  }
  return std::nullopt;
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

// To another interface: its route is there before its translation.
bool Moves(const UplinkState& uplink, const Desired& from, const Desired& to) {
  const auto elsewhere = [&](const UplinkState& other) {
    return other.mark == uplink.mark && other.interface != uplink.interface;
  };
  return std::ranges::any_of(from.uplinks, elsewhere) ||
         std::ranges::any_of(to.uplinks, elsewhere);
}

// Whether the uplink still has that interface, so that the interface's rules
// are about it as well.
bool IsInUse(const UplinkState& uplink, const Desired& desired) {
  return std::ranges::any_of(desired.uplinks, [&](const UplinkState& other) {
    return other.mark == uplink.mark && other.interface == uplink.interface &&
           other.phase != UplinkPhase::kDisabled;
  });
}

// Uplinks of either spec that get fates now and whose sources should be
// translated, by the new spec or, as long as it does not take over, by the old
// one; but which are translated in neither way now.
std::vector<std::string> Untranslated(const Desired& from, const Desired& to,
                                      const State& now, Family family) {
  const std::set<Mark> fates_before = MarksSet(from.state, family);
  const std::set<Mark> fates_to_come = MarksSet(to.state, family);
  const std::set<Mark> fates = MarksSet(now, family);
  std::vector<std::string> untranslated;
  for (const Desired* spec : {&from, &to}) {
    for (const UplinkState& uplink : spec->uplinks) {
      if (!fates.contains(uplink.mark) ||
          !HasLiveDefault(now, uplink.table, family) ||
          Moves(uplink, from, to)) {
        continue;
      }
      const auto before = Translation(from.state, uplink, family);
      const auto to_come = Translation(to.state, uplink, family);
      if (fates_to_come.contains(uplink.mark) && !to_come) continue;
      std::set<Target> wanted;
      if (before && fates_before.contains(uplink.mark)) wanted.insert(*before);
      if (to_come && IsInUse(uplink, to)) wanted.insert(*to_come);
      const auto is = Translation(now, uplink, family);
      if (!wanted.empty() && (!is || !wanted.contains(*is))) {
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
      const auto [there, is_new] = host.links.emplace(name, link);
      if (!is_new) testing::AddMissingAddresses(link, there->second);
    }
    to_.kernel.SetHost(host);
  }

  Random& random_;
  World from_;
  World to_;
};

TEST(Law6, MarksAlwaysLeadSomewhere) {
  Random random(61);
  for (std::uint64_t i = 0; i < world_cases; ++i) {
    Transition transition(random);
    World& world = transition.to();
    const auto fault = static_cast<Fault>(random.Below(3));
    const Report report =
        PassWithFault(world, fault, random.Between(1, 20), AnyError(random));
    ASSERT_TRUE(Converges(world, report)) << "case " << i;
    ASSERT_THAT(world.kernel.broken_promises, IsEmpty()) << "case " << i;
  }
}

// The number of the write that would change the fates; 1 if there is none.
std::size_t MangleWrite(const World& world) {
  World dry = world;
  const std::vector<Step> steps = Pass(dry).plan.steps;
  const auto mangle = std::ranges::find(steps, Stage::kMangle, &Step::stage);
  if (mangle == steps.end()) return 1;
  return static_cast<std::size_t>(mangle - steps.begin()) + 1;
}

TEST(Law6, HooksAndTranslationsHoldAtEachStep) {
  Random random(62);
  for (std::uint64_t i = 0; i < world_cases; ++i) {
    Transition transition(random);
    World& world = transition.to();
    const State from = transition.from().kernel.Ours();
    // What was untranslated before was so by the old spec's wish.
    const Desired& old_desired = transition.from().desired;
    const auto untranslated = [&](const State& state, Family family) {
      return Untranslated(old_desired, world.desired, state, family);
    };
    // Between nat and mangle the most can go wrong.
    const std::size_t n =
        random.Chance(50) ? MangleWrite(world) : random.Between(1, 20);
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
  for (std::uint64_t i = 0; i < world_cases; ++i) {
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
  EXPECT_LT(twice, world_cases / 5);
}

}  // namespace
}  // namespace uplinkd
