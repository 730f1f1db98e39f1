// The laws of failover, over random specs and random lives of their uplinks.
//
// The judge below knows nothing of the rules that Failover keeps: it looks at
// the spec, at the present states, and at what came before, and says whether a
// cut was right, and whether one was missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/failover.h"
#include "tests/core/builders.h"
#include "tests/core/generators.h"

namespace uplinkd {
namespace {

using std::chrono::seconds;
using testing::Random;
using testing::SpecWithUplinks;

std::string Name(UplinkId id) {
  return "wan" + std::to_string(id);
}

Policy RandomPolicy(Random& random, const std::string& name,
                    std::uint32_t uplinks) {
  Policy policy;
  policy.name = name;
  policy.algorithm =
      random.Chance(30) ? Algorithm::kFailover : Algorithm::kWeightedRandom;
  policy.on_failover = random.Chance(70) ? OnFailover::kCut : OnFailover::kKeep;
  policy.on_failback = static_cast<OnFailback>(random.Below(3));
  policy.drain_deadline = seconds(random.Between(1, 600));
  policy.tiers.emplace_back();
  for (UplinkId id = 1; id <= uplinks; ++id) {
    if (random.Chance(25)) continue;
    if (!policy.tiers.back().empty() && random.Chance(50)) {
      policy.tiers.emplace_back();
    }
    policy.tiers.back().push_back({Name(id), {}});
  }
  if (policy.tiers.back().empty()) policy.tiers.back().push_back({Name(1), {}});
  return policy;
}

// Two to five uplinks, all sorts of policies over them.
Spec TieredSpec(Random& random) {
  const auto uplinks = static_cast<std::uint32_t>(random.Between(2, 5));
  Spec spec = SpecWithUplinks(uplinks, Algorithm::kWeightedRandom);
  const std::string balance = spec.balance.name;
  spec.balance = RandomPolicy(random, balance, uplinks);
  for (std::uint64_t n = random.Below(3); n > 0; --n) {
    spec.policies.push_back(
        RandomPolicy(random, "policy" + std::to_string(n), uplinks));
  }
  if (random.Chance(20)) {
    const auto id = static_cast<UplinkId>(random.Between(1, uplinks));
    spec.traffic = {{"only", {}, {}, Name(id)}};
  }
  if (random.Chance(10)) {
    spec.local_use = Name(static_cast<UplinkId>(random.Between(1, uplinks)));
  }
  return spec;
}

class Judge {
 public:
  Judge(const Spec& spec, const std::vector<UplinkState>& uplinks)
      : spec_(spec) {
    for (const UplinkState& uplink : uplinks) {
      phases_[uplink.name] = uplink.phase;
    }
  }

  bool Ready(const std::string& uplink) const {
    return phases_.at(uplink) == UplinkPhase::kReady;
  }
  bool Carries(const std::string& uplink) const {
    return Ready(uplink) || phases_.at(uplink) == UplinkPhase::kDraining;
  }

  // The policies that could have given a connection to `uplink`.
  std::vector<const Policy*> Givers(const std::string& uplink) const {
    std::vector<const Policy*> givers;
    for (const Policy* policy : All()) {
      if (Has(*policy, uplink)) givers.push_back(policy);
    }
    return givers;
  }

  // Something may take this uplink alone.
  bool Named(const std::string& uplink) const {
    return spec_.local_use == uplink ||
           std::ranges::any_of(spec_.traffic, [&](const TrafficRule& rule) {
             return rule.use == uplink;
           });
  }

  // Whoever lost a connection to `uplink` gets a new one elsewhere.
  bool OthersServe(const std::string& uplink) const {
    return std::ranges::all_of(Givers(uplink), [&](const Policy* policy) {
      return std::ranges::any_of(phases_, [&](const auto& other) {
        return other.first != uplink && Has(*policy, other.first) &&
               Ready(other.first);
      });
    });
  }
  bool AllSayCut(const std::string& uplink) const {
    const auto givers = Givers(uplink);
    return !givers.empty() && !Named(uplink) &&
           std::ranges::all_of(givers, [](const Policy* policy) {
             return policy->on_failover == OnFailover::kCut;
           });
  }
  // No policy would give it a new connection, and none keeps the old ones.
  bool Displaced(const std::string& uplink) const {
    const auto givers = Givers(uplink);
    return !givers.empty() && !Named(uplink) &&
           std::ranges::all_of(givers, [&](const Policy* policy) {
             return policy->on_failback != OnFailback::kKeep &&
                    HasBetter(*policy, uplink);
           });
  }
  seconds LongestDrain(const std::string& uplink) const {
    std::chrono::milliseconds longest{0};
    for (const Policy* policy : Givers(uplink)) {
      if (policy->on_failback != OnFailback::kDrain) continue;
      longest = std::max(longest, policy->drain_deadline);
    }
    return std::chrono::duration_cast<seconds>(longest);
  }

