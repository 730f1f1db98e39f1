// What breaks a traffic rule.
#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using testing::Case;
using testing::CaseName;
using testing::Net;

class ValidateTraffic : public testing::ValidateCase {};

TEST_P(ValidateTraffic, SaysWhatIsWrong) {
  Check();
}

TrafficRule Sip() {
  TrafficRule sip;
  sip.name = "sip";
  sip.match.protocol = 17;
  sip.match.destination_ports = {{5060, 5060}};
  sip.use = "wan1";
  return sip;
}

// A traffic rule with this done to it makes a spec bad.
std::function<void(Spec&)> WithRule(std::function<void(TrafficRule&)> spoil) {
  return [spoil = std::move(spoil)](Spec& spec) {
    spec.traffic = {Sip()};
    spoil(spec.traffic[0]);
  };
}

INSTANTIATE_TEST_SUITE_P(
    Traffic, ValidateTraffic,
    ::testing::Values(
        Case{"NoName", WithRule([](TrafficRule& r) { r.name = ""; }),
             "spec.traffic[0].name: every traffic rule needs a name"},
        Case{"NameTwice",
             [](Spec& s) {
               s.traffic = {Sip(), Sip()};
               s.traffic[1].match.protocol = 6;
             },
             "spec.traffic[1].name: \"sip\" is the name of spec.traffic[0] "
             "already"},
        Case{"ProtocolZero", WithRule([](TrafficRule& r) {
               r.match = {};
               r.match.protocol = 0;
             }),
             "spec.traffic[0].match.protocol: 0 is no protocol; leave the "
             "field out"},
        Case{
            "LongIpset", WithRule([](TrafficRule& r) {
              r.match.source_set.assign(32, 's');
            }),
            "spec.traffic[0].match.sourceSet: "
            "\"ssssssssssssssssssssssssssssssss\" is not the name of an ipset: "
            "1 to 31 characters without spaces"},
        Case{"IpsetWithASpace", WithRule([](TrafficRule& r) {
               r.except.destination_set = "my set";
             }),
             "spec.traffic[0].match.not.destinationSet: \"my set\" is not the "
             "name of an ipset: 1 to 31 characters without spaces"},
        Case{"PortsOfNoProtocol",
             WithRule([](TrafficRule& r) { r.match.protocol.reset(); }),
             "spec.traffic[0].match.destinationPorts: needs a protocol that "
             "has ports: tcp, udp, udplite, sctp or dccp"},
        Case{"ExceptedPortsOfNoProtocol", WithRule([](TrafficRule& r) {
               r.match = {};
               r.except.source_ports = {{1, 1}};
             }),
             "spec.traffic[0].match.not.sourcePorts: needs a protocol that "
             "has ports: tcp, udp, udplite, sctp or dccp"},
        Case{"PortsBackwards", WithRule([](TrafficRule& r) {
               r.match.destination_ports.push_back({20, 10});
             }),
             "spec.traffic[0].match.destinationPorts[1]: ends before it "
             "begins; write it as 10-20"},
        Case{"EverySource", WithRule([](TrafficRule& r) {
               r.match.source = {Prefix::Default(Family::kIpv4)};
             }),
             "spec.traffic[0].match.source[0]: 0.0.0.0/0 is every address; "
             "leave the field out"},
        Case{"Ipv6", WithRule([](TrafficRule& r) {
               r.except.destination = {Net("2001:db8::/32")};
             }),
             "spec.traffic[0].match.not.destination[0]: 2001:db8::/32 is "
             "IPv6, which no uplink of this spec carries"},
        Case{"InterfaceOfNoLan",
             WithRule([](TrafficRule& r) { r.match.interface = "lan7"; }),
             "spec.traffic[0].match.interface: \"lan7\" is not a LAN of this "
             "spec, so nothing of it comes here"},
        Case{"Dscp", WithRule([](TrafficRule& r) {
               r.match.dscp = {46, 64};
             }),
             "spec.traffic[0].match.dscp[1]: 64 is no code point; use 0 to "
             "63"},
        Case{"TooManyValues", WithRule([](TrafficRule& r) {
               r.match.source.assign(257, Net("192.0.2.0/24"));
             }),
             "spec.traffic[0].match.source: 257 values are too many; at most "
             "256 are supported, an ipset holds more"},
        Case{"OwnMarkBits", WithRule([](TrafficRule& r) {
               r.match.mark = Mark{0x1010, 0xfff0};
             }),
             "spec.traffic[0].match.mark: the bits 0xf0 are uplinkd's own "
             "(spec.marks.mask); use others, like 0x1000/0xff00"},
        Case{"OwnConnmarkBits", WithRule([](TrafficRule& r) {
               r.except.connmark = Mark{1, 0xff};
             }),
             "spec.traffic[0].match.not.connmark: the bits 0xff are "
             "uplinkd's own (spec.marks.mask); use others, like "
             "0x0/0xffffff00"},
        Case{"NoBurst", WithRule([](TrafficRule& r) {
               r.match.limit = RateLimit{10, std::chrono::seconds(1), 0};
             }),
             "spec.traffic[0].match.limit.burst: 0 cannot be counted at this "
             "rate; use 1 to 10000"},
        Case{"BurstOfDays", WithRule([](TrafficRule& r) {
               r.match.limit = RateLimit{2, std::chrono::hours(24), 3};
             }),
             "spec.traffic[0].match.limit.burst: 3 cannot be counted at this "
             "rate; use 1 to 2"},
        Case{"UidsBackwards", WithRule([](TrafficRule& r) {
               r.match.uid = {{2, 1}};
             }),
             "spec.traffic[0].match.uid[0]: ends before it begins; write it "
             "as 1-2"},
        Case{"UidExceptedAlone", WithRule([](TrafficRule& r) {
               r.except.uid = {{0, 0}};
             }),
             "spec.traffic[0].match.not.uid: is for rules that have a uid "
             "themselves: those for the router's own connections"},
        Case{"UidOfALan", WithRule([](TrafficRule& r) {
               r.match.uid = {{0, 0}};
               r.match.interface = "lan0";
             }),
             "spec.traffic[0].match.interface: cannot be known of the "
             "router's own connections, which a uid stands for; remove one "
             "of the two"},
        Case{"UnknownLocalUse", [](Spec& s) { s.local_use = "lte"; },
             "spec.local.use: \"lte\" is no policy and no uplink of this "
             "spec"},
        Case{"NoUse", WithRule([](TrafficRule& r) { r.use = ""; }),
             "spec.traffic[0].use: is needed: a policy, an uplink, balance, "
             "or main"},
        Case{"UnknownUse", WithRule([](TrafficRule& r) { r.use = "lte"; }),
             "spec.traffic[0].use: \"lte\" is no policy and no uplink of this "
             "spec"},
        Case{"FromOneFamilyToTheOther",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.traffic = {Sip()};
               s.traffic[0].match.source = {Net("fd00::/8")};
               s.traffic[0].match.destination = {Net("10.0.0.0/8")};
             },
             "spec.traffic[0].match.destination: is of another family than "
             "source; no connection goes from the one to the other"},
        Case{"UseWithoutTheFamily",
             [](Spec& s) {
               s.uplinks[0].families = UplinkFamilies::kBoth;
               s.traffic = {Sip()};
               s.traffic[0].match.source = {Net("fd00::/8")};
               s.traffic[0].use = "wan2";
             },
             "spec.traffic[0].use: \"wan2\" carries no IPv6, which this rule "
             "is about"},
        Case{"NeverReached",
             [](Spec& s) {
               s.traffic = {Sip(), Sip()};
               s.traffic[1].name = "narrower";
               s.traffic[1].match.source = {Net("192.168.10.7/32")};
             },
             "spec.traffic[1]: is never reached: spec.traffic[0] (\"sip\") "
             "takes all that it matches"}),
    CaseName());

}  // namespace
}  // namespace uplinkd
