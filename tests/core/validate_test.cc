// Every rule of a spec: what breaks it, and the words that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using testing::Case;
using testing::CaseName;
using ::testing::ElementsAre;
using testing::Faults;
using testing::Ip;
using ::testing::IsEmpty;
using testing::kMegabit;
using testing::Net;
using testing::SpecWithUplinks;
using testing::TwoUplinkSpec;

TEST(Validate, FindsNothingWrongWithAGoodSpec) {
  EXPECT_THAT(Faults(TwoUplinkSpec()), IsEmpty());
  for (const std::uint32_t count : {1U, 2U, 32U}) {
    for (const Algorithm algorithm :
         {Algorithm::kLeastLoaded, Algorithm::kWeightedRandom,
          Algorithm::kRoundRobin, Algorithm::kSourceHash,
          Algorithm::kMultipath}) {
      EXPECT_THAT(Faults(SpecWithUplinks(count, algorithm)), IsEmpty());
    }
  }
}

class ValidateEach : public testing::ValidateCase {};

TEST_P(ValidateEach, SaysWhatIsWrong) {
  Check();
}

INSTANTIATE_TEST_SUITE_P(
    Names, ValidateEach,
    ::testing::Values(
        Case{"NoName", [](Spec& s) { s.uplinks[1].name = ""; },
             "spec.uplinks[1].name: every uplink needs a name"},
        Case{"Twice", [](Spec& s) { s.uplinks[1].name = "wan1"; },
             "spec.uplinks[1].name: \"wan1\" is the name of spec.uplinks[0] "
             "already"},
        Case{"TooLong",
             [](Spec& s) { s.uplinks[0].name = std::string(33, 'a'); },
             "spec.uplinks[0].name: is longer than 32 characters"},
        Case{"Space", [](Spec& s) { s.uplinks[0].name = "wan 1"; },
             "spec.uplinks[0].name: may hold only letters, digits, '-', '_' "
             "and '.'"},
        Case{"Dash", [](Spec& s) { s.uplinks[0].name = "-wan"; },
             "spec.uplinks[0].name: must begin with a letter or a digit"},
        Case{"Number", [](Spec& s) { s.uplinks[0].name = "254"; },
             "spec.uplinks[0].name: is a number, which `ip route show table` "
             "would not take for a name"},
        Case{"HexNumber", [](Spec& s) { s.uplinks[0].name = "0xfe"; },
             "spec.uplinks[0].name: is a number, which `ip route show table` "
             "would not take for a name"},
        Case{"TableMain", [](Spec& s) { s.uplinks[0].name = "main"; },
             "spec.uplinks[0].name: \"main\" has a meaning of its own; choose "
             "another name"},
        Case{"RouterName", [](Spec& s) { s.name = "a\nb"; },
             "metadata.name: may hold no line breaks or control characters"},
        Case{"Revision", [](Spec& s) { s.revision = std::string(129, 'a'); },
             "metadata.revision: is longer than 128 bytes"}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Interfaces, ValidateEach,
    ::testing::Values(
        Case{"None", [](Spec& s) { s.uplinks[0].interface = ""; },
             "spec.uplinks[0].interface: an interface is needed"},
        Case{"LanNone", [](Spec& s) { s.lans[0].interface = ""; },
             "spec.lans[0].interface: an interface is needed"},
        Case{"TooLong",
             [](Spec& s) { s.uplinks[0].interface = "abcdefghijklmnop"; },
             "spec.uplinks[0].interface: is longer than 15 characters, which "
             "no interface can be"},
        Case{"Slash", [](Spec& s) { s.uplinks[0].interface = "a/b"; },
             "spec.uplinks[0].interface: may hold no '/', ':', white space or "
             "control characters"},
        Case{"Tab", [](Spec& s) { s.lans[0].interface = "a\tb"; },
             "spec.lans[0].interface: may hold no '/', ':', white space or "
             "control characters"},
        Case{"Dot", [](Spec& s) { s.lans[0].interface = ".."; },
             "spec.lans[0].interface: is not a name for an interface"},
        Case{"Wildcard", [](Spec& s) { s.uplinks[0].interface = "ppp+"; },
             "spec.uplinks[0].interface: may not end in '+', a wildcard of "
             "iptables"},
        Case{"Loopback", [](Spec& s) { s.lans[0].interface = "lo"; },
             "spec.lans[0].interface: lo is the loopback, which carries no "
             "such traffic"},
        Case{"LanAndUplink", [](Spec& s) { s.uplinks[1].interface = "lan0"; },
             "spec.uplinks[1].interface: \"lan0\" is a LAN; it cannot be an "
             "uplink as well"},
        Case{"TwoLans",
             [](Spec& s) {
               s.lans.push_back({"lan0", {}});
             },
             "spec.lans[1].interface: \"lan0\" is a LAN already; list all its "
             "networks there"}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Addresses, ValidateEach,
    ::testing::Values(
        Case{"LanIpv6",
             [](Spec& s) { s.lans[0].networks = {Net("2001:db8::/64")}; },
             "spec.lans[0].networks[0]: 2001:db8::/64 is IPv6, which no uplink "
             "of this spec carries"},
        Case{"Ipv6", [](Spec& s) { s.uplinks[0].address = Ip("2001:db8::1"); },
             "spec.uplinks[0].address: 2001:db8::1 is IPv6; something of IPv4 "
             "is needed here"},
        Case{"Everything",
             [](Spec& s) { s.lans[0].networks.push_back(Net("0.0.0.0/0")); },
             "spec.lans[0].networks[1]: 0.0.0.0/0 is every address"},
        Case{"Loopback",
             [](Spec& s) { s.uplinks[0].gateway = Ip("127.0.0.1"); },
             "spec.uplinks[0].gateway: 127.0.0.1 is in 127.0.0.0/8, the "
             "loopback network"},
        Case{"Multicast",
             [](Spec& s) { s.uplinks[0].address = Ip("224.0.0.1"); },
             "spec.uplinks[0].address: 224.0.0.1 is in 224.0.0.0/4, "
             "multicast"},
        Case{"Unspecified",
             [](Spec& s) { s.uplinks[0].address = Ip("0.0.0.0"); },
             "spec.uplinks[0].address: 0.0.0.0 is in 0.0.0.0/8, the "
             "unspecified network"},
        Case{"Broadcast",
             [](Spec& s) { s.uplinks[0].gateway = Ip("255.255.255.255"); },
             "spec.uplinks[0].gateway: 255.255.255.255 is in 240.0.0.0/4, "
             "reserved or broadcast"},
        Case{"OverlapOfLans",
             [](Spec& s) {
               s.lans.push_back({"lan1", {Net("192.168.0.0/16")}});
             },
             "spec.lans[1].networks[0]: 192.168.0.0/16 overlaps "
             "192.168.10.0/24 of \"lan0\""},
        Case{"OverlapInALan",
             [](Spec& s) {
               s.lans[0].networks.push_back(Net("192.168.10.0/24"));
             },
             "spec.lans[0].networks[1]: 192.168.10.0/24 overlaps "
             "192.168.10.0/24 of \"lan0\""},
        Case{"AddressTwice",
             [](Spec& s) {
               s.uplinks[0].address = s.uplinks[1].address = Ip("192.0.2.2");
             },
             "spec.uplinks[1].address: 192.0.2.2 is the address of uplink "
             "\"wan1\" already"},
        Case{"GatewayIsUs",
             [](Spec& s) {
               s.uplinks[0].address = s.uplinks[0].gateway = Ip("192.0.2.2");
             },
             "spec.uplinks[0].gateway: 192.0.2.2 is this router's own address "
             "on uplink \"wan1\", not the provider's"},
        Case{"AddressInLan",
             [](Spec& s) { s.uplinks[0].address = Ip("192.168.10.7"); },
             "spec.uplinks[0].address: 192.168.10.7 is in 192.168.10.0/24, a "
             "network of LAN \"lan0\""}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Numbers, ValidateEach,
    ::testing::Values(
        Case{"IdTwice", [](Spec& s) { s.uplinks[1].id = 1; },
             "spec.uplinks[1].id: 1 is the id of uplink \"wan1\" already"},
        Case{"IdTooHigh", [](Spec& s) { s.uplinks[1].id = 255; },
             "spec.uplinks[1].id: 255 does not fit: with mask 0xff the "
             "highest id is 252"},
        Case{"MaskZero", [](Spec& s) { s.mark_mask = 0; },
             "spec.marks.mask: 0x0 leaves no bits for the marks; use 0xff"},
        Case{"MaskGaps", [](Spec& s) { s.mark_mask = 0xf0f; },
             "spec.marks.mask: 0xf0f has gaps; its bits must be one run, such "
             "as 0xff or 0xff00"},
        Case{"MaskTooSmall",
             [](Spec& s) {
               s.mark_mask = 0x10;
               s.uplinks[0].id = s.uplinks[1].id = 0;
             },
             "spec.marks.mask: 0x10 has room for 0 uplinks, not 2; use 3 bits "
             "or more, such as 0x7"},
        Case{"BaseZero", [](Spec& s) { s.table_base = 0; },
             "spec.tables.base: 0 is not a table for us; use 1 to 2147483647, "
             "but not 253, 254 or 255"},
        Case{"BaseMain", [](Spec& s) { s.table_base = 254; },
             "spec.tables.base: 254 is not a table for us; use 1 to "
             "2147483647, but not 253, 254 or 255"},
        Case{"BaseGivesMain",
             [](Spec& s) {
               s.table_base = 200;
               s.uplinks[1].id = 54;
             },
             "spec.tables.base: 200 gives id 54 the table 254, which is not "
             "for us; choose another base"},
        Case{"BaseGivesDefaultUnassigned",
             [](Spec& s) {
               s.table_base = 251;
               s.uplinks[0].id = s.uplinks[1].id = 0;
             },
             "spec.tables.base: 251 gives id 2 the table 253, which is not "
             "for us; choose another base"},
        Case{"BaseTooHigh", [](Spec& s) { s.table_base = 0x7fffffff; },
             "spec.tables.base: 2147483647 gives id 1 the table 2147483648, "
             "which is not for us; choose another base"},
        Case{"BaseWraps", [](Spec& s) { s.table_base = 0xffffffff; },
             "spec.tables.base: 4294967295 is not a table for us; use 1 to "
             "2147483647, but not 253, 254 or 255"}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Balance, ValidateEach,
    ::testing::Values(
        Case{"WeightZero",
             [](Spec& s) {
               s.uplinks[0].weight = 1;
               s.uplinks[1].weight = 0;
             },
             "spec.uplinks[1].weight: 0 would never be chosen; use 1 to "
             "65535, or remove the uplink"},
        Case{"WeightTooLarge",
             [](Spec& s) {
               s.uplinks[0].weight = 65535;
               s.uplinks[1].weight = 65536;
             },
             "spec.uplinks[1].weight: 65536 is too large; use 1 to 65535"},
        Case{"WeightMissing", [](Spec& s) { s.uplinks[1].weight = 2; },
             "spec.uplinks[0].weight: is needed since other uplinks have one; "
             "a weight and a capacity cannot be compared"},
        Case{"LeastLoadedWithoutCapacity",
             [](Spec& s) { s.uplinks[1].capacity.download = 0; },
             "spec.uplinks[1].capacity.download: is needed for least-loaded, "
             "which compares the free capacities"},
        Case{"LeastLoadedOtherDirection",
             [](Spec& s) {
               s.balance.measure = Measure::kUpload;
               s.uplinks[0].capacity.upload = 0;
             },
             "spec.uplinks[0].capacity.upload: is needed for least-loaded, "
             "which compares the free capacities"},
        Case{"LeastLoadedBothDirections",
             [](Spec& s) {
               s.balance.measure = Measure::kBoth;
               s.uplinks[0].capacity.upload = 0;
             },
             "spec.uplinks[0].capacity.upload: is needed for least-loaded, "
             "which compares the free capacities"},
        Case{"WeightsFromSomeCapacities",
             [](Spec& s) {
               s.balance.algorithm = Algorithm::kWeightedRandom;
               s.uplinks[0].capacity = {};
             },
             "spec.uplinks[0].capacity.download: is needed since other "
             "uplinks have one and no weights are given"},
        Case{"CapacityWithoutUnit",
             [](Spec& s) { s.uplinks[0].capacity.download = 40; },
             "spec.uplinks[0].capacity.download: 40 bit/s is less than any "
             "line; write a unit: kbit, mbit or gbit"},
        Case{"CapacityTooLarge",
             [](Spec& s) {
               s.uplinks[0].capacity.upload = 1'000'000'000'000'000;
             },
             "spec.uplinks[0].capacity.upload: is more than 100000 Gbit/s, "
             "the most that is supported"},
        Case{"CapacityNotMeasurable",
             [](Spec& s) { s.uplinks[0].capacity.download = 34'359'738'361; },
             "spec.uplinks[0].capacity.download: is more than 34.35 Gbit/s, "
             "the most that the kernel's rate estimator can compare; use "
             "another algorithm"},
        Case{"CapacitiesNotMeasurableTogether",
             [](Spec& s) {
               s.balance.measure = Measure::kBoth;
               s.uplinks[0].capacity = {20'000 * kMegabit, 20'000 * kMegabit};
             },
             "spec.uplinks[0].capacity: is more than 34.35 Gbit/s, the most "
             "that the kernel's rate estimator can compare; use another "
             "algorithm"}),
    CaseName());

Case EstimatorCase(const char* name, int interval, int window,
                   const char* fault) {
  return {name,
          [=](Spec& s) {
            s.balance.estimator = {std::chrono::milliseconds(interval),
                                   std::chrono::milliseconds(window)};
          },
          fault};
}

INSTANTIATE_TEST_SUITE_P(
    Estimator, ValidateEach,
    ::testing::Values(
        EstimatorCase("Interval300", 300, 600,
                      "spec.balance.estimator.interval: 300ms is not an "
                      "interval of the kernel's estimators; use 250ms, 500ms, "
                      "1s, 2s, 4s or 8s"),
        EstimatorCase("Interval750", 750, 1500,
                      "spec.balance.estimator.interval: 750ms is not an "
                      "interval of the kernel's estimators; use 250ms, 500ms, "
                      "1s, 2s, 4s or 8s"),
        EstimatorCase("Interval16s", 16000, 32000,
                      "spec.balance.estimator.interval: 16s is not an "
                      "interval of the kernel's estimators; use 250ms, 500ms, "
                      "1s, 2s, 4s or 8s"),
        EstimatorCase("Interval0", 0, 500,
                      "spec.balance.estimator.interval: 0ms is not an "
                      "interval of the kernel's estimators; use 250ms, 500ms, "
                      "1s, 2s, 4s or 8s"),
        EstimatorCase("WindowIsInterval", 1000, 1000,
                      "spec.balance.estimator.window: 1s is not the interval "
                      "(1s) doubled once or more; use 2s"),
        EstimatorCase("WindowBetween", 250, 600,
                      "spec.balance.estimator.window: 600ms is not the "
                      "interval (250ms) doubled once or more; use 500ms or "
                      "1s")),
    CaseName());

TEST(Validate, TakesEveryIntervalAndWindowOfTheKernel) {
  Spec spec = TwoUplinkSpec();
  for (std::chrono::milliseconds interval{250};
       interval <= std::chrono::seconds(8); interval *= 2) {
    std::chrono::milliseconds window = interval;
    for (int log = 1; log <= 30; ++log) {
      window *= 2;
      spec.balance.estimator = {interval, window};
      EXPECT_THAT(Faults(spec), IsEmpty()) << log;
    }
    spec.balance.estimator.window = window * 2;
    EXPECT_EQ(Faults(spec).size(), 1U);
  }
}

TEST(Validate, NeedsAnUplink) {
  Spec spec;
  EXPECT_THAT(Faults(spec),
              ElementsAre("spec.uplinks: at least one uplink is needed"));
}

TEST(Validate, RefusesMoreUplinksThanSupported) {
  Spec spec = SpecWithUplinks(33, Algorithm::kLeastLoaded);
  EXPECT_THAT(Faults(spec),
              ElementsAre("spec.uplinks: 33 uplinks are too many; at most 32 "
                          "are supported"));
}

TEST(Validate, RefusesMoreLansAndNetworksThanSupported) {
  Spec spec = TwoUplinkSpec();
  spec.lans.clear();
  for (std::uint32_t i = 0; i < 65; ++i) {
    spec.lans.push_back({"lan" + std::to_string(i), {}});
  }
  for (std::uint32_t i = 0; i < 257; ++i) {
    spec.lans[0].networks.emplace_back(Address::FromIpv4(0x0a000000 + i), 32);
  }
  EXPECT_THAT(Faults(spec),
              ElementsAre("spec.lans: 65 LANs are too many; at most 64 are "
                          "supported",
                          "spec.lans[0].networks: 257 networks are too many; "
                          "at most 256 are supported"));
}

TEST(Validate, LetsAlgorithmsWithoutMeasurementDoWithoutCapacities) {
  for (const Algorithm algorithm :
       {Algorithm::kWeightedRandom, Algorithm::kRoundRobin,
        Algorithm::kSourceHash, Algorithm::kMultipath}) {
    Spec spec = TwoUplinkSpec();
    spec.balance.algorithm = algorithm;
    for (Uplink& uplink : spec.uplinks) uplink.capacity = {};
    EXPECT_THAT(Faults(spec), IsEmpty());
    spec.uplinks[0].capacity = {50'000'000'000, 0};
    spec.uplinks[0].weight = spec.uplinks[1].weight = 3;
    EXPECT_THAT(Faults(spec), IsEmpty());
  }
}

TEST(Validate, HasRoomForAllUplinksWithTheDefaults) {
  Spec spec = SpecWithUplinks(32, Algorithm::kWeightedRandom);
  for (Uplink& uplink : spec.uplinks) uplink.id = 0;
  EXPECT_THAT(Faults(spec), IsEmpty());
  for (const Uplink& uplink : AssignIds(spec, {}).uplinks) {
    EXPECT_TRUE(IsUsableTable(TableOf(spec, uplink.id)));
  }
}

TEST(Validate, DoesNotCarryAHostileNameIntoAMessage) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].name = "a\x1b[2J" + std::string(100'000, 'x');
  spec.uplinks[1].interface = spec.uplinks[0].interface;
  for (const std::string& fault : Faults(spec)) {
    EXPECT_LT(fault.size(), 250U);
    EXPECT_EQ(fault.find('\x1b'), std::string::npos);
  }
}

TEST(Validate, FindsEverythingAtOnceInTheOrderOfTheFields) {
  Spec spec = TwoUplinkSpec();
  spec.name = "\n";
  spec.lans[0].interface = "";
  spec.lans[0].networks = {Net("::/0"), Net("127.0.0.0/8")};
  spec.uplinks[0].name = "";
  spec.uplinks[0].interface = "a b";
  spec.uplinks[0].address = Ip("::1");
  spec.uplinks[0].gateway = Ip("224.0.0.1");
  spec.uplinks[0].id = 1000;
  spec.uplinks[0].capacity.download = 0;
  spec.uplinks[0].weight = 0;
  spec.uplinks[1].weight = 100'000;
  spec.balance.estimator.window = spec.balance.estimator.interval;
  spec.table_base = 255;
  std::vector<std::string> fields;
  for (const Violation& violation : Validate(spec)) {
    fields.push_back(violation.field);
  }
  EXPECT_THAT(
      fields,
      ElementsAre("metadata.name", "spec.lans[0].interface",
                  "spec.lans[0].networks[0]", "spec.lans[0].networks[1]",
                  "spec.uplinks[0].name", "spec.uplinks[0].interface",
                  "spec.uplinks[0].address", "spec.uplinks[0].gateway",
                  "spec.uplinks[0].id", "spec.uplinks[0].capacity.download",
                  "spec.uplinks[0].weight", "spec.uplinks[1].weight",
                  "spec.balance.estimator.window", "spec.tables.base"));
}

}  // namespace
}  // namespace uplinkd
