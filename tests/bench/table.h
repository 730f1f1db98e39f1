// The benchmark's table: each figure beside the floor it is judged by.
#ifndef UPLINKD_TESTS_BENCH_TABLE_H_
#define UPLINKD_TESTS_BENCH_TABLE_H_

#include <chrono>
#include <string>
#include <vector>

namespace uplinkd::bench {

using Nanoseconds = std::chrono::nanoseconds;

// The value below which `fraction` of `values` lie. `values` is not empty.
double Percentile(std::vector<double> values, double fraction);
inline double Median(std::vector<double> values) {
  return Percentile(std::move(values), 0.5);
}

double Milliseconds(Nanoseconds time);

struct Row {
  std::string what;
  std::string ours;
  std::string floor;   // "" where the target is absolute
  std::string figure;  // what is judged: "1.32x", "3.1 ms"
  std::string target;  // "at most 1.5x"; "" where nothing is promised
  bool met = false;
};

std::string Number(double value, int decimals, const std::string& unit);

// Prints `row` at once, so that a long run shows where it is.
void PrintHeader();
void PrintRow(const Row& row);

}  // namespace uplinkd::bench

#endif  // UPLINKD_TESTS_BENCH_TABLE_H_
