#include "proto/convert.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "proto/convert_health.h"
#include "proto/convert_traffic.h"
#include "proto/convert_values.h"
#include "proto/field_order.h"
#include "reconciler/names.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;

// What an enum value of the message stands for. Unspecified is not listed: it
// means the default.
constexpr std::pair<v1::Nat, Nat> kNats[] = {
    {v1::NAT_SNAT, Nat::kSnat},
    {v1::NAT_MASQUERADE, Nat::kMasquerade},
    {v1::NAT_NONE, Nat::kNone},
    {v1::NAT_PREFIX, Nat::kPrefix},
};
constexpr std::pair<v1::Family, UplinkFamilies> kFamilies[] = {
    {v1::FAMILY_IPV4, UplinkFamilies::kIpv4},
    {v1::FAMILY_IPV6, UplinkFamilies::kIpv6},
    {v1::FAMILY_BOTH, UplinkFamilies::kBoth},
};
constexpr std::pair<v1::Algorithm, Algorithm> kAlgorithms[] = {
    {v1::ALGORITHM_LEAST_LOADED, Algorithm::kLeastLoaded},
    {v1::ALGORITHM_WEIGHTED_RANDOM, Algorithm::kWeightedRandom},
    {v1::ALGORITHM_ROUND_ROBIN, Algorithm::kRoundRobin},
    {v1::ALGORITHM_SOURCE_HASH, Algorithm::kSourceHash},
    {v1::ALGORITHM_MULTIPATH, Algorithm::kMultipath},
    {v1::ALGORITHM_FAILOVER, Algorithm::kFailover},
    {v1::ALGORITHM_LEAST_CONNECTIONS, Algorithm::kLeastConnections},
    {v1::ALGORITHM_OVERFLOW, Algorithm::kOverflow},
    {v1::ALGORITHM_LOWEST_LATENCY, Algorithm::kLowestLatency},
};
constexpr std::pair<v1::Measure, Measure> kMeasures[] = {
    {v1::MEASURE_DOWNLOAD, Measure::kDownload},
    {v1::MEASURE_UPLOAD, Measure::kUpload},
    {v1::MEASURE_BOTH, Measure::kBoth},
};

constexpr std::pair<v1::LastResort, LastResort> kLastResorts[] = {
    {v1::LAST_RESORT_UNREACHABLE, LastResort::kUnreachable},
    {v1::LAST_RESORT_BLACKHOLE, LastResort::kBlackhole},
    {v1::LAST_RESORT_MAIN, LastResort::kMain},
};

constexpr std::pair<v1::UplinkMode, UplinkMode> kUplinkModes[] = {
    {v1::UPLINK_MODE_ENABLED, UplinkMode::kEnabled},
    {v1::UPLINK_MODE_DRAINING, UplinkMode::kDraining},
    {v1::UPLINK_MODE_DISABLED, UplinkMode::kDisabled},
};
constexpr std::pair<v1::OnFailover, OnFailover> kOnFailovers[] = {
    {v1::ON_FAILOVER_CUT, OnFailover::kCut},
    {v1::ON_FAILOVER_KEEP, OnFailover::kKeep},
};
constexpr std::pair<v1::OnFailback, OnFailback> kOnFailbacks[] = {
    {v1::ON_FAILBACK_KEEP, OnFailback::kKeep},
    {v1::ON_FAILBACK_DRAIN, OnFailback::kDrain},
    {v1::ON_FAILBACK_CUT, OnFailback::kCut},
};

constexpr std::pair<v1::AffinityKey, AffinityKey> kAffinityKeys[] = {
    {v1::AFFINITY_KEY_NONE, AffinityKey::kNone},
    {v1::AFFINITY_KEY_SOURCE, AffinityKey::kSource},
    {v1::AFFINITY_KEY_SOURCE_DESTINATION, AffinityKey::kSourceDestination},
};

std::string Index(const std::string& list, int index) {
  return list + "[" + std::to_string(index) + "]";
}

