// FakeXtable: one iptables table in memory, with the kernel's manners.
//
// Holds foreign rules and chains beside ours. Every rule has a counter value
// of its own from birth, so that a test sees which rules were left untouched.
#ifndef UPLINKD_TESTS_CORE_FAKE_XTABLES_H_
#define UPLINKD_TESTS_CORE_FAKE_XTABLES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/kernel.h"
#include "reconciler/plan.h"

namespace uplinkd {

struct FakeRule {
  ChainRule rule;
  std::uint64_t counter = 0;
  friend auto operator<=>(const FakeRule&, const FakeRule&) = default;
};

struct FakeXtable {
  XtTable table = XtTable::kMangle;
  std::map<XtHook, std::vector<FakeRule>> hooks;
  std::map<std::string, std::vector<FakeRule>> chains;
  std::uint64_t next_counter = 1;

  // What is ours, as the real Observe() sees it.
  XtTableState Ours() const;
  // The rest: foreign rules in their order, with their counters.
  FakeXtable Foreign() const;

  FakeRule NewRule(const ChainRule& rule) { return {rule, next_counter++}; }
  // Replaces what is ours, by other means than a commit. A jump that lies
  // beyond the end of its builtin chain comes last.
  void SetOurs(const XtTableState& ours);

  // One commit: all edits or none.
  Outcome Commit(const EditXtTable& edit);

  friend auto operator<=>(const FakeXtable&, const FakeXtable&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_CORE_FAKE_XTABLES_H_
