// Every rule of the health of an uplink: what breaks it, and the words that
// come back.
#include "reconciler/validate_health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/core/builders.h"
#include "tests/core/validate_cases.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using testing::CaseName;
using ::testing::ElementsAre;
using testing::Ip;
using ::testing::IsEmpty;
using testing::TwoUplinkSpec;

// One probe of each kind, and every other field as well.
Health GoodHealth() {
  Health health;
  health.probes = {
      IcmpProbe{Ip("192.0.2.53")},
      TcpProbe{Ip("198.51.100.7"), 443},
      DnsProbe{Ip("192.0.2.53"), "example.net"},
      HttpProbe{"http://check.example/", Ip("192.0.2.80"), 204, "text"},
      HttpProbe{"http://192.0.2.80/", {}, {}, ""},
      ArpProbe{}};
  health.quorum = 2;
  health.loss = Limits<Ratio>{2000, 500};
  health.latency = Limits<std::chrono::milliseconds>{300ms, 150ms};
  return health;
}

std::vector<std::string> Faults(const Health& health) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].address = Ip("198.51.100.2");
  spec.uplinks[1].health = health;
  return testing::Faults(spec);
}

TEST(ValidateHealth, FindsNothingWrongWithGoodOnes) {
  EXPECT_THAT(Faults(GoodHealth()), IsEmpty());
  Health health;
  health.probes = {ArpProbe{}};
  EXPECT_THAT(Faults(health), IsEmpty());
  health.interval = health.timeout = 100ms;
  EXPECT_THAT(Faults(health), IsEmpty());
}

// What Validate() says comes after "spec.uplinks[1].health.".
using HealthCase = testing::Spoiled<Health>;

class ValidateEachHealth : public ::testing::TestWithParam<HealthCase> {};

TEST_P(ValidateEachHealth, SaysWhatIsWrong) {
  Health health = GoodHealth();
  GetParam().spoil(health);
  EXPECT_THAT(
      Faults(health),
      ElementsAre(std::string("spec.uplinks[1].health.") + GetParam().fault));
}

template <typename Kind>
std::function<void(Health&)> Probing(Kind probe) {
  return [probe](Health& health) { health.probes[0] = probe; };
}

