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
#include <utility>
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

  bool AnyReady() const {
    return std::ranges::any_of(phases_, [](const auto& uplink) {
      return uplink.second == UplinkPhase::kReady;
    });
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

  // The spec forgets an uplink, or knows again one that it forgot.
  void ChangeSpec() {
    const std::size_t at = random_.Below(uplinks_.size());
    if (uplinks_.size() > 1 && random_.Chance(50)) {
      const UplinkState uplink = uplinks_[at];
      History& history = histories_[uplink.name];
      history.owed |= history.carried || history.stragglers;
      history.carried = history.stragglers = false;
      gone_.push_back({uplink, *std::ranges::find(spec_.uplinks, uplink.name,
                                                  &Uplink::name)});
      std::erase(spec_.uplinks, gone_.back().second);
      uplinks_.erase(uplinks_.begin() + static_cast<std::ptrdiff_t>(at));
      deadlines_.erase(uplink.name);
      std::erase_if(spec_.traffic, [&](const TrafficRule& rule) {
        return rule.use == uplink.name;
      });
      if (spec_.local_use == uplink.name) spec_.local_use = kUseMain;
      StrikeOut(uplink.name);
    } else if (!gone_.empty()) {
      uplinks_.push_back(gone_.back().first);
      spec_.uplinks.push_back(gone_.back().second);
      histories_[uplinks_.back().name] = {};
      gone_.pop_back();
    }
  }

  // Off the policies, each of which keeps some member.
  void StrikeOut(const std::string& uplink) {
    std::vector<Policy*> policies = {&spec_.balance};
    for (Policy& policy : spec_.policies) policies.push_back(&policy);
    for (Policy* policy : policies) {
      for (Tier& tier : policy->tiers) {
        std::erase_if(tier, [&](const PolicyMember& member) {
          return member.uplink == uplink;
        });
      }
      std::erase_if(policy->tiers, &Tier::empty);
      if (!policy->tiers.empty()) continue;
      policy->tiers = {{{spec_.uplinks.front().name, {}}}};
    }
  }

  bool IsGone(const std::string& uplink) const {
    return std::ranges::any_of(
        gone_, [&](const auto& gone) { return gone.first.name == uplink; });
  }

  void Change() {
    if (random_.Chance(10)) ChangeSpec();
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
    for (const auto& [uplink, spec] : gone_) {
      if (!histories_[uplink.name].owed || !judge.AnyReady() ||
          failing_.contains(uplink.name)) {
        continue;
      }
      EXPECT_NE(std::ranges::find(due, uplink.name, &Cut::uplink), due.end())
          << uplink.name << " left its connections behind";
    }
    for (const Cut& cut : due) {
      if (IsGone(cut.uplink)) {
        CheckGone(judge, cut);
      } else {
        Check(judge, cut);
      }
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

  void CheckGone(const Judge& judge, const Cut& cut) {
    SCOPED_TRACE(cut.uplink + ", which left the spec");
    const History& history = histories_[cut.uplink];
    EXPECT_EQ(cut.reason, CutReason::kRemoved);
    EXPECT_NE(cut.mark.value, 0U);
    for (const UplinkState& uplink : uplinks_) {
      EXPECT_NE(cut.mark, uplink.mark) << "those of " << uplink.name;
    }
    EXPECT_TRUE(judge.AnyReady()) << "nobody takes them over";
    EXPECT_EQ(cut.stragglers, history.stragglers);
    EXPECT_TRUE(history.owed || history.stragglers) << "for no reason";
    if (cut.stragglers) {
      EXPECT_GE(now_, history.cut_at + seconds(1));
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
      case CutReason::kRemoved: ADD_FAILURE() << "it is in the spec"; break;
    }
  }

  void Note(const Cut& cut) {
    done_.insert({cut, now_});
    History& history = histories_[cut.uplink];
    if (cut.reason == CutReason::kDrain) deadlines_.erase(cut.uplink);
    if (cut.reason == CutReason::kFailback || cut.reason == CutReason::kDrain) {
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
  std::vector<std::pair<UplinkState, Uplink>> gone_;  // from the spec
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
  for (const CutReason reason :
       {CutReason::kFailover, CutReason::kDisabled, CutReason::kRemoved,
        CutReason::kFailback, CutReason::kDrain}) {
    EXPECT_GT(cuts[reason], 100) << CutReasonName(reason);
  }
}

}  // namespace
}  // namespace uplinkd