 private:
  std::vector<const Policy*> All() const {
    std::vector<const Policy*> all = {&spec_.balance};
    for (const Policy& policy : spec_.policies) all.push_back(&policy);
    return all;
  }
  static bool Has(const Policy& policy, const std::string& uplink) {
    return std::ranges::any_of(policy.tiers, [&](const Tier& tier) {
      return std::ranges::find(tier, uplink, &PolicyMember::uplink) !=
             tier.end();
    });
  }
  // Whether a ready member comes before `uplink`: in an earlier tier, or, where
  // the order counts, earlier in its own.
  bool HasBetter(const Policy& policy, const std::string& uplink) const {
    bool earlier_tier = false;
    for (const Tier& tier : policy.tiers) {
      bool earlier = earlier_tier;
      for (const PolicyMember& member : tier) {
        if (member.uplink == uplink) {
          return policy.algorithm == Algorithm::kFailover ? earlier
                                                          : earlier_tier;
        }
        earlier |= Ready(member.uplink);
      }
      earlier_tier = earlier;
    }
    return false;
  }

  const Spec& spec_;
  std::map<std::string, UplinkPhase> phases_;
};

// One spec, and the lives of its uplinks.
class Life {
 public:
  explicit Life(std::uint64_t seed)
      : random_(seed), spec_(TieredSpec(random_)) {
    for (const Uplink& uplink : spec_.uplinks) {
      UplinkState state;
      state.name = uplink.name;
      state.id = uplink.id;
      state.mark = MarkOf(spec_, uplink.id);
      state.phase = UplinkPhase::kReady;
      uplinks_.push_back(state);
    }
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Change();
      failover_.PassEnded(spec_, uplinks_, now_);
      Look();
      now_ += seconds(random_.Chance(50) ? 0 : random_.Below(200));
      Look();
    }
  }
  std::map<CutReason, int> cuts() const { return cuts_; }

 private:
  struct History {
    bool carried = false;     // until the last pass
    bool owed = false;        // lost connections that were not cut so far
    bool stragglers = false;  // cut, but for the second look
    Failover::Time cut_at{};
    std::optional<Failover::Time> displaced_since;
  };

  void Change() {
    constexpr std::array kPhases = {
        UplinkPhase::kReady,   UplinkPhase::kReady,   UplinkPhase::kReady,
        UplinkPhase::kWaiting, UplinkPhase::kBlocked, UplinkPhase::kDraining,
        UplinkPhase::kDisabled};
    for (UplinkState& uplink : uplinks_) {
      if (random_.Chance(30)) uplink.phase = random_.AnyOf(kPhases);
      if (uplink.phase == UplinkPhase::kReady) deadlines_.erase(uplink.name);
      if (uplink.phase == UplinkPhase::kDraining && random_.Chance(50)) {
        deadlines_.try_emplace(uplink.name, now_ + seconds(random_.Below(300)));
      }
    }
    const Judge judge(spec_, uplinks_);
    for (const UplinkState& uplink : uplinks_) {
      History& history = histories_[uplink.name];
      if (judge.Carries(uplink.name)) {
        history.owed = history.stragglers = false;
      } else if (history.carried) {
        history.owed = true;
        history.stragglers = false;
      }
      history.carried = judge.Carries(uplink.name);
      if (!judge.Displaced(uplink.name)) {
        history.displaced_since.reset();
      } else if (!history.displaced_since) {
        history.displaced_since = now_;
      }
    }
  }