INSTANTIATE_TEST_SUITE_P(
    Probes, ValidateEachHealth,
    ::testing::Values(
        HealthCase{
            "None", [](Health& h) { h.probes.clear(); },
            "probes: at least one probe is needed; without health the uplink "
            "is not probed"},
        HealthCase{"TooMany",
                   [](Health& h) {
                     for (std::uint16_t port = 1; h.probes.size() < 17;
                          ++port) {
                       h.probes.push_back(TcpProbe{Ip("192.0.2.1"), port});
                     }
                   },
                   "probes: 17 probes are too many; at most 16 are supported"},
        HealthCase{"Twice", Probing(ArpProbe{}),
                   "probes[5]: \"arp gateway\" is "
                   "spec.uplinks[1].health.probes[0] already"},
        HealthCase{
            "Ipv6", Probing(IcmpProbe{Ip("2001:db8::1")}),
            "probes[0].icmp: 2001:db8::1 is IPv6, which this uplink does not "
            "carry; ask another target, or write family: both"},
        HealthCase{"ArpForIpv6", Probing(ArpProbe{Ip("2001:db8::1")}),
                   "probes[0].arp: 2001:db8::1 is IPv6; ARP is asked for IPv4"},
        HealthCase{"Loopback", Probing(TcpProbe{Ip("127.0.0.1"), 80}),
                   "probes[0].tcp: 127.0.0.1 is in 127.0.0.0/8, the loopback "
                   "network"},
        HealthCase{
            "Own", Probing(IcmpProbe{Ip("198.51.100.2")}),
            "probes[0].icmp: 198.51.100.2 is this router's own address on "
            "uplink \"wan1\", which says nothing about a line"},
        HealthCase{"NoPort", Probing(TcpProbe{Ip("192.0.2.1"), 0}),
                   "probes[0].tcp: 0 is no port; use 1 to 65535"},
        HealthCase{"Multicast", Probing(ArpProbe{Ip("224.0.0.1")}),
                   "probes[0].arp: 224.0.0.1 is in 224.0.0.0/4, multicast"},
        HealthCase{
            "NoServer", Probing(DnsProbe{Address(), "example.net"}),
            "probes[0].dns.server: 0.0.0.0 is in 0.0.0.0/8, the unspecified "
            "network"},
        HealthCase{"NoName", Probing(DnsProbe{Ip("192.0.2.53"), ""}),
                   "probes[0].dns.name: is needed: the name to ask for"},
        HealthCase{
            "BadName", Probing(DnsProbe{Ip("192.0.2.53"), "a b"}),
            "probes[0].dns.name: \"a b\" is not a host name; write it like "
            "www.example.net"}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Http, ValidateEachHealth,
    ::testing::Values(
        HealthCase{
            "Ftp",
            Probing(HttpProbe{"ftp://a.example/", Ip("192.0.2.80"), {}, ""}),
            "probes[0].http.url: \"ftp://a.example/\" is not a URL for a "
            "probe; write it like http://check.example/path"},
        HealthCase{"NoAddress",
                   Probing(HttpProbe{"http://a.example/", {}, {}, ""}),
                   "probes[0].http.address: is needed, since probes resolve no "
                   "names: the address of \"a.example\""},
        HealthCase{
            "TwoAddresses",
            Probing(HttpProbe{"http://192.0.2.81/", Ip("192.0.2.80"), {}, ""}),
            "probes[0].http.address: is not needed: the URL has an address; "
            "leave the field out"},
        HealthCase{
            "LoopbackInTheUrl",
            Probing(HttpProbe{"http://127.0.0.1/", {}, {}, ""}),
            "probes[0].http.url: 127.0.0.1 is in 127.0.0.0/8, the loopback "
            "network"},
        HealthCase{
            "LoopbackBesideTheUrl",
            Probing(HttpProbe{"http://a.example/", Ip("127.0.0.1"), {}, ""}),
            "probes[0].http.address: 127.0.0.1 is in 127.0.0.0/8, the "
            "loopback network"},
        HealthCase{
            "Status", Probing(HttpProbe{"http://192.0.2.81/", {}, 600, ""}),
            "probes[0].http.status: 600 is no status of HTTP; use 100 to "
            "599"},
        HealthCase{"Text",
                   Probing(HttpProbe{
                       "http://192.0.2.81/", {}, {}, std::string(257, 'a')}),
                   "probes[0].http.text: is longer than 256 bytes"}),
    CaseName());

INSTANTIATE_TEST_SUITE_P(
    Numbers, ValidateEachHealth,
    ::testing::Values(
        HealthCase{"NoQuorum", [](Health& h) { h.quorum = 0; },
                   "quorum: 0 answers would always do; use 1 or more"},
        HealthCase{"LargeQuorum", [](Health& h) { h.quorum = 7; },
                   "quorum: 7 answers can never come from 6 probes"},
        HealthCase{"ShortInterval",
                   [](Health& h) {
                     h.interval = h.timeout = 99ms;
                     h.latency.reset();
                   },
                   "interval: 99ms is not between 100ms and 1h"},
        HealthCase{"LongInterval", [](Health& h) { h.interval = 1h + 1ms; },
                   "interval: 3600001ms is not between 100ms and 1h"},
        HealthCase{"ShortTimeout",
                   [](Health& h) {
                     h.timeout = 9ms;
                     h.latency.reset();
                   },
                   "timeout: 9ms is too short; use 10ms or more"},
        HealthCase{
            "LongTimeout", [](Health& h) { h.timeout = 1001ms; },
            "timeout: 1001ms is longer than the interval, 1000ms; a round "
            "must end before the next one begins"},
        HealthCase{"NoDown", [](Health& h) { h.down = 0; },
                   "down: 0 is not a number of rounds; use 1 to 1000"},
        HealthCase{"ManyUp", [](Health& h) { h.up = 1001; },
                   "up: 1001 is not a number of rounds; use 1 to 1000"},
        HealthCase{"LossOfMoreThanAll",
                   [](Health& h) { h.loss->degraded = 10001; },
                   "loss.degraded: is more than 100%"},
        HealthCase{"LossOrder", [](Health& h) { h.loss->recovered = 2000; },
                   "loss.recovered: must be less than degraded, or a value in "
                   "between would be both"},
        HealthCase{
            "LatencyOrder", [](Health& h) { h.latency->recovered = 400ms; },
            "latency.recovered: must be less than degraded, or a value in "
            "between would be both"},
        HealthCase{"LatencyBeyondTheTimeout",
                   [](Health& h) { h.latency->degraded = 751ms; },
                   "latency.degraded: 751ms is longer than the timeout, 750ms, "
                   "after which an answer counts as lost"},
        HealthCase{"NoLatency", [](Health& h) { h.latency->recovered = 0ms; },
                   "latency.recovered: 0ms is faster than any line"}),
    CaseName());

}  // namespace
}  // namespace uplinkd
