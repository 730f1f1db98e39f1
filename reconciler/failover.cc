#include "reconciler/failover.h"

#include <algorithm>
#include <utility>

namespace uplinkd {
namespace {

bool IsLoss(CutReason reason) {
  return reason == CutReason::kFailover || reason == CutReason::kDisabled ||
         reason == CutReason::kRemoved;
}

bool IsReady(const std::map<std::string, UplinkPhase>& phases,
             const std::string& uplink) {
  const auto phase = phases.find(uplink);
  return phase != phases.end() && phase->second == UplinkPhase::kReady;
}

std::map<std::string, UplinkPhase> PhasesOf(
    const std::vector<UplinkState>& uplinks) {
  std::map<std::string, UplinkPhase> phases;
  for (const UplinkState& uplink : uplinks) phases[uplink.name] = uplink.phase;
  return phases;
}

// Whether something may take this uplink alone, and so none in its place.
bool IsNamed(const Spec& spec, const std::string& uplink) {
  return spec.local_use == uplink ||
         std::ranges::find(spec.traffic, uplink, &TrafficRule::use) !=
             spec.traffic.end();
}

}  // namespace

std::string_view CutReasonName(CutReason reason) {
  switch (reason) {
    case CutReason::kFailover: return "failover";
    case CutReason::kDisabled: return "disabled";
    case CutReason::kRemoved: return "removed";
    case CutReason::kFailback: return "failback";
    case CutReason::kDrain: return "drain";
  }
  return "";
}

// One rank per tier; for failover, which prefers within a tier as well, one per
// member. Not with affinity: a client whose connections were cut would come
// back to the very uplink that it had.
Failover::Ranks Failover::RanksOf(const Spec& spec, const Policy& policy) {
  const bool in_order = policy.algorithm == Algorithm::kFailover &&
                        policy.affinity.by == AffinityKey::kNone;
  Ranks ranks;
  for (const Tier& tier : TiersOf(spec, policy)) {
    if (!in_order) ranks.emplace_back();
    for (const PolicyMember& member : tier) {
      if (in_order) ranks.emplace_back();
      ranks.back().push_back(member.uplink);
    }
    // The order within a rank means nothing.
    std::ranges::sort(ranks.back());
  }
  return ranks;
}

Failover::Choosings Failover::ChoosingsOf(const Spec& spec,
                                          const UplinkPhases& phases) {
  Choosings choosings;
  for (const Policy* policy : AllPolicies(spec)) {
    Choosing& choosing = choosings[policy->name];
    choosing.ranks = RanksOf(spec, *policy);
    const auto serving = std::ranges::find_if(
        choosing.ranks, [&](const std::vector<std::string>& rank) {
          return std::ranges::any_of(rank, [&](const std::string& uplink) {
            return IsReady(phases, uplink);
          });
        });
    if (serving == choosing.ranks.end()) continue;
    choosing.serving =
        static_cast<std::size_t>(serving - choosing.ranks.begin());
  }
  return choosings;
}

std::optional<Failover::Opinion> Failover::OpinionOf(
    const Policy& policy, const Choosing& choosing, const std::string& uplink,
    const UplinkPhases& phases) {
  Opinion opinion;
  std::optional<std::size_t> rank;
  for (std::size_t i = 0; i < choosing.ranks.size(); ++i) {
    for (const std::string& member : choosing.ranks[i]) {
      if (member == uplink) rank = i;
      opinion.replaceable |= member != uplink && IsReady(phases, member);
    }
  }
  if (!rank) return std::nullopt;
  opinion.cut_on_failover = policy.on_failover == OnFailover::kCut;
  opinion.displaced = policy.on_failback != OnFailback::kKeep &&
                      choosing.serving && *choosing.serving < *rank;
  if (policy.on_failback == OnFailback::kDrain) {
    opinion.drain = policy.drain_deadline;
  }
  return opinion;
}

// What all that could have given a connection to `uplink` agree on.
Failover::Opinion Failover::ConsensusOn(const std::string& uplink,
                                        const Spec& spec,
                                        const Choosings& choosings,
                                        const UplinkPhases& phases) {
  Opinion all{.replaceable = true, .cut_on_failover = true, .displaced = true};
  bool member = false;
  for (const Policy* policy : AllPolicies(spec)) {
    const std::optional<Opinion> one =
        OpinionOf(*policy, choosings.at(policy->name), uplink, phases);
    if (!one) continue;
    member = true;
    all.replaceable &= one->replaceable;
    all.cut_on_failover &= one->cut_on_failover;
    all.displaced &= one->displaced;
    all.drain = std::max(all.drain, one->drain);
  }
  if (!member) {
    all.replaceable = std::ranges::any_of(phases, [&](const auto& other) {
      return other.first != uplink && IsReady(phases, other.first);
    });
  }
  if (!member || IsNamed(spec, uplink)) {
    all.cut_on_failover = all.displaced = false;
  }
  return all;
}

Failover::Standings Failover::StandingsOf(
    const Spec& spec, const std::vector<UplinkState>& uplinks,
    const Choosings& choosings) {
  const UplinkPhases phases = PhasesOf(uplinks);
  Standings standings;
  for (const UplinkState& uplink : uplinks) {
    standings[uplink.name] = {
        uplink.mark, uplink.phase,
        ConsensusOn(uplink.name, spec, choosings, phases)};
  }
  return standings;
}

std::vector<std::string> Failover::PassEnded(
    const Spec& spec, const std::vector<UplinkState>& uplinks, Time now) {
  Choosings choosings = ChoosingsOf(spec, PhasesOf(uplinks));
  Standings standings = StandingsOf(spec, uplinks, choosings);
  std::vector<std::string> lost = NoteLosses(standings, now);
  NoteRemovals(standings, spec.mark_mask, now);
  NoteFailbacks(choosings, standings, now);
  standings_ = std::move(standings);
  choosings_ = std::move(choosings);
  std::erase_if(owed_, [this](const auto& entry) {
    return !Holds(entry.first, entry.second);
  });
  std::erase_if(retries_, [this](const auto& retry) {
    return std::ranges::none_of(owed_, [&](const auto& owed) {
      return owed.second.uplink == retry.first;
    });
  });
  return lost;
}

std::vector<std::string> Failover::NoteLosses(const Standings& standings,
                                              Time now) {
  std::vector<std::string> lost;
  for (const auto& [uplink, standing] : standings) {
    const auto before = standings_.find(uplink);
    // Under another mark it is not the same one, even if its name is.
    if (before == standings_.end() || before->second.mark != standing.mark ||
        !CarriesConnections(before->second.phase) ||
        CarriesConnections(standing.phase)) {
      continue;
    }
    const bool disabled = standing.phase == UplinkPhase::kDisabled;
    const CutReason reason =
        disabled ? CutReason::kDisabled : CutReason::kFailover;
    owed_[standing.mark] = {uplink, reason, now, false};
    if (!disabled) lost.push_back(uplink);
  }
  return lost;
}

// Those that no uplink of the spec will ever carry again. Under another mask
// the bits may mean something else to somebody else.
void Failover::NoteRemovals(const Standings& standings, std::uint32_t mask,
                            Time now) {
  for (const auto& [uplink, before] : standings_) {
    const Mark mark = before.mark;
    const bool had_some =
        CarriesConnections(before.phase) || owed_.contains(mark);
    const bool taken = StandingOf(mark, standings) != nullptr;
    if (!had_some || taken || mark.mask != mask) continue;
    owed_[mark] = {uplink, CutReason::kRemoved, now, false};
  }
}

void Failover::NoteFailbacks(const Choosings& choosings,
                             const Standings& standings, Time now) {
  for (const auto& [policy, choosing] : choosings) {
    const auto before = choosings_.find(policy);
    // A spec that moved the tiers is no failback.
    if (before == choosings_.end() || before->second.ranks != choosing.ranks ||
        !choosing.serving || !before->second.serving ||
        *choosing.serving >= *before->second.serving) {
      continue;
    }
    for (std::size_t i = *choosing.serving + 1; i < choosing.ranks.size();
         ++i) {
      for (const std::string& uplink : choosing.ranks[i]) {
        const auto standing = standings.find(uplink);
        if (standing == standings.end() ||
            !MayCut(standing->second, CutReason::kFailback)) {
          continue;
        }
        // A drain that runs is not prolonged.
        owed_.try_emplace(standing->second.mark,
                          Owed{uplink, CutReason::kFailback,
                               now + standing->second.word.drain, false});
      }
    }
  }
}

bool Failover::MayCut(const Standing& standing, CutReason reason) {
  const bool carries = CarriesConnections(standing.phase);
  switch (reason) {
    case CutReason::kFailover:
    case CutReason::kDisabled:
      return !carries && standing.word.replaceable &&
             standing.word.cut_on_failover;
    case CutReason::kRemoved: return false;  // it is in the spec
    case CutReason::kFailback: return carries && standing.word.displaced;
    // Not before it stopped to get new ones.
    case CutReason::kDrain:
      return standing.phase != UplinkPhase::kReady && standing.word.replaceable;
  }
  return false;
}

const Failover::Standing* Failover::StandingOf(Mark mark,
                                               const Standings& standings) {
  const auto found = std::ranges::find_if(standings, [mark](const auto& entry) {
    return entry.second.mark == mark;
  });
  return found == standings.end() ? nullptr : &found->second;
}

// Whether the reason of a cut that is owed is still there. A cut after a loss
// may have to wait for another uplink.
bool Failover::Holds(Mark mark, const Owed& owed) const {
  const Standing* standing = StandingOf(mark, standings_);
  if (owed.reason == CutReason::kRemoved) return standing == nullptr;
  if (standing == nullptr) return false;
  if (IsLoss(owed.reason)) return !CarriesConnections(standing->phase);
  return MayCut(*standing, owed.reason);
}

bool Failover::MayCut(Mark mark, const Owed& owed) const {
  if (owed.reason != CutReason::kRemoved) {
    return MayCut(*StandingOf(mark, standings_), owed.reason);
  }
  return std::ranges::any_of(standings_, [](const auto& entry) {
    return entry.second.phase == UplinkPhase::kReady;
  });
}

bool Failover::MayTry(const std::string& uplink, Time now) const {
  const auto retry = retries_.find(uplink);
  return retry == retries_.end() || retry->second.at <= now;
}

std::vector<Cut> Failover::Due(const Deadlines& deadlines, Time now) const {
  std::map<Mark, Cut> due;
  for (const auto& [uplink, deadline] : deadlines) {
    const auto standing = standings_.find(uplink);
    if (deadline > now || standing == standings_.end() ||
        !MayCut(standing->second, CutReason::kDrain)) {
      continue;
    }
    const Mark mark = standing->second.mark;
    due[mark] = {uplink, mark, CutReason::kDrain, false};
  }
  for (const auto& [mark, owed] : owed_) {
    if (owed.due > now || !MayCut(mark, owed)) continue;
    due[mark] = {owed.uplink, mark, owed.reason, owed.stragglers};
  }
  std::vector<Cut> cuts;
  for (auto& [mark, cut] : due) {
    if (MayTry(cut.uplink, now)) cuts.push_back(std::move(cut));
  }
  std::ranges::sort(cuts);
  return cuts;
}

void Failover::Done(const Cut& cut, Time now) {
  retries_.erase(cut.uplink);
  const auto owed = owed_.find(cut.mark);
  if (owed == owed_.end() || owed->second.reason != cut.reason) return;
  // Only after a loss is whoever has the mark sure to have raced: an uplink
  // that still carries connections may have got others since.
  if (IsLoss(cut.reason) && !cut.stragglers) {
    owed->second.stragglers = true;
    owed->second.due = now + kStragglers;
  } else {
    owed_.erase(owed);
  }
}

void Failover::Failed(const Cut& cut, Time now) {
  Retry& retry = retries_[cut.uplink];
  retry.wait = std::clamp<Time>(2 * retry.wait, kFirstRetry, kLastRetry);
  retry.at = now + retry.wait;
}

Failover::Deadlines Failover::FailbackDrains() const {
  Deadlines drains;
  for (const auto& [mark, owed] : owed_) {
    if (owed.reason == CutReason::kFailback) drains[owed.uplink] = owed.due;
  }
  return drains;
}

}  // namespace uplinkd