  void Look() {
    const Judge judge(spec_, uplinks_);
    const std::vector<Cut> due = failover_.Due(deadlines_, now_);
    // None is missing.
    for (const UplinkState& uplink : uplinks_) {
      const bool found =
          std::ranges::find(due, uplink.name, &Cut::uplink) != due.end();
      if (histories_[uplink.name].owed && judge.OthersServe(uplink.name) &&
          judge.AllSayCut(uplink.name) && !failing_.contains(uplink.name)) {
        EXPECT_TRUE(found) << uplink.name << " strands its connections";
      }
    }
    for (const Cut& cut : due) {
      Check(judge, cut);
      if (random_.Chance(10)) {
        failover_.Failed(cut, now_);
        failing_.insert(cut.uplink);
        continue;
      }
      failover_.Done(cut, now_);
      failing_.erase(cut.uplink);
      ++cuts_[cut.reason];
      Note(cut);
    }
    // Every cut is made once.
    for (const Cut& cut : failover_.Due(deadlines_, now_)) {
      EXPECT_FALSE(done_.contains({cut, now_})) << cut.uplink;
    }
  }

  void Check(const Judge& judge, const Cut& cut) {
    SCOPED_TRACE(cut.uplink + " " + std::string(CutReasonName(cut.reason)));
    const History& history = histories_[cut.uplink];
    const UplinkState& uplink =
        *std::ranges::find(uplinks_, cut.uplink, &UplinkState::name);
    EXPECT_EQ(cut.mark, uplink.mark);
    EXPECT_NE(cut.mark.value, 0U);
    EXPECT_TRUE(judge.OthersServe(cut.uplink)) << "nobody takes them over";
    switch (cut.reason) {
      case CutReason::kFailover:
      case CutReason::kDisabled:
        EXPECT_FALSE(judge.Carries(cut.uplink)) << "it lives";
        EXPECT_TRUE(judge.AllSayCut(cut.uplink));
        EXPECT_EQ(cut.stragglers, history.stragglers);
        EXPECT_TRUE(history.owed || history.stragglers) << "for no reason";
        if (cut.stragglers) {
          EXPECT_GE(now_, history.cut_at + seconds(1));
        }
        break;
      case CutReason::kFailback:
        EXPECT_TRUE(judge.Carries(cut.uplink));
        EXPECT_TRUE(judge.Displaced(cut.uplink)) << "it is not a lower tier";
        ASSERT_TRUE(history.displaced_since);
        EXPECT_GE(now_,
                  *history.displaced_since + judge.LongestDrain(cut.uplink))
            << "too soon";
        break;
      case CutReason::kDrain:
        EXPECT_FALSE(judge.Ready(cut.uplink));
        ASSERT_TRUE(deadlines_.contains(cut.uplink));
        EXPECT_GE(now_, deadlines_.at(cut.uplink)) << "too soon";
        break;
    }
  }

  void Note(const Cut& cut) {
    done_.insert({cut, now_});
    History& history = histories_[cut.uplink];
    if (cut.reason == CutReason::kDrain) deadlines_.erase(cut.uplink);
    if (cut.reason != CutReason::kFailover &&
        cut.reason != CutReason::kDisabled) {
      return;
    }
    history.owed = false;
    history.stragglers = !cut.stragglers;
    history.cut_at = now_;
  }

  Random random_;
  Spec spec_;
  std::vector<UplinkState> uplinks_;
  Failover failover_;
  Failover::Deadlines deadlines_;
  Failover::Time now_ = seconds(1000);
  std::map<std::string, History> histories_;
  std::set<std::string> failing_;
  std::set<std::pair<Cut, Failover::Time>> done_;
  std::map<CutReason, int> cuts_;
};

TEST(FailoverLaws, HoldInEveryLife) {
  std::map<CutReason, int> cuts;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life life(seed);
    life.Run(50);
    ASSERT_FALSE(HasFailure());
    for (const auto& [reason, count] : life.cuts()) cuts[reason] += count;
  }
  // The lives were eventful enough to prove something.
  for (const CutReason reason : {CutReason::kFailover, CutReason::kDisabled,
                                 CutReason::kFailback, CutReason::kDrain}) {
    EXPECT_GT(cuts[reason], 100) << CutReasonName(reason);
  }
}

}  // namespace
}  // namespace uplinkd