// Reads a message into a Spec and collects what cannot be read.
class Reader {
 public:
  Converted Run(const v1::Router& router) {
    CheckWord("apiVersion", router.api_version(), kApiVersion);
    CheckWord("kind", router.kind(), kKind);
    Spec& spec = converted_.spec;
    spec.name = router.metadata().name();
    spec.revision = router.metadata().revision();
    const v1::RouterSpec& source = router.spec();
    for (int i = 0; i < source.lans_size(); ++i) ReadLan(source.lans(i), i);
    for (int i = 0; i < source.uplinks_size(); ++i) {
      ReadUplink(source.uplinks(i), Index("spec.uplinks", i));
    }
    ReadPolicy(source.balance(), "spec.balance", spec.balance);
    for (int i = 0; i < source.policies_size(); ++i) {
      Policy policy;
      policy.name = source.policies(i).name();
      ReadPolicy(source.policies(i), Index("spec.policies", i), policy);
      spec.policies.push_back(std::move(policy));
    }
    std::vector<Violation> faults;
    for (int i = 0; i < source.traffic_size(); ++i) {
      spec.traffic.push_back(TrafficRuleFromProto(
          source.traffic(i), Index("spec.traffic", i), faults));
    }
    Report(std::move(faults));
    if (source.has_local()) spec.local_use = source.local().use();
    if (source.marks().has_mask()) spec.mark_mask = source.marks().mask();
    if (source.tables().has_base()) spec.table_base = source.tables().base();
    AddViolationsOfTheSpec();
    return std::move(converted_);
  }

 private:
  void Report(std::string field, std::string message) {
    unread_.insert(field);
    converted_.violations.push_back({std::move(field), std::move(message)});
  }

  void Report(std::vector<Violation> faults) {
    for (Violation& fault : faults) {
      Report(std::move(fault.field), std::move(fault.message));
    }
  }

  void CheckWord(const std::string& field, const std::string& word,
                 std::string_view expected) {
    if (word.empty() || word == expected) return;
    Report(field,
           "is " + Quote(word) + "; this version reads " + Quote(expected));
  }

  void ReadLan(const v1::Lan& source, int index) {
    Lan lan;
    lan.interface = source.interface();
    const std::string path = Index("spec.lans", index) + ".networks";
    for (int i = 0; i < source.networks_size(); ++i) {
      const std::string field = Index(path, i);
      std::vector<Violation> faults;
      const std::optional<Prefix> network =
          ReadNetwork(field, source.networks(i), faults);
      Report(std::move(faults));
      if (!network) continue;
      // A network that was left out shifts the ones behind it.
      paths_[Index(path, static_cast<int>(lan.networks.size()))] = field;
      lan.networks.push_back(*network);
    }
    converted_.spec.lans.push_back(std::move(lan));
  }

  std::optional<Address> AddressIn(const std::string& field,
                                   const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::vector<Violation> faults;
    std::optional<Address> address = ReadAddress(field, text, faults);
    Report(std::move(faults));
    return address;
  }

  std::optional<Prefix> NetworkIn(const std::string& field,
                                  const std::string& text) {
    if (text.empty()) return std::nullopt;
    std::vector<Violation> faults;
    std::optional<Prefix> network = ReadNetwork(field, text, faults);
    Report(std::move(faults));
    return network;
  }

  void ReadUplink(const v1::Uplink& source, const std::string& path) {
    Uplink uplink;
    uplink.name = source.name();
    uplink.interface = source.interface();
    uplink.address = AddressIn(path + ".address", source.address());
    uplink.gateway = AddressIn(path + ".gateway", source.gateway());
    uplink.id = source.id();
    uplink.capacity.download = ReadBitRate(path + ".capacity.download",
                                           source.capacity().has_download(),
                                           source.capacity().download());
    uplink.capacity.upload =
        ReadBitRate(path + ".capacity.upload", source.capacity().has_upload(),
                    source.capacity().upload());
    uplink.nat = ReadEnum(path + ".nat", kNats, source.nat(), uplink.nat);
    if (source.has_weight()) uplink.weight = source.weight();
    uplink.mode =
        ReadEnum(path + ".state", kUplinkModes, source.state(), uplink.mode);
    uplink.families =
        ReadEnum(path + ".family", kFamilies, source.family(), uplink.families);
    uplink.address6 = AddressIn(path + ".address6", source.address6());
    uplink.gateway6 = AddressIn(path + ".gateway6", source.gateway6());
    uplink.nat6 = ReadEnum(path + ".nat6", kNats, source.nat6(), uplink.nat6);
    uplink.prefix6 = NetworkIn(path + ".prefix6", source.prefix6());
    uplink.prefix6_interface = source.prefix6_interface();
    if (source.has_health()) {
      std::vector<Violation> faults;
      uplink.health =
          HealthFromProto(source.health(), path + ".health", faults);
      Report(std::move(faults));
    }
    converted_.spec.uplinks.push_back(std::move(uplink));
  }

