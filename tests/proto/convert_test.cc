// The message and the Spec mean the same.
#include "proto/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "proto/field_order.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Lines(const std::vector<Violation>& violations) {
  std::vector<std::string> lines;
  lines.reserve(violations.size());
  for (const Violation& violation : violations) {
    lines.push_back(violation.field + ": " + violation.message);
  }
  return lines;
}

// Two uplinks, and only what must be given.
v1::Router Smallest() {
  v1::Router router;
  v1::RouterSpec& spec = *router.mutable_spec();
  spec.add_lans()->set_interface("lan0");
  for (const char* name : {"wan1", "wan2"}) {
    v1::Uplink& uplink = *spec.add_uplinks();
    uplink.set_name(name);
    uplink.set_interface(name);
    uplink.mutable_capacity()->mutable_download()->set_bits_per_second(
        10'000'000);
  }
  return router;
}

TEST(SpecFromProto, FillsInEveryDefault) {
  const Converted converted = SpecFromProto(Smallest());
  EXPECT_THAT(Lines(converted.violations), IsEmpty());
  const Spec& spec = converted.spec;
  EXPECT_EQ(spec.balance, DefaultBalance());
  EXPECT_EQ(spec.mark_mask, 0xffU);
  EXPECT_EQ(spec.table_base, 10U);
  ASSERT_EQ(spec.uplinks.size(), 2U);
  EXPECT_EQ(spec.uplinks[0].nat, Nat::kSnat);
  EXPECT_EQ(spec.uplinks[0].id, 0U);
  EXPECT_EQ(spec.uplinks[0].weight, std::nullopt);
  EXPECT_EQ(spec.uplinks[0].address, std::nullopt);
  EXPECT_EQ(spec.uplinks[0].capacity, (Capacity{10'000'000, 0}));
}

TEST(SpecFromProto, FillsInEveryDefaultOfHealth) {
  using namespace std::chrono_literals;
  v1::Router router = Smallest();
  EXPECT_EQ(SpecFromProto(router).spec.uplinks[0].health, std::nullopt);
  v1::Health& health =
      *router.mutable_spec()->mutable_uplinks(0)->mutable_health();
  health.add_probes()->set_arp("gateway");
  Health expected;
  expected.probes = {ArpProbe{}};
  EXPECT_EQ(SpecFromProto(router).spec.uplinks[0].health, expected);
  health.mutable_interval()->set_seconds(10);
  EXPECT_EQ(SpecFromProto(router).spec.uplinks[0].health->timeout, 1s);
  // What is written down is not the default, even if it is wrong.
  health.set_quorum(0);
  health.set_down(0);
  EXPECT_THAT(Lines(SpecFromProto(router).violations),
              ElementsAre("spec.uplinks[0].health.quorum: 0 answers would "
                          "always do; use 1 or more",
                          "spec.uplinks[0].health.down: 0 is not a number of "
                          "rounds; use 1 to 1000"));
}

// One probe of each kind, with and without what may be left out.
TEST(SpecToProto, MeansTheSameProbes) {
  using namespace std::chrono_literals;
  Converted converted = SpecFromProto(Smallest());
  Health health;
  const Address target = *Address::Parse("192.0.2.1");
  health.probes = {IcmpProbe{target},
                   TcpProbe{target, 443},
                   DnsProbe{target, "example.net"},
                   HttpProbe{"http://a.example/", target, 204, "text"},
                   HttpProbe{"http://192.0.2.80/", {}, {}, ""},
                   ArpProbe{},
                   ArpProbe{target}};
  health.quorum = 3;
  health.interval = 5s;
  health.timeout = 1234ms;
  health.down = 4;
  health.up = 5;
  health.loss = Limits<Ratio>{2050, 1};
  health.latency = Limits<std::chrono::milliseconds>{300ms, 1ms};
  converted.spec.uplinks[1].health = health;
  const Converted again = SpecFromProto(SpecToProto(converted.spec));
  EXPECT_THAT(Lines(again.violations), IsEmpty());
  EXPECT_EQ(again.spec.uplinks[1].health, health);
}

