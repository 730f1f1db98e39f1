// What an uplink carries, and what it may say of the other family.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using testing::Case;
using testing::CaseName;
using testing::Faults;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;

class ValidateFamilies : public testing::ValidateCase {};

TEST_P(ValidateFamilies, SaysWhatIsWrong) {
  Check();
}

INSTANTIATE_TEST_SUITE_P(
    All, ValidateFamilies,
    ::testing::Values(
        Case{"Address6", [](Spec& s) { s.uplinks[0].address6 = Ip("2001::1"); },
             "spec.uplinks[0].address6: is for IPv6, which this uplink does "
             "not carry; remove it, or write family: both"},
        Case{"Gateway6", [](Spec& s) { s.uplinks[0].gateway6 = Ip("fe80::1"); },
             "spec.uplinks[0].gateway6: is for IPv6, which this uplink does "
             "not carry; remove it, or write family: both"},
        Case{"Nat6", [](Spec& s) { s.uplinks[0].nat6 = Nat::kNone; },
             "spec.uplinks[0].nat6: is for IPv6, which this uplink does not "
             "carry; remove it, or write family: both"},
        Case{"NatPrefix", [](Spec& s) { s.uplinks[0].nat = Nat::kPrefix; },
             "spec.uplinks[0].nat: prefix is for IPv6, as nat6; use snat or "
             "masquerade"},
        Case{"AddressWithoutIpv4",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kIpv6;
               s.uplinks[0].address = Ip("198.51.100.2");
             },
             "spec.uplinks[0].address: is for IPv4, which this uplink does "
             "not carry; remove it, or write family: both"},
        Case{"NatWithoutIpv4",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kIpv6;
               s.uplinks[0].nat = Nat::kNone;
             },
             "spec.uplinks[0].nat: is for IPv4, which this uplink does not "
             "carry; remove it, or write family: both"},
        Case{"HealthWithoutIpv4",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kIpv6;
               s.uplinks[0].health.emplace().probes = {ArpProbe{}};
             },
             "spec.uplinks[0].health.probes[0].arp: asks by IPv4, which this "
             "uplink does not carry; use icmp, tcp, dns or http with a target "
             "of IPv6"},
        Case{"OnePrefixInterfaceForTwo",
             [](Spec& s) {
               for (Uplink& uplink : s.uplinks) {
                 uplink.families = UplinkFamilies::kBoth;
                 uplink.nat6 = Nat::kPrefix;
                 uplink.prefix6_interface = "pd1";
               }
             },
             "spec.uplinks[1].prefix6Interface: \"pd1\" is where the prefix "
             "of uplink \"wan1\" is learned; each provider delegates another "
             "one"},
        Case{"LinkLocalAddress",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].address6 = Ip("fe80::2");
             },
             "spec.uplinks[0].address6: fe80::2 is in fe80::/10, link-local"},
        Case{"Ipv4AsAddress6",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].address6 = Ip("198.51.100.2");
             },
             "spec.uplinks[0].address6: 198.51.100.2 is IPv4; something of "
             "IPv6 is needed here"},
        Case{"PrefixWithoutNat",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].prefix6 = Net("2001:db8::/56");
             },
             "spec.uplinks[0].prefix6: means something with nat6: prefix "
             "alone"},
        Case{"PrefixOfMulticast",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].nat6 = Nat::kPrefix;
               s.uplinks[0].prefix6 = Net("ff02::/16");
             },
             "spec.uplinks[0].prefix6: ff02::/16 is in ff00::/8, multicast"},
        Case{"PrefixesOverlap",
             [](Spec& s) {
               for (Uplink& uplink : s.uplinks) {
                 uplink.families = UplinkFamilies::kBoth;
                 uplink.nat6 = Nat::kPrefix;
               }
               s.uplinks[0].prefix6 = Net("2001:db8::/48");
               s.uplinks[1].prefix6 = Net("2001:db8:0:7::/64");
             },
             "spec.uplinks[1].prefix6: 2001:db8:0:7::/64 overlaps "
             "2001:db8::/48 of uplink \"wan1\""},
        Case{"PrefixTwice",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].nat6 = Nat::kPrefix;
               s.uplinks[0].prefix6 = Net("2001:db8::/48");
               s.uplinks[0].prefix6_interface = "pd0";
             },
             "spec.uplinks[0].prefix6Interface: says where to learn what "
             "prefix6 says; remove one of the two"},
        Case{"PrefixInterface",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.uplinks[0].prefix6_interface = "pd0";
             },
             "spec.uplinks[0].prefix6Interface: means something with nat6: "
             "prefix alone"},
        Case{"LanOfIpv4Alone",
             [](Spec& s) {
               for (Uplink& uplink : s.uplinks) {
                 uplink.families = UplinkFamilies::kIpv6;
               }
             },
             "spec.lans[0].networks[0]: 192.168.10.0/24 is IPv4, which no "
             "uplink of this spec carries"}),
    CaseName());

TEST(ValidateFamilies, TakesWhatIsRight) {
  Spec spec = testing::TwoUplinkSpec();
  spec.lans[0].networks.push_back(Net("fd00:10::/64"));
  spec.uplinks[0].families = UplinkFamilies::kBoth;
  spec.uplinks[0].gateway6 = Ip("fe80::1");
  spec.uplinks[0].address6 = Ip("2001:db8:1::2");
  spec.uplinks[0].nat6 = Nat::kPrefix;
  spec.uplinks[0].prefix6 = Net("2001:db8:a1::/56");
  spec.uplinks[1].families = UplinkFamilies::kIpv6;
  EXPECT_THAT(Faults(spec), IsEmpty());
}

}  // namespace
}  // namespace uplinkd
