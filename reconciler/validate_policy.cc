#include "reconciler/validate_policy.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>

#include "reconciler/latency.h"
#include "reconciler/names.h"
#include "reconciler/sharers.h"

namespace uplinkd {
namespace {

// The rateest match counts bytes per second in 32 bits (xt_rateest.h).
constexpr std::uint64_t kMaxMeasuredCapacity =
    8ULL * std::numeric_limits<std::uint32_t>::max();
constexpr int kMaxEwmaLog = 30;  // xt_RATEEST_tg_checkentry()

std::string Milliseconds(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count != 0 && count % 1000 == 0)
    return std::to_string(count / 1000) + "s";
  return std::to_string(count) + "ms";
}

bool SharesInAFamily(const Spec& spec, const Uplink& uplink) {
  return SharesInterface(spec, uplink, Family::kIpv4) ||
         SharesInterface(spec, uplink, Family::kIpv6);
}

const Uplink* FindUplink(const Spec& spec, const std::string& name) {
  const auto found = std::ranges::find(spec.uplinks, name, &Uplink::name);
  return found == spec.uplinks.end() ? nullptr : &*found;
}

bool HasMember(const Tier& tier, const std::string& uplink) {
  return std::ranges::find(tier, uplink, &PolicyMember::uplink) != tier.end();
}

bool HasMember(const Spec& spec, const Policy& policy,
               const std::string& uplink) {
  const std::vector<Tier> tiers = TiersOf(spec, policy);
  return std::ranges::any_of(
      tiers, [&](const Tier& tier) { return HasMember(tier, uplink); });
}

bool LooksAt(Measure measure, std::uint64_t Capacity::*direction) {
  return measure == Measure::kBoth ||
         (measure == Measure::kDownload) == (direction == &Capacity::download);
}

// Whether the capacities of this tier are its weights: there are some, and
// nothing else says how to weigh.
bool WeighsByCapacity(const Spec& spec, const Policy& policy,
                      const Tier& tier) {
  bool any_capacity = false;
  for (const PolicyMember& member : tier) {
    const Uplink* uplink = FindUplink(spec, member.uplink);
    if (uplink == nullptr) continue;
    if (member.weight || uplink->weight) return false;
    if (CapacityIn(uplink->capacity, policy.measure) != 0) any_capacity = true;
  }
  return any_capacity;
}

class PolicyCheck {
 public:
  PolicyCheck(const Spec& spec, const Policy& policy, std::string path)
      : spec_(spec), policy_(policy), path_(std::move(path)) {}

  std::vector<Violation> Run() {
    CheckAlgorithm();
    CheckEstimator();
    CheckTiers();
    CheckThreshold();
    CheckDrainDeadline();
    CheckAffinity();
    return std::move(found_);
  }

 private:
  void Report(std::string field, std::string message) {
    found_.push_back({std::move(field), std::move(message)});
  }

  void CheckAlgorithm() {
    const std::string field = path_ + ".algorithm";
    if (policy_.algorithm != Algorithm::kMultipath) return;
    if (path_ != kBalancePath) {
      return Report(field,
                    "multipath is for spec.balance alone; use weighted-random");
    }
    for (const Tier& tier : TiersOf(spec_, policy_)) {
      for (const PolicyMember& member : tier) {
        const Uplink* const uplink = FindUplink(spec_, member.uplink);
        if (uplink == nullptr || !SharesInAFamily(spec_, *uplink)) continue;
        return Report(field, "multipath cannot have " + Quote(uplink->name) +
                                 " as a member: the kernel tells only that a "
                                 "connection leaves by " +
                                 Quote(uplink->interface) +
                                 ", which another uplink is on as well, not "
                                 "which gateway it chose; use weighted-random");
      }
    }
  }

  void CheckEstimator() {
    const Estimator& estimator = policy_.estimator;
    const std::string path = path_ + ".estimator";
    const auto quarters = estimator.interval.count() / 250;
    if (estimator.interval.count() % 250 != 0 || quarters < 1 ||
        quarters > 32 ||
        !std::has_single_bit(static_cast<std::uint64_t>(quarters))) {
      return Report(path + ".interval",
                    Milliseconds(estimator.interval) +
                        " is not an interval of the kernel's estimators; use "
                        "250ms, 500ms, 1s, 2s, 4s or 8s");
    }
    std::chrono::milliseconds window = estimator.interval * 2;
    for (int i = 1; i < kMaxEwmaLog && window < estimator.window; ++i) {
      window *= 2;
    }
    if (window == estimator.window) return;
    std::string better = Milliseconds(window);
    if (window / 2 > estimator.interval && window > estimator.window) {
      better = Milliseconds(window / 2) + " or " + better;
    }
    Report(path + ".window", Milliseconds(estimator.window) +
                                 " is not the interval (" +
                                 Milliseconds(estimator.interval) +
                                 ") doubled once or more; use " + better);
  }