TEST(SpecFromProto, MakesTheWindowFollowTheInterval) {
  v1::Router router = Smallest();
  router.mutable_spec()
      ->mutable_balance()
      ->mutable_estimator()
      ->mutable_interval()
      ->set_seconds(2);
  const Converted converted = SpecFromProto(router);
  EXPECT_THAT(Lines(converted.violations), IsEmpty());
  EXPECT_EQ(converted.spec.balance.estimator,
            (Estimator{std::chrono::seconds(2), std::chrono::seconds(4)}));
}

TEST(SpecFromProto, DoesNotTakeAGivenZeroForTheDefault) {
  v1::Router router = Smallest();
  v1::RouterSpec& spec = *router.mutable_spec();
  spec.mutable_marks()->set_mask(0);
  spec.mutable_tables()->set_base(0);
  spec.mutable_uplinks(0)->set_weight(0);
  spec.mutable_uplinks(1)->set_weight(1);
  spec.mutable_uplinks(1)->mutable_capacity()->mutable_upload();
  EXPECT_THAT(
      Lines(SpecFromProto(router).violations),
      ElementsAre("spec.uplinks[0].weight: 0 would never be chosen; use 1 to "
                  "65535, or remove the uplink",
                  "spec.uplinks[1].capacity.upload: 0 is no capacity; leave "
                  "the field out if it is not known",
                  "spec.marks.mask: 0x0 leaves no bits for the marks; use "
                  "0xff",
                  "spec.tables.base: 0 is not a table for us; use 1 to "
                  "2147483647, but not 253, 254 or 255"));
}

TEST(SpecFromProto, SaysWhatItCannotRead) {
  v1::Router router = Smallest();
  router.set_api_version("uplinkd/v9");
  router.set_kind("Switch");
  v1::RouterSpec& spec = *router.mutable_spec();
  spec.mutable_lans(0)->add_networks("here");
  spec.mutable_lans(0)->add_networks("192.168.10.1/24");
  v1::Uplink& uplink = *spec.mutable_uplinks(0);
  uplink.set_address("192.0.2.2/24");
  uplink.set_gateway("gw.example");
  uplink.set_nat(static_cast<v1::Nat>(9));
  auto& estimator = *spec.mutable_balance()->mutable_estimator();
  estimator.mutable_interval()->set_nanos(1);
  estimator.mutable_window()->set_seconds(-1);
  EXPECT_THAT(
      Lines(SpecFromProto(router).violations),
      ElementsAre("apiVersion: is \"uplinkd/v9\"; this version reads "
                  "\"uplinkd/v1\"",
                  "kind: is \"Switch\"; this version reads \"Router\"",
                  "spec.lans[0].networks[0]: \"here\" is not a network; write "
                  "it like 192.168.10.0/24",
                  "spec.lans[0].networks[1]: 192.168.10.1/24 has host bits "
                  "set; the network is 192.168.10.0/24",
                  "spec.uplinks[0].address: 192.0.2.2/24 has a prefix length; "
                  "write the address alone, 192.0.2.2",
                  "spec.uplinks[0].gateway: \"gw.example\" is not an address; "
                  "write it like 198.51.100.2",
                  "spec.uplinks[0].nat: value 9 is not known to this version",
                  "spec.balance.estimator.interval: is not a whole number of "
                  "milliseconds",
                  "spec.balance.estimator.window: is not a duration"));
}

TEST(SpecFromProto, CountsNetworksAsTheMessageDoes) {
  v1::Router router = Smallest();
  v1::Lan& lan = *router.mutable_spec()->mutable_lans(0);
  lan.add_networks("10.0.0.0/8");
  lan.add_networks("nothing");
  lan.add_networks("10.1.0.0/16");
  EXPECT_THAT(Lines(SpecFromProto(router).violations),
              ElementsAre("spec.lans[0].networks[1]: \"nothing\" is not a "
                          "network; write it like 192.168.10.0/24",
                          "spec.lans[0].networks[2]: 10.1.0.0/16 overlaps "
                          "10.0.0.0/8 of \"lan0\""));
}

