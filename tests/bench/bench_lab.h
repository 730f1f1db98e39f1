// What the sections share: a lab, a spec in force, and the calling thread
// inside the router.
#ifndef UPLINKD_TESTS_BENCH_BENCH_LAB_H_
#define UPLINKD_TESTS_BENCH_BENCH_LAB_H_

#include <memory>
#include <string>

#include "reconciler/kernel.h"
#include "reconciler/reconcile.h"
#include "tests/lab/lab.h"
#include "tests/lab/router_agent.h"

namespace uplinkd::bench {

// Says what failed and gives false.
bool Complain(const std::string& what);

std::unique_ptr<lab::Lab> MakeLab(const lab::LabOptions& options);

// A spec with 1,000 traffic rules.
lab::LabSpec LargeSpec(std::size_t uplinks);

// The typed spec of that text; the text is ours and valid.
Spec SpecOf(const lab::LabSpec& text);

// The calling thread (the main one) works inside `where` while this lives.
class Inside {
 public:
  explicit Inside(const lab::Namespace& where);
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside();

 private:
  int home_;
};

std::chrono::nanoseconds Now();

// The resident memory of a process in MB; 0 if there is no such process.
double ResidentMegabytes(pid_t pid);

// What all threads of a process have used so far, ended ones too, in
// nanoseconds; 0 if there is no such process. clock_getcpuclockid(3).
double ProcessorTime(pid_t pid);

// Passes until one finds nothing to do.
bool Settle(const Spec& spec, Kernel& kernel);

}  // namespace uplinkd::bench

#endif  // UPLINKD_TESTS_BENCH_BENCH_LAB_H_