  void CheckTiers() {
    if (policy_.algorithm == Algorithm::kFailover && policy_.tiers.empty()) {
      Report(path_ + ".tiers",
             "is needed for failover, which takes the first uplink that works");
    }
    if (policy_.algorithm == Algorithm::kOverflow && policy_.tiers.empty()) {
      Report(path_ + ".tiers",
             "is needed for overflow, which fills one uplink after the other");
    }
    for (std::size_t i = 0; i < policy_.tiers.size(); ++i) CheckTier(i);
  }

  void CheckThreshold() {
    constexpr std::uint32_t kPercent = 100;
    if (policy_.threshold >= 1 && policy_.threshold <= kPercent) return;
    Report(path_ + ".threshold",
           std::to_string(policy_.threshold) +
               " is not a part of the capacity in percent; use 1 to 100");
  }

  void CheckTier(std::size_t index) {
    const Tier& tier = policy_.tiers[index];
    const std::string path = Index(path_ + ".tiers", index);
    if (tier.empty()) Report(path, "names no uplink; remove it, or fill it");
    for (std::size_t i = 0; i < tier.size(); ++i) {
      const std::string member = Index(path, i);
      CheckMember(member + ".uplink", tier[i].uplink);
      CheckWeight(member + ".weight", tier, tier[i]);
    }
  }

  void CheckMember(const std::string& field, const std::string& uplink) {
    if (FindUplink(spec_, uplink) == nullptr) {
      return Report(field, Quote(uplink) + " is not an uplink of this spec");
    }
    if (!members_.insert(uplink).second) {
      Report(field, Quote(uplink) + " is a member of this policy already");
    }
  }

  void CheckWeight(const std::string& field, const Tier& tier,
                   const PolicyMember& member) {
    const bool any = std::ranges::any_of(
        tier, [](const PolicyMember& m) { return m.weight.has_value(); });
    if (!any) return;
    if (!member.weight) {
      return Report(field, "is needed since others in this tier have one");
    }
    if (*member.weight == 0 || *member.weight > kMaxWeight) {
      return Report(field, std::to_string(*member.weight) +
                               " is not a weight; use 1 to 65535");
    }
    if (policy_.algorithm == Algorithm::kLeastLoaded) {
      Report(field,
             "has no effect on least-loaded, which goes by the capacities");
    } else if (policy_.algorithm == Algorithm::kFailover) {
      Report(field, "has no effect on failover, which goes by the order");
    } else if (policy_.algorithm == Algorithm::kOverflow) {
      Report(field, "has no effect on overflow, which goes by the order");
    } else if (policy_.algorithm == Algorithm::kLowestLatency) {
      Report(field,
             "has no effect on lowest-latency, which goes by the round trips");
    }
  }

  void CheckDrainDeadline() {
    const std::chrono::milliseconds deadline = policy_.drain_deadline;
    if (deadline.count() > 0 && deadline <= kMaxDrainDeadline) return;
    Report(path_ + ".drainDeadline",
           Milliseconds(deadline) +
               " is not a time to wait; use 1ms to 8760h (for no time at all "
               "there is onFailback: cut)");
  }

  void CheckAffinity() {
    const Affinity& affinity = policy_.affinity;
    const std::string path = path_ + ".affinity";
    if (affinity.by != AffinityKey::kNone &&
        policy_.algorithm == Algorithm::kMultipath) {
      Report(path + ".by",
             "has no effect on multipath, where the kernel's route chooses; "
             "use weighted-random");
    }
    const std::chrono::milliseconds lifetime = affinity.lifetime;
    if (lifetime.count() > 0 && lifetime <= kMaxAffinityLifetime &&
        lifetime % std::chrono::seconds(1) == lifetime.zero()) {
      return;
    }
    Report(path + ".lifetime",
           Milliseconds(lifetime) +
               " is not a time that the kernel can keep a client for; use "
               "whole seconds, 1s to 168h");
  }