TEST(SpecToProto, WritesEveryDefaultOut) {
  const Converted converted = SpecFromProto(Smallest());
  const v1::Router router = SpecToProto(AssignIds(converted.spec, {}));
  EXPECT_EQ(router.api_version(), "uplinkd/v1");
  EXPECT_EQ(router.kind(), "Router");
  EXPECT_EQ(router.spec().uplinks(1).id(), 2U);
  EXPECT_EQ(router.spec().uplinks(1).nat(), v1::NAT_SNAT);
  EXPECT_FALSE(router.spec().uplinks(1).capacity().has_upload());
  EXPECT_FALSE(router.spec().uplinks(1).has_weight());
  EXPECT_EQ(router.spec().balance().algorithm(), v1::ALGORITHM_LEAST_LOADED);
  EXPECT_EQ(router.spec().balance().measure(), v1::MEASURE_DOWNLOAD);
  EXPECT_EQ(router.spec().balance().estimator().interval().nanos(),
            250'000'000);
  EXPECT_EQ(router.spec().balance().estimator().window().nanos(), 500'000'000);
  EXPECT_EQ(router.spec().marks().mask(), 0xffU);
  EXPECT_EQ(router.spec().tables().base(), 10U);
}

Policy RandomPolicy(std::mt19937& random, std::string name) {
  const auto pick = [&random](std::uint32_t count) {
    return static_cast<std::uint32_t>(random() % count);
  };
  Policy policy;
  policy.name = std::move(name);
  policy.algorithm = static_cast<Algorithm>(pick(9));
  policy.measure = static_cast<Measure>(pick(3));
  policy.estimator = {std::chrono::milliseconds(random()),
                      std::chrono::milliseconds(random())};
  for (std::uint32_t i = pick(3); i > 0; --i) {
    Tier& tier = policy.tiers.emplace_back();
    for (std::uint32_t j = pick(4); j > 0; --j) {
      tier.push_back({"wan" + std::to_string(pick(6)), std::nullopt});
      if (pick(2) == 0) tier.back().weight = pick(4);
    }
  }
  policy.last_resort = static_cast<LastResort>(pick(3));
  policy.threshold = pick(102);
  policy.on_failover = static_cast<OnFailover>(pick(2));
  policy.on_failback = static_cast<OnFailback>(pick(3));
  policy.drain_deadline = std::chrono::milliseconds(pick(100'000'000));
  policy.affinity = {static_cast<AffinityKey>(pick(3)),
                     std::chrono::milliseconds(pick(100'000'000))};
  return policy;
}

