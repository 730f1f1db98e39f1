// Rules of every kind, for the tests of the xtables edge.
#ifndef UPLINKD_TESTS_LINUX_XT_RULES_H_
#define UPLINKD_TESTS_LINUX_XT_RULES_H_

#include <random>
#include <string>
#include <vector>

#include "reconciler/chain.h"
#include "reconciler/plan.h"

namespace uplinkd {

// A rule, and the words in which the iptables program takes the same one.
struct SampleRule {
  ChainRule rule;
  std::string words;
};

// Every match and target that we write, once or more. The estimators of
// SampleEstimators() and a chain UPL-X must exist.
std::vector<SampleRule> SampleRules(XtTable table);
Chain SampleEstimators();

// `count` rules in a few chains that jump only forwards, in front of them the
// estimators that they read. Hooked where the table allows.
XtTableState RandomState(XtTable table, std::size_t count,
                         std::mt19937& random);

// A rule without matches that jumps to `chain`.
ChainRule JumpTo(const std::string& chain);

// The edits that make `wanted` out of `now` by brute force: everything of
// `now` goes, everything of `wanted` comes.
EditXtTable Rebuild(XtTable table, const XtTableState& now,
                    const XtTableState& wanted);

// Single edits.
ChainEdit InsertRule(const std::string& chain, std::size_t position,
                     const ChainRule& rule);
ChainEdit DeleteRule(const std::string& chain, std::size_t position);
ChainEdit CreateChain(const std::string& chain);
ChainEdit DeleteChain(const std::string& chain);

// Datagrams over `lo` of the calling thread's namespace, for counters to count.
void SendOnLoopback(int count);

}  // namespace uplinkd

#endif  // UPLINKD_TESTS_LINUX_XT_RULES_H_
