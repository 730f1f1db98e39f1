#include "reconciler/common_rules.h"

#include <algorithm>
#include <map>
#include <optional>

namespace uplinkd {
namespace {

struct ByValue {
  bool operator()(const ChainRule* a, const ChainRule* b) const {
    return *a < *b;
  }
};

// A run of common rules, as a linked list from its last element back.
struct RunEnd {
  CommonRule rule;
  std::optional<std::size_t> previous;  // in the pool
};

// Hunt and Szymanski's algorithm on have[first, have_end) and
// want[first, want_end).
class LongestRun {
 public:
  void Extend(CommonRule rule) {
    const auto place = std::ranges::lower_bound(
        best_, rule.want, {},
        [this](std::size_t end) { return pool_[end].rule.want; });
    const bool longer = place == best_.end();
    if (!longer && pool_[*place].rule.want == rule.want) return;
    std::optional<std::size_t> previous;
    if (place != best_.begin()) previous = *std::prev(place);
    pool_.push_back({rule, previous});
    if (longer) {
      best_.push_back(pool_.size() - 1);
    } else {
      *place = pool_.size() - 1;
    }
  }

  std::vector<CommonRule> Longest() const {
    std::vector<CommonRule> run;
    if (best_.empty()) return run;
    for (std::optional<std::size_t> end = best_.back(); end;
         end = pool_[*end].previous) {
      run.push_back(pool_[*end].rule);
    }
    std::ranges::reverse(run);
    return run;
  }

 private:
  std::vector<RunEnd> pool_;
  // best_[k]: the run of k + 1 rules that ends earliest in `want`.
  std::vector<std::size_t> best_;
};

}  // namespace

std::vector<CommonRule> CommonRules(const Chain& have, const Chain& want) {
  std::size_t first = 0;
  std::size_t have_end = have.size();
  std::size_t want_end = want.size();
  while (first < have_end && first < want_end && have[first] == want[first]) {
    ++first;
  }
  while (first < have_end && first < want_end &&
         have[have_end - 1] == want[want_end - 1]) {
    --have_end;
    --want_end;
  }

  std::map<const ChainRule*, std::vector<std::size_t>, ByValue> places;
  for (std::size_t j = first; j < want_end; ++j) places[&want[j]].push_back(j);
  LongestRun middle;
  for (std::size_t i = first; i < have_end; ++i) {
    const auto found = places.find(&have[i]);
    if (found == places.end()) continue;
    // Descending, so that no run uses have[i] twice.
    for (std::size_t k = found->second.size(); k-- > 0;) {
      middle.Extend({i, found->second[k]});
    }
  }

  std::vector<CommonRule> common;
  for (std::size_t i = 0; i < first; ++i) common.push_back({i, i});
  for (const CommonRule& rule : middle.Longest()) common.push_back(rule);
  for (std::size_t i = have_end; i < have.size(); ++i) {
    common.push_back({i, i - have_end + want_end});
  }
  return common;
}

}  // namespace uplinkd
