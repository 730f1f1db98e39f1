// CommonRules: which rules two versions of a chain share, in order.
//
// Pure; the core of the least edits of a chain.
#ifndef UPLINKD_RECONCILER_COMMON_RULES_H_
#define UPLINKD_RECONCILER_COMMON_RULES_H_

#include <cstddef>
#include <vector>

#include "reconciler/chain.h"

namespace uplinkd {

// Rule `have` of one chain equals rule `want` of the other.
struct CommonRule {
  std::size_t have = 0;
  std::size_t want = 0;
  friend auto operator<=>(const CommonRule&, const CommonRule&) = default;
};

// A longest common subsequence, ascending in both chains. Takes
// O((n + equal pairs) log n); rules are mostly unique, so equal pairs are few.
std::vector<CommonRule> CommonRules(const Chain& have, const Chain& want);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMMON_RULES_H_
