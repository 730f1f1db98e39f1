#include "reconciler/compile_policy.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "reconciler/sharers.h"

namespace uplinkd {
namespace {

constexpr std::uint64_t kBitsPerByte = 8;

std::uint64_t MeasuredCapacity(const Policy& policy, const Uplink& uplink) {
  return CapacityIn(uplink.capacity, policy.measure) / kBitsPerByte;
}

std::uint64_t MemberWeight(const Policy& policy, const PolicyMember& member,
                           const Uplink& uplink) {
  if (policy.algorithm == Algorithm::kLeastLoaded) {
    return std::max<std::uint64_t>(1, MeasuredCapacity(policy, uplink));
  }
  if (member.weight) return *member.weight;
  return WeightOf(uplink, policy.measure);
}

// In the order of the tier. Degraded ones only if there are no others.
std::vector<Candidate> ReadyIn(const Policy& policy, const Tier& tier,
                               const std::vector<ResolvedUplink>& uplinks) {
  std::vector<Candidate> ready;
  for (const PolicyMember& member : tier) {
    const auto found = std::ranges::find(
        uplinks, member.uplink,
        [](const ResolvedUplink& u) { return u.uplink.name; });
    if (found == uplinks.end() || !found->Ready()) continue;
    ready.push_back({&*found, MemberWeight(policy, member, found->uplink)});
  }
  const auto degraded = [](const Candidate& candidate) {
    return candidate.uplink->Degraded();
  };
  if (!std::ranges::all_of(ready, degraded)) std::erase_if(ready, degraded);
  return ready;
}

UplinkId IdOf(const Candidate& candidate) {
  return candidate.uplink->uplink.id;
}

const std::string& NameOf(const Candidate& candidate) {
  return candidate.uplink->uplink.name;
}

// Those of the first tier that has any, in the policy's order. Without tiers
// there is no order but that of the ids.
std::vector<Candidate> ServingIn(const Spec& spec, const Policy& policy,
                                 const std::vector<ResolvedUplink>& uplinks) {
  for (const Tier& tier : TiersOf(spec, policy)) {
    std::vector<Candidate> ready = ReadyIn(policy, tier, uplinks);
    if (ready.empty()) continue;
    if (policy.tiers.empty()) std::ranges::sort(ready, {}, IdOf);
    return ready;
  }
  return {};
}

// All members, in the same order.
std::vector<std::string> MembersOf(const Policy& policy,
                                   const std::vector<ResolvedUplink>& uplinks) {
  std::vector<std::string> members;
  if (policy.tiers.empty()) {
    for (const ResolvedUplink& resolved : uplinks) {
      members.push_back(resolved.uplink.name);
    }
  }
  for (const Tier& tier : policy.tiers) {
    for (const PolicyMember& member : tier) members.push_back(member.uplink);
  }
  return members;
}

CountedChoice CountedOf(const std::vector<Candidate>& candidates) {
  CountedChoice choice;
  for (const Candidate& candidate : candidates) {
    choice.push_back({.uplink = candidate.uplink->uplink.name,
                      .weight = candidate.weight,
                      .share = candidate.weight});
  }
  return choice;
}

void LevelOut(const Loads& loads, std::vector<Candidate>& candidates) {
  const CountedChoice choice = WithShares(CountedOf(candidates), loads);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].weight = choice[i].share;
  }
}

// The first is filled first; what the others get depends on the traffic.
void FillFirst(std::vector<Candidate>& candidates) {
  for (Candidate& candidate : candidates) candidate.weight = 0;
  candidates.front().weight = 1;
}

// The first in the ranking of the policy; those that are not in it come last.
void KeepLeader(const Policy& policy, const Rankings& rankings,
                std::vector<Candidate>& candidates) {
  const auto found = rankings.find(policy.name);
  if (found != rankings.end()) {
    const Ranking& ranking = found->second;
    std::ranges::stable_sort(
        candidates, {}, [&ranking](const Candidate& candidate) {
          return std::ranges::find(ranking, NameOf(candidate)) -
                 ranking.begin();
        });
  }
  candidates.resize(1);
}

// All that could be chosen keep their clients, also those that the algorithm
// passes over at the moment.
std::optional<ClientMemory> MemoryOf(
    const Spec& spec, const Policy& policy,
    const std::vector<ResolvedUplink>& uplinks) {
  if (policy.affinity.by == AffinityKey::kNone) return std::nullopt;
  ClientMemory memory;
  for (const Candidate& candidate : ServingIn(spec, policy, uplinks)) {
    memory.uplinks.push_back(IdOf(candidate));
  }
  std::ranges::sort(memory.uplinks);
  memory.by_destination = policy.affinity.by == AffinityKey::kSourceDestination;
  memory.lifetime =
      std::chrono::floor<std::chrono::seconds>(policy.affinity.lifetime);
  return memory;
}