TrafficMatch RandomTrafficMatch(std::mt19937& random) {
  const auto pick = [&random](std::uint32_t count) {
    return static_cast<std::uint32_t>(random() % count);
  };
  const auto byte = [&] { return static_cast<std::uint8_t>(pick(256)); };
  const auto port = [&] { return static_cast<std::uint16_t>(pick(65536)); };
  const auto network = [&] {
    return Prefix(Address::FromIpv4(static_cast<std::uint32_t>(random())),
                  static_cast<int>(pick(33)));
  };
  TrafficMatch match;
  if (pick(2) == 0) match.protocol = byte();
  for (std::uint32_t i = pick(3); i > 0; --i) match.source.push_back(network());
  for (std::uint32_t i = pick(3); i > 0; --i) {
    match.destination.push_back(network());
    match.source_ports.push_back({port(), port()});
    match.dscp.push_back(static_cast<std::uint8_t>(pick(64)));
  }
  for (std::uint32_t i = pick(3); i > 0; --i) {
    match.destination_ports.push_back({port(), port()});
    match.source_mac.push_back(
        {byte(), byte(), byte(), byte(), byte(), byte()});
  }
  if (pick(2) == 0) match.interface = "lan" + std::to_string(pick(3));
  const auto mark = [&] {
    const auto mask = static_cast<std::uint32_t>(random());
    return Mark{static_cast<std::uint32_t>(random()) & mask, mask};
  };
  match.source_set = std::string(pick(3), 's');
  match.destination_set = std::string(pick(3), 'd');
  if (pick(2) == 0) match.mark = mark();
  if (pick(2) == 0) match.connmark = mark();
  constexpr int kUnits[] = {1, 60, 3600, 86400};
  if (pick(2) == 0) {
    match.limit =
        RateLimit{1 + pick(kMaxLimit), std::chrono::seconds(kUnits[pick(4)]),
                  1 + pick(20000), static_cast<LimitKey>(pick(4))};
  }
  for (std::uint32_t i = pick(3); i > 0; --i) {
    match.uid.push_back({pick(5000), pick(5000)});
  }
  return match;
}

// A spec of random but readable values; they need not be sensible.
Spec RandomSpec(std::mt19937& random) {
  const auto pick = [&random](std::uint32_t count) {
    return static_cast<std::uint32_t>(random() % count);
  };
  const auto address = [&] {
    return Address::FromIpv4(static_cast<std::uint32_t>(random()));
  };
  Spec spec;
  spec.name = std::string(pick(3), 'n');
  spec.revision = std::string(pick(3), 'r');
  for (std::uint32_t i = pick(3); i > 0; --i) {
    Lan lan{"lan" + std::to_string(i), {}};
    for (std::uint32_t j = pick(4); j > 0; --j) {
      lan.networks.emplace_back(address(), static_cast<int>(pick(33)));
    }
    spec.lans.push_back(lan);
  }
  for (std::uint32_t i = pick(5); i > 0; --i) {
    Uplink uplink;
    uplink.name = "wan" + std::to_string(i);
    uplink.interface = "eth" + std::to_string(i);
    if (pick(2) == 0) uplink.address = address();
    if (pick(2) == 0) uplink.gateway = address();
    uplink.id = pick(3);
    uplink.capacity = {pick(2) * random(), pick(2) * random()};
    if (pick(2) == 0) uplink.weight = pick(4);
    uplink.nat = static_cast<Nat>(pick(3));
    uplink.mode = static_cast<UplinkMode>(pick(3));
    spec.uplinks.push_back(uplink);
  }
  for (std::uint32_t i = pick(3); i > 0; --i) {
    spec.policies.push_back(RandomPolicy(random, "p" + std::to_string(i)));
  }
  spec.balance = RandomPolicy(random, kBalance);
  for (std::uint32_t i = pick(3); i > 0; --i) {
    TrafficRule rule;
    rule.name = "rule" + std::to_string(pick(3));
    rule.match = RandomTrafficMatch(random);
    if (pick(2) == 0) rule.except = RandomTrafficMatch(random);
    rule.use = "p" + std::to_string(pick(3));
    spec.traffic.push_back(rule);
  }
  if (pick(2) == 0) spec.local_use = "p" + std::to_string(pick(3));
  spec.mark_mask = static_cast<std::uint32_t>(random());
  spec.table_base = static_cast<std::uint32_t>(random());
  return spec;
}

TEST(ConvertLaw, GivesBackTheSameSpecAndItsViolations) {
  std::mt19937 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const Spec spec = RandomSpec(random);
    const Converted converted = SpecFromProto(SpecToProto(spec));
    ASSERT_EQ(converted.spec, spec);
    ASSERT_EQ(Lines(converted.violations), Lines(Validate(spec)));
  }
}

