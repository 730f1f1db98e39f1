// What the agent costs while nothing happens: memory and processor time.
#include <thread>

#include "tests/bench/bench_lab.h"
#include "tests/bench/sections.h"
#include "tests/bench/table.h"

namespace uplinkd::bench {
namespace {

constexpr std::chrono::seconds kIdle{15};

bool MeasureUplinks(std::size_t uplinks) {
  const std::unique_ptr<lab::Lab> lab =
      MakeLab({.lines = std::vector<lab::Line>(uplinks)});
  if (!lab) return false;
  Result<std::unique_ptr<lab::RouterAgent>> agent =
      lab::RouterAgent::Start(*lab, {.log_level = "info"});
  if (!agent) return Complain(agent.error().message);
  const Result<v1::ApplyResponse> applied = (*agent)->Apply(
      lab::LabSpec{.uplinks = uplinks, .algorithm = "least-loaded"}.Text());
  if (!applied) return Complain(applied.error().message);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const pid_t pid = (*agent)->process().pid();
  const double before = ProcessorTime(pid);
  std::this_thread::sleep_for(kIdle);
  const double percent =
      100 * (ProcessorTime(pid) - before) /
      static_cast<double>(std::chrono::nanoseconds(kIdle).count());
  const double memory = ResidentMegabytes(pid);
  const std::string what = ", " + std::to_string(uplinks) + " uplinks";
  PrintRow({.what = "resident memory of the agent" + what,
            .ours = Number(memory, 1, " MB"),
            .floor = "",
            .figure = Number(memory, 1, " MB"),
            .target = "under 30 MB",
            .met = memory < 30});
  PrintRow({.what = "processor time of the idle agent" + what,
            .ours = Number(percent, 3, " %"),
            .floor = "",
            .figure = Number(percent, 3, " %"),
            .target = "under 0.1 %",
            .met = percent < 0.1});
  return true;
}

}  // namespace

bool MeasureFootprint() {
  return MeasureUplinks(2) && MeasureUplinks(32);
}

}  // namespace uplinkd::bench
