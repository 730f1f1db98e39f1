#include "tests/bench/bench_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "proto/convert.h"
#include "proto/spec_reader.h"

namespace uplinkd::bench {

bool Complain(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  return false;
}

std::unique_ptr<lab::Lab> MakeLab(const lab::LabOptions& options) {
  Result<std::unique_ptr<lab::Lab>> lab = lab::Lab::Create(options);
  if (!lab) {
    Complain(lab.error().message);
    return nullptr;
  }
  return std::move(*lab);
}

lab::LabSpec LargeSpec(std::size_t uplinks) {
  constexpr std::size_t kTrafficRules = 1000;
  std::ostringstream traffic;
  traffic << "  traffic:\n";
  for (std::size_t i = 0; i < kTrafficRules; ++i) {
    traffic << "    - {name: rule" << i << ", match: {protocol: tcp, "
            << "destination: [10." << i / 250 << "." << i % 250
            << ".0/24], destinationPorts: [443]}, use: wan" << i % uplinks + 1
            << "}\n";
  }
  return {.uplinks = uplinks, .more = traffic.str()};
}

Spec SpecOf(const lab::LabSpec& text) {
  return SpecFromProto(ReadSpecText(text.Text(), "bench.yaml")->router).spec;
}

Inside::Inside(const lab::Namespace& where)
    : home_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
  // Measuring anywhere else would touch the machine's own network.
  if (setns(where.fd(), CLONE_NEWNET) != 0) std::abort();
}

Inside::~Inside() {
  if (setns(home_, CLONE_NEWNET) != 0) std::abort();
  close(home_);
}

std::chrono::nanoseconds Now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

double ResidentMegabytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("VmRSS:")) continue;
    return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

double ProcessorTime(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 ||
      clock_gettime(clock, &used) != 0) {
    return 0;
  }
  return static_cast<double>(used.tv_sec) * 1e9 +
         static_cast<double>(used.tv_nsec);
}

bool Settle(const Spec& spec, Kernel& kernel) {
  for (int i = 0; i < 5; ++i) {
    const Report report = ReconcileOnce(spec, {}, kernel, Now);
    if (report.error) Complain(report.error->message);
    for (const Outcome& outcome : report.outcomes) {
      if (outcome.result == StepResult::kFailed) {
        Complain(outcome.error.message);
      }
    }
    if (report.result == PassResult::kInSync) return true;
  }
  return Complain("the kernel does not come to hold the spec");
}

}  // namespace uplinkd::bench
