// A pass that finds nothing to do, against the floor, with 2 and 32 uplinks,
// alone and beside a full BGP feed's worth of foreign state.
#include <optional>
#include <sstream>

#include "reconciler/linux/linux_kernel.h"
#include "tests/bench/bench_lab.h"
#include "tests/bench/floor.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr int kSamples = 300;
constexpr double kTarget = 1.5;

// 100,000 routes in main and 10,000 rules in mangle.
bool AddForeignScale(const lab::Lab& lab) {
  const lab::CommandResult result = lab::Shell(lab.router(), R"(
awk 'BEGIN { for (i = 0; i < 100000; i++)
  printf "route add 10.%d.%d.%d/32 via 198.18.1.1\n",
         i / 65536, i / 256 % 256, i % 256 }' | ip -batch -
awk 'BEGIN { print "*mangle"
  for (i = 0; i < 10000; i++)
    printf "-A FORWARD -s 10.9.%d.%d/32 -p udp --dport 9 -j ACCEPT\n",
           i / 256, i % 256
  print "COMMIT" }' | iptables-legacy-restore -n)");
  return result.Ok() || Complain(result.output);
}

struct Sample {
  double pass = 0;
  double floor = 0;
};

bool Measure(const Spec& spec, Kernel& kernel, Floor& floor, Sample* medians) {
  std::vector<double> passes;
  std::vector<double> floors;
  std::optional<PassMemory> memory;
  for (int i = 0; i < kSamples; ++i) {
    const Nanoseconds start = Now();
    if (!floor.Run()) return Complain("the kernel refuses the floor's calls");
    const Nanoseconds middle = Now();
    const Report report = ReconcileOnce(spec, {}, memory, kernel, Now);
    const Nanoseconds end = Now();
    if (report.result != PassResult::kInSync) {
      return Complain("a pass found something to do");
    }
    floors.push_back(Milliseconds(middle - start));
    passes.push_back(Milliseconds(end - middle));
  }
  *medians = {Median(passes), Median(floors)};
  return true;
}

void Print(const std::string& what, const Sample& sample) {
  const double ratio = sample.pass / sample.floor;
  PrintRow({.what = what,
            .ours = Number(sample.pass, 3, " ms"),
            .floor = Number(sample.floor, 3, " ms"),
            .figure = Number(ratio, 2, "x"),
            .target = "at most 1.5x",
            .met = ratio <= kTarget});
}

bool MeasureUplinks(std::size_t uplinks) {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(uplinks)});
  if (!lab) return false;
  const Spec spec = SpecOf({.uplinks = uplinks, .algorithm = "least-loaded"});
  std::vector<std::string> links = {"lan0"};
  std::vector<std::uint32_t> tables;
  for (std::size_t n = 1; n <= uplinks; ++n) {
    links.push_back(lab::UplinkInterface(n));
    tables.push_back(TableOf(spec, static_cast<UplinkId>(n)));
  }
  const Inside inside(lab->router());
  Result<std::unique_ptr<Kernel>> kernel = OpenLinuxKernel({});
  if (!kernel) return Complain(kernel.error().message);
  if (!Settle(spec, **kernel)) return false;
  Floor floor(links, tables);
  const std::string what =
      "no-op pass, " + std::to_string(uplinks) + " uplinks";
  Sample alone;
  if (!Measure(spec, **kernel, floor, &alone)) return false;
  Print(what, alone);
  if (!AddForeignScale(*lab)) return false;
  if (!Settle(spec, **kernel)) return false;
  Sample beside;
  if (!Measure(spec, **kernel, floor, &beside)) return false;
  Print(what + ", 100k routes, 10k rules", beside);
  return true;
}

}  // namespace

bool MeasurePasses() {
  return MeasureUplinks(2) && MeasureUplinks(32);
}

}  // namespace uplinkd::bench