TEST(Convert, TheLastResortDependsOnTheKindOfPolicy) {
  v1::Router router;
  router.mutable_spec()->add_policies()->set_name("voice");
  const Spec spec = SpecFromProto(router).spec;
  EXPECT_EQ(spec.policies[0].last_resort, LastResort::kUnreachable);
  EXPECT_EQ(spec.balance.last_resort, LastResort::kMain);
}

TEST(Convert, SaysWhatCannotBeReadOfATrafficRule) {
  v1::Router router = SpecToProto(Spec());
  v1::TrafficRule& rule = *router.mutable_spec()->add_traffic();
  rule.set_name("sip");
  rule.set_use("main");
  v1::Match& match = *rule.mutable_match();
  match.set_protocol("tpc");
  match.add_source("192.168.10.5/24");
  match.add_destination_ports("http");
  match.add_dscp("af9");
  match.add_source_mac("1:2:3");
  match.set_mark("0x1ff/0xff00");
  match.set_connmark("blue");
  match.mutable_limit()->set_rate("10/fortnight");
  match.add_uid("root");
  match.mutable_not_()->mutable_not_()->set_interface("lan0");
  std::vector<std::string> lines;
  for (const std::string& line : Lines(SpecFromProto(router).violations)) {
    if (line.starts_with("spec.traffic")) lines.push_back(line);
  }
  EXPECT_THAT(
      lines,
      ElementsAre(
          "spec.traffic[0].match.protocol: \"tpc\" is not known; did you mean "
          "tcp?",
          "spec.traffic[0].match.source[0]: 192.168.10.5/24 has host bits "
          "set; the network is 192.168.10.0/24",
          "spec.traffic[0].match.destinationPorts: needs a protocol that has "
          "ports: tcp, udp, udplite, sctp or dccp",
          "spec.traffic[0].match.destinationPorts[0]: \"http\" is not a port; "
          "write one up to 65535, or a range like \"10000-20000\"",
          "spec.traffic[0].match.dscp[0]: \"af9\" is not known; known are cs0, "
          "cs1, cs2, cs3, cs4, cs5, cs6, cs7, af11, af12, af13, af21, af22, "
          "af23, af31, af32, af33, af41, af42, af43, ef, va, le and 0 to 63",
          "spec.traffic[0].match.sourceMac: cannot be known of the router's "
          "own connections, which a uid stands for; remove one of the two",
          "spec.traffic[0].match.sourceMac[0]: \"1:2:3\" is not a hardware "
          "address; write it like 02:00:00:00:00:01",
          "spec.traffic[0].match.mark: \"0x1ff/0xff00\" never matches: the "
          "value has bits that the mask has not",
          "spec.traffic[0].match.connmark: \"blue\" is not a mark; write it "
          "like 0x1000/0xff00",
          "spec.traffic[0].match.limit.rate: \"10/fortnight\" is not a rate; "
          "write 1 to 1000 per second, minute, hour or day, like 10/second",
          "spec.traffic[0].match.uid[0]: \"root\" is not a user's number; "
          "write one like 1000, or a range like \"1000-1999\"",
          "spec.traffic[0].match.not.not: a `not` has none itself; move it up "
          "to `match`"));
}

TEST(FieldOrder, IsThatOfTheProtoFile) {
  const std::vector<std::string> order = {"",
                                          "apiVersion",
                                          "metadata.name",
                                          "spec",
                                          "spec.lans[0]",
                                          "spec.lans[0].interface",
                                          "spec.lans[2].interface",
                                          "spec.lans[10].interface",
                                          "spec.uplinks",
                                          "spec.uplinks[0].name",
                                          "spec.uplinks[0].capacity",
                                          "spec.uplinks[0].capacity.upload",
                                          "spec.uplinks[0].weight",
                                          "spec.balance",
                                          "spec.nonsense.name",
                                          "zebra"};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) {
      EXPECT_EQ(FieldOrderLess(order[i], order[j]), i < j)
          << order[i] << " " << order[j];
    }
  }
}

}  // namespace
}  // namespace uplinkd