  // 0 stands for "not known" in a Spec; an operator who writes it down means
  // something else.
  std::uint64_t ReadBitRate(const std::string& field, bool present,
                            const v1::BitRate& rate) {
    if (present && rate.bits_per_second() == 0) {
      Report(field, "0 is no capacity; leave the field out if it is not known");
    }
    return rate.bits_per_second();
  }

  template <typename Outer, typename Inner, std::size_t N>
  Inner ReadEnum(const std::string& field,
                 const std::pair<Outer, Inner> (&table)[N], Outer value,
                 Inner unspecified) {
    std::vector<Violation> faults;
    const Inner read =
        uplinkd::ReadEnum(field, table, value, unspecified, faults);
    Report(std::move(faults));
    return read;
  }

  // All but the name, from a v1::Balance or v1::Policy. What is left out there
  // stays as it is in `policy`.
  template <typename Source>
  void ReadPolicy(const Source& source, const std::string& path,
                  Policy& policy) {
    policy.algorithm = ReadEnum(path + ".algorithm", kAlgorithms,
                                source.algorithm(), policy.algorithm);
    policy.measure = ReadEnum(path + ".measure", kMeasures, source.measure(),
                              policy.measure);
    ReadEstimator(source.estimator(), path + ".estimator", policy.estimator);
    for (const v1::Tier& from : source.tiers()) {
      Tier& tier = policy.tiers.emplace_back();
      for (const v1::PolicyMember& member : from.members()) {
        tier.push_back({member.uplink(), std::nullopt});
        if (member.has_weight()) tier.back().weight = member.weight();
      }
    }
    policy.last_resort = ReadEnum(path + ".lastResort", kLastResorts,
                                  source.last_resort(), policy.last_resort);
    if (source.has_threshold()) policy.threshold = source.threshold();
    policy.on_failover = ReadEnum(path + ".onFailover", kOnFailovers,
                                  source.on_failover(), policy.on_failover);
    policy.on_failback = ReadEnum(path + ".onFailback", kOnFailbacks,
                                  source.on_failback(), policy.on_failback);
    if (source.has_drain_deadline()) {
      policy.drain_deadline =
          ReadDuration(path + ".drainDeadline", source.drain_deadline(),
                       policy.drain_deadline);
    }
    ReadAffinity(source.affinity(), path + ".affinity", policy.affinity);
  }

  void ReadAffinity(const v1::Affinity& from, const std::string& path,
                    Affinity& to) {
    to.by = ReadEnum(path + ".by", kAffinityKeys, from.by(), to.by);
    if (from.has_lifetime()) {
      to.lifetime =
          ReadDuration(path + ".lifetime", from.lifetime(), to.lifetime);
    }
  }

  void ReadEstimator(const v1::Estimator& from, const std::string& path,
                     Estimator& to) {
    if (from.has_interval()) {
      to.interval =
          ReadDuration(path + ".interval", from.interval(), to.interval);
    }
    if (from.has_window()) {
      to.window = ReadDuration(path + ".window", from.window(), to.window);
    } else {
      to.window = 2 * to.interval;
    }
  }

  std::chrono::milliseconds ReadDuration(
      const std::string& field, const google::protobuf::Duration& duration,
      std::chrono::milliseconds otherwise) {
    std::vector<Violation> faults;
    const std::chrono::milliseconds read =
        ReadMilliseconds(field, duration, otherwise, faults);
    Report(std::move(faults));
    return read;
  }

  // Adds what Validate() finds, under the message's paths, without a second
  // word about a field that could not be read.
  void AddViolationsOfTheSpec() {
    for (Violation& violation : Validate(converted_.spec)) {
      const auto path = paths_.find(violation.field);
      if (path != paths_.end()) violation.field = path->second;
      if (unread_.contains(violation.field)) continue;
      converted_.violations.push_back(std::move(violation));
    }
    std::stable_sort(converted_.violations.begin(), converted_.violations.end(),
                     [](const Violation& a, const Violation& b) {
                       return FieldOrderLess(a.field, b.field);
                     });
  }

  Converted converted_;
  std::set<std::string> unread_;  // fields with a fault of their own
  std::map<std::string, std::string> paths_;  // path in the Spec -> the message
};

void WriteLan(const Lan& lan, v1::Lan& to) {
  to.set_interface(lan.interface);
  for (const Prefix& network : lan.networks) {
    to.add_networks(network.ToString());
  }
}

