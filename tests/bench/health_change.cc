// A verdict of the probes, with 32 uplinks and 1,000 traffic rules: how long it
// takes to reach the kernel, and how much of the packet filter is written.
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/linux/linux_kernel.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr std::size_t kUplinks = 32;
constexpr int kChanges = 100;
constexpr double kTarget = 50;  // milliseconds

// The chains that `plan` writes, with their tables.
std::set<std::pair<XtTable, std::string>> ChainsOf(const Plan& plan) {
  std::set<std::pair<XtTable, std::string>> chains;
  for (const Step& step : plan.steps) {
    const auto* edit = std::get_if<EditXtTable>(&step.change);
    if (edit == nullptr) continue;
    for (const ChainEdit& each : edit->edits) {
      chains.emplace(edit->table, each.chain);
    }
  }
  return chains;
}

bool MeasureAlgorithm(const std::string& algorithm, const lab::Lab& lab) {
  lab::LabSpec text = LargeSpec(kUplinks);
  text.algorithm = algorithm;
  text.health = "{probes: [{icmp: 203.0.113.10}]}";
  const Spec spec = SpecOf(text);
  const Inside inside(lab.router());
  Result<std::unique_ptr<Kernel>> kernel = OpenLinuxKernel({});
  if (!kernel) return Complain(kernel.error().message);
  if (!Settle(spec, **kernel)) return false;
  std::optional<PassMemory> memory;
  std::vector<double> times;
  std::size_t most_chains = 0;
  for (int i = 0; i < kChanges; ++i) {
    PassOptions options;
    if (i % 2 == 0) {
      options.health["wan17"] = {HealthState::kDown, "no answer"};
    }
    const Nanoseconds start = Now();
    const Report report = ReconcileOnce(spec, options, memory, **kernel, Now);
    times.push_back(Milliseconds(Now() - start));
    if (report.result != PassResult::kChanged) {
      return Complain("a verdict changed nothing");
    }
    most_chains = std::max(most_chains, ChainsOf(report.plan).size());
  }
  const double slow = Percentile(times, 0.99);
  PrintRow(
      {.what = "health change, 32 uplinks, 1,000 rules, " + algorithm + ", p99",
       .ours = Number(slow, 1, " ms"),
       .floor = "",
       .figure = Number(slow, 1, " ms"),
       .target = "under 50 ms",
       .met = slow < kTarget});
  PrintRow({.what = "chains that it writes, " + algorithm,
            .ours = std::to_string(most_chains),
            .floor = "",
            .figure = std::to_string(most_chains),
            .target = "1",
            .met = most_chains == 1});
  return true;
}

}  // namespace

bool MeasureHealthChange() {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(kUplinks)});
  return lab && MeasureAlgorithm("weighted-random", *lab) &&
         MeasureAlgorithm("least-loaded", *lab);
}

}  // namespace uplinkd::bench
