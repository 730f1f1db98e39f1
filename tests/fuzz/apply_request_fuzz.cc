// An Apply request: any message that gRPC lets in, from its bytes to the edge
// of the kernel.
//
//   bytes -> ApplyRequest -> Spec -> ids -> Compile on some host -> passes
//   against a kernel in memory, and the bytes of what they wrote
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>

#include "agent/service_specs.h"
#include "proto/convert.h"
#include "reconciler/linux/rule.h"
#include "tests/core/world.h"
#include "tests/fuzz/ipsets.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/router_laws.h"
#include "tests/fuzz/rule_laws.h"

namespace uplinkd {
namespace {

using testing::Require;

void RequireGoodTerms(const v1::ApplyRequest& request, const Spec& spec) {
  const auto terms = TermsOf(request);
  if (!terms) {
    Require(!terms.error().message.empty(), "a refusal has a text");
    return;
  }
  if (!*terms || !FaultOf(**terms).empty()) return;
  const PendingConfirm pending{**terms, Moment{}, 1, spec};
  const auto stored = FromProto(ToProto(pending));
  Require(stored && *stored == pending,
          "terms that are taken are stored as they are", request.DebugString());
}

// Every rule of it has bytes, and is the same one when they are read.
void RequireHasBytes(const State& state) {
  for (const auto& [which, table] : state.tables) {
    const Family family = FamilyOf(which);
    const auto has_bytes = [family](const ChainRule& rule) {
      Require(testing::RequireSurvivesItsBytes(family, rule),
              "what is compiled can be written", RenderChainRule(rule, family));
    };
    for (const auto& [name, chain] : table->chains) {
      Require(name.size() <= kMaxChainName, "a chain's name fits", name);
      for (const ChainRule& rule : chain) has_bytes(rule);
    }
    for (const auto& [hook, jumps] : table->jumps) {
      for (const HookJump& jump : jumps) has_bytes(jump.rule);
    }
  }
  for (const PolicyRule& rule : state.rules) {
    const NlRequest request = EncodeRule(RuleOperation::kCreate, rule);
    Require(request.header() != nullptr && DecodeRule(request.header()) == rule,
            "an ip rule that was written is read as the same one",
            RenderRule(rule));
  }
}

// Passes come to rest, whatever the kernel refuses, and no mark leads nowhere
// on the way.
void RequireComesToRest(const Spec& spec, FakeKernel kernel) {
  constexpr int kPasses = 4;
  PassOptions options;
  options.sweep = true;
  Report report;
  for (int pass = 0; pass < kPasses; ++pass) {
    report = ReconcileOnce(spec, options, kernel, testing::StoppedClock());
    if (report.result == PassResult::kInSync) break;
    options.blocked.insert(report.refused.begin(), report.refused.end());
  }
  Require(report.result == PassResult::kInSync, "passes come to rest",
          testing::Describe(report));
  Require(kernel.broken_promises.empty(), "no mark leads nowhere",
          kernel.broken_promises.empty() ? "" : kernel.broken_promises.front());
}

void Follow(const Spec& spec, std::uint64_t seed) {
  testing::Random random(seed);
  const Facts facts = testing::RandomFacts(random, spec);
  const Desired desired = Compile(spec, facts);
  Require(testing::IsDesired(Compile(spec, facts).state, desired.state),
          "the same spec and facts compile to the same");
  RequireHasBytes(desired.state);
  FakeKernel kernel;
  kernel.SetHost(facts);
  RequireComesToRest(spec, std::move(kernel));
}

}  // namespace
}  // namespace uplinkd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  using namespace uplinkd;  // NOLINT(google-build-using-namespace)
  v1::ApplyRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) return 0;
  testing::ForgetIpsets();
  const Converted converted = SpecFromProto(request.router());
  (void)TermsOf(request);
  testing::RequireViolations(converted.violations);
  if (!converted.violations.empty()) return 0;
  testing::RequireConvertsBack(converted.spec);
  const Spec spec = AssignIds(converted.spec, {});
  testing::RequireConvertsBack(spec);
  RequireGoodTerms(request, spec);
  Follow(spec, request.expected_generation());
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t max_size,
                                               unsigned int seed) {
  std::mt19937 random(seed);
  uplinkd::v1::ApplyRequest request;
  if (!request.ParseFromArray(data, static_cast<int>(size))) request.Clear();
  for (auto changes = 1 + random() % 3; changes > 0; --changes) {
    uplinkd::testing::MutateMessage(request, random);
  }
  const std::string bytes = request.SerializeAsString();
  if (bytes.size() > max_size) return size;
  bytes.copy(reinterpret_cast<char*>(data), bytes.size());
  return bytes.size();
}
