// uplinkd_bench: prints how fast uplinkd is, beside floors measured in the same
// run. tests/bench.sh builds and runs it.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "tests/bench/sections.h"
#include "tests/bench/table.h"

int main(int argc, char** argv) {
  using uplinkd::bench::MeasureCounting;
  using uplinkd::bench::MeasureFootprint;
  using uplinkd::bench::MeasureForwarding;
  using uplinkd::bench::MeasureHealthChange;
  using uplinkd::bench::MeasurePasses;
  using uplinkd::bench::MeasureRepairs;
  using uplinkd::bench::MeasureRequests;
  using uplinkd::bench::MeasureScrape;
  using uplinkd::bench::MeasureWholeSpec;
  const std::vector<std::pair<std::string, std::function<bool()>>> sections = {
      {"passes", MeasurePasses},         {"spec", MeasureWholeSpec},
      {"health", MeasureHealthChange},   {"repairs", MeasureRepairs},
      {"forwarding", MeasureForwarding}, {"footprint", MeasureFootprint},
      {"scrape", MeasureScrape},         {"counting", MeasureCounting},
      {"requests", MeasureRequests}};
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  uplinkd::bench::PrintHeader();
  bool worked = true;
  for (const auto& [name, measure] : sections) {
    if (!wanted.empty() &&
        std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
      continue;
    }
    if (!measure()) {
      std::fprintf(stderr, "%s: could not be measured\n", name.c_str());
      worked = false;
    }
  }
  return worked ? 0 : 1;
}