  static constexpr char kBalancePath[] = "spec.balance";

  const Spec& spec_;
  const Policy& policy_;
  std::string path_;
  std::set<std::string> members_;
  std::vector<Violation> found_;
};

// What is wrong with the name of policy `index`; "" if nothing is.
std::string NameFault(const Spec& spec, std::size_t index) {
  const std::string& name = spec.policies[index].name;
  std::string fault = PolicyNameFault(name);
  if (!fault.empty()) return fault;
  if (FindUplink(spec, name) != nullptr) {
    return Quote(name) + " is the name of an uplink; choose another one";
  }
  for (std::size_t i = 0; i < index; ++i) {
    if (spec.policies[i].name == name) {
      return Quote(name) + " is the name of " + Index("spec.policies", i) +
             " already";
    }
  }
  return "";
}

void Append(std::vector<Violation> more, std::vector<Violation>& all) {
  std::ranges::move(more, std::back_inserter(all));
}

}  // namespace

std::string Index(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

std::string WhyCapacityIsNeeded(const Spec& spec, const std::string& name,
                                std::uint64_t Capacity::*direction) {
  for (const Policy* policy : AllPolicies(spec)) {
    if (!LooksAt(policy->measure, direction)) continue;
    if (Measures(policy->algorithm)) {
      if (!HasMember(spec, *policy, name)) continue;
      return policy->algorithm == Algorithm::kLeastLoaded
                 ? "is needed for least-loaded, which compares the free "
                   "capacities"
                 : "is needed for overflow, which fills a part of it";
    }
    for (const Tier& tier : TiersOf(spec, *policy)) {
      if (HasMember(tier, name) && WeighsByCapacity(spec, *policy, tier)) {
        return "is needed since other uplinks have one and no weights are "
               "given";
      }
    }
  }
  return "";
}

std::vector<Violation> CheckRoundTrip(const Spec& spec, const Uplink& uplink,
                                      const std::string& path) {
  const bool compared =
      std::ranges::any_of(AllPolicies(spec), [&](const Policy* policy) {
        return policy->algorithm == Algorithm::kLowestLatency &&
               HasMember(spec, *policy, uplink.name);
      });
  if (!compared) return {};
  if (!uplink.health) {
    return {{path + ".health",
             "is needed for lowest-latency, which compares the round trips of "
             "probes"}};
  }
  if (uplink.health->probes.empty() ||
      std::ranges::any_of(uplink.health->probes, MeasuresRoundTrip)) {
    return {};
  }
  return {{path + ".health.probes",
           "one of icmp, tcp, dns or http is needed for lowest-latency: an arp "
           "probe tells of the link alone"}};
}

std::vector<Violation> CheckMeasurable(const Spec& spec,
                                       const std::string& name,
                                       const Capacity& capacity,
                                       const std::string& path) {
  for (const Policy* policy : AllPolicies(spec)) {
    if (!Measures(policy->algorithm) || !HasMember(spec, *policy, name) ||
        CapacityIn(capacity, policy->measure) <= kMaxMeasuredCapacity) {
      continue;
    }
    const std::string suffix = policy->measure == Measure::kDownload
                                   ? ".download"
                               : policy->measure == Measure::kUpload ? ".upload"
                                                                     : "";
    return {{path + suffix,
             "is more than 34.35 Gbit/s, the most that the kernel's rate "
             "estimator can compare; use another algorithm"}};
  }
  return {};
}

std::vector<Violation> CheckPolicies(const Spec& spec) {
  std::vector<Violation> found =
      PolicyCheck(spec, spec.balance, "spec.balance").Run();
  if (spec.policies.size() > kMaxPolicies) {
    found.push_back({"spec.policies", std::to_string(spec.policies.size()) +
                                          " policies are too many; at most " +
                                          std::to_string(kMaxPolicies) +
                                          " are supported"});
  }
  const std::size_t count = std::min(spec.policies.size(), kMaxPolicies);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = Index("spec.policies", i);
    if (std::string fault = NameFault(spec, i); !fault.empty()) {
      found.push_back({path + ".name", std::move(fault)});
    }
    Append(PolicyCheck(spec, spec.policies[i], path).Run(), found);
  }
  return found;
}

}  // namespace uplinkd
