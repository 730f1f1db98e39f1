// Generators: random specs, hosts and kernel states for the property tests.
//
// Deterministic: the same seed gives the same values on every machine (no
// std:: distribution is used, since those differ between libraries).
#ifndef UPLINKD_TESTS_CORE_GENERATORS_H_
#define UPLINKD_TESTS_CORE_GENERATORS_H_

#include <cstddef>
#include <cstdint>
#include <random>

#include "reconciler/compile.h"
#include "reconciler/facts.h"
#include "reconciler/spec.h"
#include "reconciler/state.h"
#include "tests/core/fake_kernel.h"

namespace uplinkd::testing {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t Below(std::uint64_t n) { return engine_() % n; }
  std::uint64_t Between(std::uint64_t first, std::uint64_t last) {
    return first + Below(last - first + 1);
  }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  template <typename Container>
  auto& AnyOf(Container& container) {
    return *std::next(container.begin(),
                      static_cast<std::ptrdiff_t>(Below(container.size())));
  }

 private:
  std::mt19937_64 engine_;
};

// Against how many cases a law is held: UPLINKD_CASES in the environment, or
// what a test run has time for.
std::uint64_t CasesOfALaw();

// A valid spec with ids: mostly 1 to 3 uplinks, seldom up to 32.
Spec RandomSpec(Random& random);
// What `spec` may become by one edit: uplinks come, go and change.
Spec RandomEdit(Random& random, const Spec& spec);

// A host for `spec`. One uplink in four lacks something.
Facts RandomFacts(Random& random, const Spec& spec);
// Adds to `to` the addresses that it lacks.
void AddMissingAddresses(const Link& from, Link& to);

// What the kernel may hold of ours when it should hold `desired`: objects are
// missing, changed, doubled, out of place, or not ours to want.
State RandomDamage(Random& random, const State& desired);

// Foreign routes, rules and chains, also in tables and builtin chains that we
// use, none with a key of ours.
void AddForeign(Random& random, const Spec& spec, FakeKernel& kernel);

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_CORE_GENERATORS_H_
