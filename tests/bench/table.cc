#include "tests/bench/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace uplinkd::bench {
namespace {

constexpr char kFormat[] = "%-52s %12s %12s %9s  %-16s %s\n";

}  // namespace

double Percentile(std::vector<double> values, double fraction) {
  std::ranges::sort(values);
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(fraction * last))];
}

double Milliseconds(Nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::string Number(double value, int decimals, const std::string& unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value, unit.c_str());
  return text;
}

void PrintHeader() {
  std::printf(kFormat, "measured", "ours", "floor", "figure", "target", "");
}

void PrintRow(const Row& row) {
  std::printf(kFormat, row.what.c_str(), row.ours.c_str(), row.floor.c_str(),
              row.figure.c_str(), row.target.c_str(),
              row.target.empty() ? ""
              : row.met          ? "met"
                                 : "NOT MET");
  std::fflush(stdout);
}

}  // namespace uplinkd::bench
