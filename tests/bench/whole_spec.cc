// A whole spec of 32 uplinks from nothing, against the programs that an
// engineer would use for the very same objects.
#include <fstream>

#include "reconciler/linux/linux_kernel.h"
#include "reconciler/render.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr int kPairs = 15;
constexpr std::size_t kUplinks = 32;

// The plan's own words, as input for `ip -batch` and iptables-legacy-restore.
struct Scripts {
  std::string ip;
  std::map<std::string, std::string> tables;
};

Scripts ScriptsOf(const Plan& plan) {
  const std::string ip = "ip ";
  const std::string iptables = "iptables-legacy -t ";
  Scripts scripts;
  for (const PlanLine& line : RenderPlan(plan)) {
    if (line.command.starts_with(ip)) {
      scripts.ip += line.command.substr(ip.size()) + "\n";
    } else if (line.command.starts_with(iptables)) {
      const std::string rest = line.command.substr(iptables.size());
      const std::size_t space = rest.find(' ');
      scripts.tables[rest.substr(0, space)] += rest.substr(space + 1) + "\n";
    }
  }
  return scripts;
}

void Write(const lab::Lab& lab, const Scripts& scripts) {
  std::ofstream(lab.directory() / "ip.batch") << scripts.ip;
  std::ofstream restore(lab.directory() / "restore");
  for (const auto& [table, lines] : scripts.tables) {
    restore << "*" << table << "\n" << lines << "COMMIT\n";
  }
}

}  // namespace

bool MeasureWholeSpec() {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(kUplinks)});
  if (!lab) return false;
  const Spec spec = SpecOf({.uplinks = kUplinks, .algorithm = "least-loaded"});
  const Inside inside(lab->router());
  Result<std::unique_ptr<Kernel>> kernel = OpenLinuxKernel({});
  if (!kernel) return Complain(kernel.error().message);
  const Report plan = ReconcileOnce(spec, {.dry_run = true}, **kernel, Now);
  Write(*lab, ScriptsOf(plan.plan));
  const std::string directory = lab->directory().string();

  std::vector<double> ours;
  std::vector<double> theirs;
  for (int i = 0; i < kPairs; ++i) {
    const Nanoseconds start = Now();
    const Report report = ReconcileOnce(spec, {}, **kernel, Now);
    ours.push_back(Milliseconds(Now() - start));
    if (report.result != PassResult::kChanged || !Settle(spec, **kernel)) {
      return Complain("the spec was not applied");
    }
    CleanUp(**kernel, false, Now);

    const Nanoseconds begin = Now();
    const lab::CommandResult ip =
        lab::Command(lab->router(), {"ip", "-batch", directory + "/ip.batch"});
    const lab::CommandResult restore =
        lab::Command(lab->router(),
                     {"iptables-legacy-restore", "-n", directory + "/restore"});
    theirs.push_back(Milliseconds(Now() - begin));
    if (!ip.Ok() || !restore.Ok()) {
      return Complain(ip.output + restore.output);
    }
    // The same objects: nothing is left to do.
    if (ReconcileOnce(spec, {}, **kernel, Now).result != PassResult::kInSync) {
      return Complain("the programs made other objects");
    }
    CleanUp(**kernel, false, Now);
  }
  const double ratio = Median(ours) / Median(theirs);
  PrintRow({.what = "whole spec from nothing, 32 uplinks",
            .ours = Number(Median(ours), 2, " ms"),
            .floor = Number(Median(theirs), 2, " ms"),
            .figure = Number(ratio, 2, "x"),
            .target = "under 1x",
            .met = ratio < 1});
  return true;
}

}  // namespace uplinkd::bench