std::uint64_t ComparedRate(const Policy& policy, const Uplink& uplink) {
  const std::uint64_t capacity = MeasuredCapacity(policy, uplink);
  if (policy.algorithm != Algorithm::kOverflow) return capacity;
  constexpr std::uint64_t kPercent = 100;
  return std::max<std::uint64_t>(1, capacity * policy.threshold / kPercent);
}

void AddEstimators(const Spec& spec, const Policy& policy,
                   const std::vector<ResolvedUplink>& uplinks,
                   std::set<RateEstimator>& all) {
  if (!Measures(policy.algorithm)) return;
  std::set<std::string> members;
  for (const Tier& tier : TiersOf(spec, policy)) {
    for (const PolicyMember& member : tier) members.insert(member.uplink);
  }
  for (const ResolvedUplink& resolved : uplinks) {
    const Uplink& uplink = resolved.uplink;
    const bool disabled = resolved.phase == UplinkPhase::kDisabled;
    if (!members.contains(uplink.name) || disabled) continue;
    RateEstimator estimator{uplink.id, uplink.interface, policy.measure,
                            policy.estimator};
    // Both families of an uplink count into one estimator.
    if (SharesInterface(spec, uplink)) estimator.fate = MarkOf(spec, uplink.id);
    all.insert(std::move(estimator));
  }
}

}  // namespace

std::vector<Candidate> CandidatesOf(const Spec& spec, const Policy& policy,
                                    const std::vector<ResolvedUplink>& uplinks,
                                    const Facts& facts) {
  std::vector<Candidate> ready = ServingIn(spec, policy, uplinks);
  if (ready.empty()) return ready;
  switch (policy.algorithm) {
    case Algorithm::kFailover: ready.resize(1); return ready;
    case Algorithm::kOverflow: FillFirst(ready); return ready;
    case Algorithm::kLowestLatency:
      KeepLeader(policy, facts.rankings, ready);
      return ready;
    default: break;
  }
  std::ranges::sort(ready, {}, IdOf);
  if (policy.algorithm == Algorithm::kLeastConnections) {
    LevelOut(facts.loads, ready);
  }
  return ready;
}

Choice CompileChoice(const Spec& spec, const Policy& policy,
                     const std::vector<ResolvedUplink>& uplinks,
                     const Facts& facts) {
  Choice choice;
  choice.algorithm = policy.algorithm;
  choice.last_resort = policy.last_resort;
  const bool measures = Measures(policy.algorithm);
  if (measures) {
    choice.measure = policy.measure;
    choice.estimator = policy.estimator;
  }
  for (const Candidate& candidate :
       CandidatesOf(spec, policy, uplinks, facts)) {
    const Uplink& uplink = candidate.uplink->uplink;
    Member member;
    member.id = uplink.id;
    member.fate = MarkOf(spec, uplink.id);
    member.weight = candidate.weight;
    if (measures) member.capacity = ComparedRate(policy, uplink);
    choice.members.push_back(member);
  }
  choice.memory = MemoryOf(spec, policy, uplinks);
  return choice;
}

std::map<std::string, CountedChoice> CompileCounted(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks,
    const Loads& loads) {
  std::map<std::string, CountedChoice> counted;
  const auto add = [&](const Policy& policy) {
    if (policy.algorithm != Algorithm::kLeastConnections) return;
    counted[policy.name] =
        WithShares(CountedOf(CandidatesOf(spec, policy, uplinks, {})), loads);
  };
  add(spec.balance);
  for (const Policy& policy : spec.policies) add(policy);
  return counted;
}

RankedChoices CompileRanked(const Spec& spec,
                            const std::vector<ResolvedUplink>& uplinks,
                            const Rankings& rankings) {
  RankedChoices ranked;
  for (const Policy* policy : AllPolicies(spec)) {
    if (policy->algorithm != Algorithm::kLowestLatency) continue;
    RankedChoice& choice = ranked[policy->name];
    choice.members = MembersOf(*policy, uplinks);
    std::vector<Candidate> serving = ServingIn(spec, *policy, uplinks);
    if (serving.empty()) continue;
    for (const Candidate& candidate : serving) {
      choice.serving.push_back(NameOf(candidate));
    }
    KeepLeader(*policy, rankings, serving);
    choice.leader = NameOf(serving.front());
  }
  return ranked;
}

std::vector<RateEstimator> CompileEstimators(
    const Spec& spec, const std::vector<ResolvedUplink>& uplinks) {
  std::set<RateEstimator> all;
  AddEstimators(spec, spec.balance, uplinks, all);
  for (const Policy& policy : spec.policies) {
    AddEstimators(spec, policy, uplinks, all);
  }
  return {all.begin(), all.end()};
}

}  // namespace uplinkd