void WriteUplink(const Uplink& uplink, v1::Uplink& to) {
  to.set_name(uplink.name);
  to.set_interface(uplink.interface);
  if (uplink.address) to.set_address(uplink.address->ToString());
  if (uplink.gateway) to.set_gateway(uplink.gateway->ToString());
  to.set_id(uplink.id);
  const Capacity& capacity = uplink.capacity;
  if (capacity.download != 0) {
    to.mutable_capacity()->mutable_download()->set_bits_per_second(
        capacity.download);
  }
  if (capacity.upload != 0) {
    to.mutable_capacity()->mutable_upload()->set_bits_per_second(
        capacity.upload);
  }
  if (CarriesFamily(uplink, Family::kIpv4)) {
    to.set_nat(ToProto(kNats, uplink.nat));
  }
  if (uplink.weight) to.set_weight(*uplink.weight);
  to.set_state(ToProto(kUplinkModes, uplink.mode));
  if (uplink.health) HealthToProto(*uplink.health, *to.mutable_health());
  to.set_family(ToProto(kFamilies, uplink.families));
  if (!CarriesFamily(uplink, Family::kIpv6)) return;
  if (uplink.address6) to.set_address6(uplink.address6->ToString());
  if (uplink.gateway6) to.set_gateway6(uplink.gateway6->ToString());
  to.set_nat6(ToProto(kNats, uplink.nat6));
  if (uplink.prefix6) to.set_prefix6(uplink.prefix6->ToString());
  to.set_prefix6_interface(uplink.prefix6_interface);
}

// All but the name, to a v1::Balance or v1::Policy.
template <typename Message>
void WritePolicy(const Policy& policy, Message& to) {
  to.set_algorithm(ToProto(kAlgorithms, policy.algorithm));
  to.set_measure(ToProto(kMeasures, policy.measure));
  *to.mutable_estimator()->mutable_interval() =
      TimeUtil::MillisecondsToDuration(policy.estimator.interval.count());
  *to.mutable_estimator()->mutable_window() =
      TimeUtil::MillisecondsToDuration(policy.estimator.window.count());
  for (const Tier& tier : policy.tiers) {
    v1::Tier& to_tier = *to.add_tiers();
    for (const PolicyMember& member : tier) {
      v1::PolicyMember& to_member = *to_tier.add_members();
      to_member.set_uplink(member.uplink);
      if (member.weight) to_member.set_weight(*member.weight);
    }
  }
  to.set_last_resort(ToProto(kLastResorts, policy.last_resort));
  to.set_threshold(policy.threshold);
  to.set_on_failover(ToProto(kOnFailovers, policy.on_failover));
  to.set_on_failback(ToProto(kOnFailbacks, policy.on_failback));
  *to.mutable_drain_deadline() =
      TimeUtil::MillisecondsToDuration(policy.drain_deadline.count());
  to.mutable_affinity()->set_by(ToProto(kAffinityKeys, policy.affinity.by));
  *to.mutable_affinity()->mutable_lifetime() =
      TimeUtil::MillisecondsToDuration(policy.affinity.lifetime.count());
}

}  // namespace

Converted SpecFromProto(const v1::Router& router) {
  return Reader().Run(router);
}

v1::Router SpecToProto(const Spec& spec) {
  v1::Router router;
  router.set_api_version(std::string(kApiVersion));
  router.set_kind(std::string(kKind));
  router.mutable_metadata()->set_name(spec.name);
  router.mutable_metadata()->set_revision(spec.revision);
  v1::RouterSpec& to = *router.mutable_spec();
  for (const Lan& lan : spec.lans) WriteLan(lan, *to.add_lans());
  for (const Uplink& uplink : spec.uplinks) {
    WriteUplink(uplink, *to.add_uplinks());
  }
  WritePolicy(spec.balance, *to.mutable_balance());
  for (const Policy& policy : spec.policies) {
    v1::Policy& to_policy = *to.add_policies();
    to_policy.set_name(policy.name);
    WritePolicy(policy, to_policy);
  }
  for (const TrafficRule& rule : spec.traffic) {
    TrafficRuleToProto(rule, *to.add_traffic());
  }
  to.mutable_local()->set_use(spec.local_use);
  to.mutable_marks()->set_mask(spec.mark_mask);
  to.mutable_tables()->set_base(spec.table_base);
  return router;
}

}  // namespace uplinkd
