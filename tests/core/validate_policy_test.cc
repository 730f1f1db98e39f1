// What breaks a policy.
#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using testing::Case;
using testing::CaseName;
using testing::Faults;
using ::testing::IsEmpty;
using testing::TwoUplinkSpec;

class ValidatePolicy : public testing::ValidateCase {};

TEST_P(ValidatePolicy, SaysWhatIsWrong) {
  Check();
}

Policy Voice() {
  Policy voice;
  voice.name = "voice";
  return voice;
}

// A policy with this done to it makes a spec bad.
std::function<void(Spec&)> WithPolicy(std::function<void(Policy&)> spoil) {
  return [spoil = std::move(spoil)](Spec& spec) {
    spec.policies = {Voice()};
    spoil(spec.policies[0]);
  };
}

INSTANTIATE_TEST_SUITE_P(
    Policies, ValidatePolicy,
    ::testing::Values(
        Case{"NoName", WithPolicy([](Policy& p) { p.name = ""; }),
             "spec.policies[0].name: every policy needs a name"},
        Case{"LongName", WithPolicy([](Policy& p) { p.name.assign(16, 'v'); }),
             "spec.policies[0].name: is longer than 15 characters, which no "
             "chain has room for"},
        Case{"Dot", WithPolicy([](Policy& p) { p.name = "voice.2"; }),
             "spec.policies[0].name: may hold only letters, digits, '-' and "
             "'_'"},
        Case{"Digit", WithPolicy([](Policy& p) { p.name = "2voice"; }),
             "spec.policies[0].name: must begin with a letter"},
        Case{"Reserved", WithPolicy([](Policy& p) { p.name = "main"; }),
             "spec.policies[0].name: \"main\" has a meaning of its own; choose "
             "another name"},
        Case{"NameOfAnUplink", WithPolicy([](Policy& p) { p.name = "wan1"; }),
             "spec.policies[0].name: \"wan1\" is the name of an uplink; choose "
             "another one"},
        Case{"Twice",
             [](Spec& s) {
               s.policies = {Voice(), Voice()};
             },
             "spec.policies[1].name: \"voice\" is the name of "
             "spec.policies[0] already"},
        Case{"Multipath",
             WithPolicy([](Policy& p) { p.algorithm = Algorithm::kMultipath; }),
             "spec.policies[0].algorithm: multipath is for spec.balance "
             "alone; use weighted-random"},
        Case{"FailoverWithoutOrder",
             [](Spec& s) { s.balance.algorithm = Algorithm::kFailover; },
             "spec.balance.tiers: is needed for failover, which takes the "
             "first uplink that works"},
        Case{"OverflowWithoutOrder",
             [](Spec& s) { s.balance.algorithm = Algorithm::kOverflow; },
             "spec.balance.tiers: is needed for overflow, which fills one "
             "uplink after the other"},
        Case{"ThresholdZero", WithPolicy([](Policy& p) { p.threshold = 0; }),
             "spec.policies[0].threshold: 0 is not a part of the capacity in "
             "percent; use 1 to 100"},
        Case{"ThresholdTooHigh",
             WithPolicy([](Policy& p) { p.threshold = 101; }),
             "spec.policies[0].threshold: 101 is not a part of the capacity "
             "in percent; use 1 to 100"},
        Case{"WeightOfOverflow", WithPolicy([](Policy& p) {
               p.algorithm = Algorithm::kOverflow;
               p.tiers = {{{"wan1", 2}}};
             }),
             "spec.policies[0].tiers[0][0].weight: has no effect on overflow, "
             "which goes by the order"},
        Case{"WeightOfLowestLatency",
             [](Spec& s) {
               for (Uplink& uplink : s.uplinks) {
                 uplink.health.emplace().probes = {
                     ArpProbe{},
                     DnsProbe{testing::Ip("192.0.2.53"), "example.net"}};
               }
               s.balance.algorithm = Algorithm::kLowestLatency;
               s.balance.tiers = {{{"wan1", 2}}};
             },
             "spec.balance.tiers[0][0].weight: has no effect on "
             "lowest-latency, which goes by the round trips"},
        Case{"LowestLatencyWithoutHealth",
             [](Spec& s) {
               s.policies = {Voice()};
               s.policies[0].algorithm = Algorithm::kLowestLatency;
               s.policies[0].tiers = {{{"wan2", {}}}};
             },
             "spec.uplinks[1].health: is needed for lowest-latency, which "
             "compares the round trips of probes"},
        Case{"LowestLatencyOfTheLink",
             [](Spec& s) {
               s.uplinks[0].health.emplace().probes = {ArpProbe{}};
               s.balance.algorithm = Algorithm::kLowestLatency;
               s.balance.tiers = {{{"wan1", {}}}};
             },
             "spec.uplinks[0].health.probes: one of icmp, tcp, dns or http is "
             "needed for lowest-latency: an arp probe tells of the link alone"},
        Case{"CapacityForOverflow",
             [](Spec& s) {
               s.policies = {Voice()};
               s.policies[0].algorithm = Algorithm::kOverflow;
               s.policies[0].tiers = {{{"wan1", {}}, {"wan2", {}}}};
               s.policies[0].measure = Measure::kUpload;
               s.uplinks[1].capacity.upload = 0;
             },
             "spec.uplinks[1].capacity.upload: is needed for overflow, which "
             "fills a part of it"},
        Case{"AffinityOfMultipath",
             [](Spec& s) {
               s.balance.algorithm = Algorithm::kMultipath;
               s.balance.affinity.by = AffinityKey::kSource;
             },
             "spec.balance.affinity.by: has no effect on multipath, where the "
             "kernel's route chooses; use weighted-random"},
        Case{"AffinityForPartOfASecond", WithPolicy([](Policy& p) {
               p.affinity.lifetime = std::chrono::milliseconds(1500);
             }),
             "spec.policies[0].affinity.lifetime: 1500ms is not a time that "
             "the kernel can keep a client for; use whole seconds, 1s to "
             "168h"},
        Case{"AffinityForNoTime", WithPolicy([](Policy& p) {
               p.affinity.lifetime = std::chrono::milliseconds(0);
             }),
             "spec.policies[0].affinity.lifetime: 0ms is not a time that the "
             "kernel can keep a client for; use whole seconds, 1s to 168h"},
        Case{"AffinityForTooLong", WithPolicy([](Policy& p) {
               p.affinity.lifetime = std::chrono::hours(169);
             }),
             "spec.policies[0].affinity.lifetime: 608400s is not a time that "
             "the kernel can keep a client for; use whole seconds, 1s to "
             "168h"},
        Case{"EmptyTier", WithPolicy([](Policy& p) {
               p.tiers = {{{"wan1", {}}}, {}};
             }),
             "spec.policies[0].tiers[1]: names no uplink; remove it, or fill "
             "it"},
        Case{"UnknownMember", WithPolicy([](Policy& p) {
               p.tiers = {{{"lte", {}}}};
             }),
             "spec.policies[0].tiers[0][0].uplink: \"lte\" is not an uplink of "
             "this spec"},
        Case{"MemberTwice", WithPolicy([](Policy& p) {
               p.tiers = {{{"wan1", {}}}, {{"wan1", {}}}};
             }),
             "spec.policies[0].tiers[1][0].uplink: \"wan1\" is a member of "
             "this policy already"},
        Case{"MemberWithoutWeight", WithPolicy([](Policy& p) {
               p.algorithm = Algorithm::kSourceHash;
               p.tiers = {{{"wan1", 2}, {"wan2", {}}}};
             }),
             "spec.policies[0].tiers[0][1].weight: is needed since others in "
             "this tier have one"},
        Case{"MemberWeightZero", WithPolicy([](Policy& p) {
               p.algorithm = Algorithm::kSourceHash;
               p.tiers = {{{"wan1", 0}}};
             }),
             "spec.policies[0].tiers[0][0].weight: 0 is not a weight; use 1 to "
             "65535"},
        Case{"WeightOfLeastLoaded", WithPolicy([](Policy& p) {
               p.tiers = {{{"wan1", 2}}};
             }),
             "spec.policies[0].tiers[0][0].weight: has no effect on "
             "least-loaded, which goes by the capacities"},
        Case{"WeightOfFailover", WithPolicy([](Policy& p) {
               p.algorithm = Algorithm::kFailover;
               p.tiers = {{{"wan1", 2}}};
             }),
             "spec.policies[0].tiers[0][0].weight: has no effect on failover, "
             "which goes by the order"},
        Case{"Estimator", WithPolicy([](Policy& p) {
               p.estimator.interval = std::chrono::milliseconds(300);
             }),
             "spec.policies[0].estimator.interval: 300ms is not an interval "
             "of the kernel's estimators; use 250ms, 500ms, 1s, 2s, 4s or 8s"},
        Case{"CapacityOfAnotherDirection",
             [](Spec& s) {
               s.policies = {Voice()};
               s.policies[0].measure = Measure::kUpload;
               s.uplinks[1].capacity.upload = 0;
             },
             "spec.uplinks[1].capacity.upload: is needed for least-loaded, "
             "which compares the free capacities"},
        Case{"TooMany",
             [](Spec& s) {
               s.policies.assign(65, Voice());
               for (std::size_t i = 0; i < 65; ++i) {
                 s.policies[i].name += std::to_string(i);
               }
             },
             "spec.policies: 65 policies are too many; at most 64 are "
             "supported"}),
    CaseName());

TEST(Validate, AnUplinkOutsideAPolicyNeedsNoCapacityForIt) {
  Spec spec = TwoUplinkSpec();
  spec.balance.algorithm = Algorithm::kSourceHash;
  spec.uplinks[0].weight = spec.uplinks[1].weight = 1;
  spec.uplinks[1].capacity = {};
  spec.policies = {Voice()};
  spec.policies[0].tiers = {{{"wan1", {}}}};
  EXPECT_THAT(Faults(spec), IsEmpty());
}

}  // namespace
}  // namespace uplinkd
