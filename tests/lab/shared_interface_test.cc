// Two providers on one switch: one interface of the router, two gateways.
#include <array>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;
using ::testing::Pair;

// The router's addresses, and those of the gateways.
struct Segment {
  const char* name;
  std::array<std::string, 2> address;
  std::array<std::string, 2> gateway;
};

void PrintTo(const Segment& segment, std::ostream* out) {
  *out << segment.name;
}

const Segment kTwoNetworks{
    "TwoNetworks", {"198.18.1.2", "198.18.2.2"}, {"198.18.1.1", "198.18.2.1"}};
const Segment kOneNetwork{
    "OneNetwork", {"198.18.1.2", "198.18.1.3"}, {"198.18.1.1", "198.18.1.4"}};

// The lab with a switch (a bridge in a namespace of its own) between the
// router's wan0 and both providers. A provider still drops what has a source
// that is not its customer's, so that a packet by the wrong gateway is lost.
class SharedInterface : public AgentLab,
                        public testing::WithParamInterface<Segment> {
 protected:
  static const Segment& Wan() { return GetParam(); }
  static const std::string& First() { return Wan().address[0]; }
  static const std::string& Second() { return Wan().address[1]; }

  void BuildSegment(const std::array<std::string, 2>& lines = {}) {
    ASSERT_NO_FATAL_FAILURE(BuildLab());
    Result<Namespace> made = Namespace::Create();
    ASSERT_TRUE(made) << made.error().message;
    switch_ = std::make_unique<Namespace>(std::move(*made));
    Do(lab_->router(), "ip link del wan1\nip link del wan2");
    Do(*switch_, "ip link add br0 type bridge\nip link set br0 up");
    ASSERT_NO_FATAL_FAILURE(Connect(lab_->router(), "wan0", "port0"));
    for (const std::size_t n : {0U, 1U}) {
      const Namespace& provider = lab_->provider(n + 1);
      ASSERT_NO_FATAL_FAILURE(
          Connect(provider, "cust0", "port" + std::to_string(n + 1)));
      Do(provider, "ip addr add " + Wan().gateway[n] + "/24 dev cust0");
      // In one network, too, the other address is no customer's of its.
      Do(provider, "ip route add unreachable " + Wan().address[1 - n]);
      if (!lines[n].empty()) {
        Do(provider, "tc qdisc replace dev cust0 root tbf rate " + lines[n] +
                         " burst 16k latency 50ms");
      }
      Do(lab_->router(), "ip addr add " + Wan().address[n] + "/24 dev wan0");
      Do(lab_->server(), "ip route add " + Wan().address[n] + " via 198.19." +
                             std::to_string(n + 1) + ".1 src " +
                             kServerAddress);
    }
    for (const std::size_t n : {0U, 1U}) {
      Do(lab_->router(), "ip route add default via " + Wan().gateway[n] +
                             " dev wan0 metric " +
                             std::to_string(100 * (n + 1)));
    }
  }

  // `spec` with both uplinks on wan0.
  static std::string Text(const LabSpec& spec) {
    std::string text = spec.Text();
    for (const std::size_t n : {0U, 1U}) {
      Replace("interface: " + UplinkInterface(n + 1) + "\n",
              "interface: wan0\n", text);
      Replace("address: " + UplinkAddress(n + 1) + "\n",
              "address: " + Wan().address[n] + "\n", text);
      Replace("gateway: " + GatewayAddress(n + 1) + "\n",
              "gateway: " + Wan().gateway[n] + "\n", text);
    }
    return text;
  }

  void BeginShared(const LabSpec& spec,
                   const std::array<std::string, 2>& lines = {}) {
    ASSERT_NO_FATAL_FAILURE(BuildSegment(lines));
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    const Result<v1::ApplyResponse> applied = agent_->Apply(Text(spec));
    ASSERT_TRUE(applied) << applied.error().message;
  }

  void WaitForHealth(const std::string& uplink, const std::string& state) {
    WaitFor([&](const v1::Status& status) {
      return std::ranges::any_of(status.uplinks(), [&](const auto& candidate) {
        return candidate.name() == uplink &&
               candidate.health().state() == state;
      });
    });
  }

  static void Do(const Namespace& where, const std::string& script) {
    const CommandResult result = Shell(where, script);
    ASSERT_TRUE(result.Ok()) << script << ": " << result.output;
  }

  std::unique_ptr<Namespace> switch_;

 private:
  using AgentLab::Connect;

  // A cable from `link` of `where` to a port of the switch.
  void Connect(const Namespace& where, const std::string& link,
               const std::string& port) {
    Do(*switch_, "ip link add " + port + " type veth peer name " + link +
                     " netns " + where.Path() + "\nip link set " + port +
                     " master br0 up");
    Do(where, "ip link set " + link + " up");
  }

  static void Replace(const std::string& what, const std::string& by,
                      std::string& text) {
    const std::size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), by);
  }
};

// 200 connections at 3:1 spread with a standard deviation of 6.1.
TEST_P(SharedInterface, ConnectionsFollowTheWeightsAndStay) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({.capacities = {30, 10}}));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(AgentLab::Connect(200, 1, &connections, &answers));
  EXPECT_THAT(Tally(answers),
              ElementsAre(Pair(First(), AllOf(Ge(119), Le(181))),
                          Pair(Second(), AllOf(Ge(19), Le(81)))));
  ASSERT_TRUE(OnRouter(kForeignCommit).Ok());
  const Result<std::vector<std::string>> again = AskAll(connections);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, answers);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// The router's own services, and those behind it.
TEST_P(SharedInterface, WhatComesInIsAnsweredByTheGatewayThatItCameBy) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({}));
  const auto on_router = TrafficServer::Start(lab_->router());
  const auto on_client = TrafficServer::Start(lab_->client());
  ASSERT_TRUE(on_router && on_client);
  Do(lab_->router(),
     "iptables-legacy -t nat -A PREROUTING -i wan0 -p tcp --dport 8007 -j DNAT "
     "--to-destination " +
         ClientAddress() + ":" + std::to_string(kEchoPort));
  for (const std::string& address : Wan().address) {
    for (const std::uint16_t port : {kEchoPort, std::uint16_t{8007}}) {
      EXPECT_EQ(
          SourceFrom(lab_->server(), {.destination = address, .port = port}),
          kServerAddress)
          << address << " " << port;
    }
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(SharedInterface, ABoundSocketKeepsItsAddressAndItsGateway) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({}));
  for (const std::string& address : Wan().address) {
    EXPECT_EQ(SourceFrom(lab_->router(), {.source = address}), address);
  }
  EXPECT_EQ(SourceFrom(lab_->router(), {}), First());
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// The router's own, which have the first one's address before they have a fate.
TEST_P(SharedInterface, TheRoutersOwnFollowTheirFate) {
  ASSERT_NO_FATAL_FAILURE(BeginShared(
      {.algorithm = "failover",
       .more = "    tiers: [[wan2, wan1]]\n  local: {use: balance}\n"}));
  EXPECT_EQ(SourceFrom(lab_->router(), {}), Second());
  EXPECT_EQ(SourceFrom(lab_->router(), {.source = Second()}), Second());
  EXPECT_EQ(lab_->WrongSources(), 0U);
  EXPECT_THAT(agent_->Ctl({"trace", "--to", kServerAddress}).output,
              HasSubstr("SNAT --to-source " + Second()));
  EXPECT_THAT(agent_
                  ->Ctl({"trace", "--to", kServerAddress, "--in", "lan0",
                         "--from", ClientAddress()})
                  .output,
              AllOf(HasSubstr("via " + Wan().gateway[1] + " dev wan0 table 12"),
                    HasSubstr("SNAT --to-source " + Second())));
}

// Connections that have no fate, as main has it.
TEST_P(SharedInterface, WhatMainRoutesHasTheAddressThatIsNextToTheGateway) {
  ASSERT_NO_FATAL_FAILURE(
      BeginShared({.more = "  traffic:\n"
                           "    - {name: as-ever, match: {source: [" +
                           std::string(kLanNetwork) + "]}, use: main}\n"}));
  EXPECT_EQ(SourceOf({}), First());
  if (Wan().address[1] == kTwoNetworks.address[1]) {
    // Its last packet would ask the second gateway's ARP with an address that
    // is none of its network, and wait for an answer in front of the next SYN.
    const auto ended = [&] {
      return OnRouter("conntrack -L -p tcp --state TIME_WAIT 2>&1")
                 .output.find("dport=7000") != std::string::npos;
    };
    ASSERT_TRUE(Eventually(ended, seconds(10)));
    Do(lab_->router(),
       "ip route del default via " + Wan().gateway[0] + " dev wan0 metric 100");
    EXPECT_EQ(SourceOf({}), Second());
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(SharedInterface, AGatewayThatDiesTakesOnlyItsOwnConnections) {
  ASSERT_NO_FATAL_FAILURE(BeginShared(
      {.health = "{probes: [{icmp: 203.0.113.10}], interval: 100ms}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(AgentLab::Connect(40, 1, &connections, &answers));
  ASSERT_EQ(Tally(answers).size(), 2U);
  Do(lab_->provider(2),
     "iptables-legacy -t raw -A PREROUTING -i cust0 -j DROP");
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  EXPECT_EQ(PhaseOf(*agent_->Status(), "wan1"), "Ready");
  for (std::size_t i = 0; i < connections.size(); ++i) {
    EXPECT_EQ(connections[i].Ask().has_value(), answers[i] == First()) << i;
  }
  EXPECT_THAT(Shares(20), ElementsAre(Pair(First(), 20)));

  Do(lab_->provider(2), "iptables-legacy -t raw -F PREROUTING");
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  // All by one of the two is one chance in 2^39.
  EXPECT_EQ(Shares(40).size(), 2U);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(SharedInterface, ArpAsksEachGateway) {
  ASSERT_NO_FATAL_FAILURE(
      BeginShared({.health = "{probes: [{arp: gateway}], interval: 100ms}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  Do(lab_->provider(2), "ip link set cust0 down");
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Down"));
  EXPECT_EQ(PhaseOf(*agent_->Status(), "wan1"), "Ready");
  EXPECT_THAT(Shares(20), ElementsAre(Pair(First(), 20)));
}

TEST_P(SharedInterface, TheCarrierIsThatOfBoth) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({}));
  const std::string whole = OwnState(lab_->router());
  Do(*switch_, "ip link set port0 down");
  for (const char* uplink : {"wan1", "wan2"}) {
    ASSERT_NO_FATAL_FAILURE(WaitForPhase(uplink, "Waiting"));
  }
  Do(*switch_, "ip link set port0 up");
  for (const char* uplink : {"wan1", "wan2"}) {
    ASSERT_NO_FATAL_FAILURE(WaitForPhase(uplink, "Ready"));
  }
  EXPECT_EQ(OwnState(lab_->router()), whole);
  EXPECT_EQ(Shares(40).size(), 2U);
}

// With the rate of the interface, the second would look as full as the first.
TEST_P(SharedInterface, EachIsMeasuredByItself) {
  ASSERT_NO_FATAL_FAILURE(
      BeginShared({.algorithm = "least-loaded", .capacities = {10, 8}},
                  {"12mbit", "40mbit"}));
  EXPECT_THAT(Shares(20), ElementsAre(Pair(First(), 20)));
  const Downloads downloads(lab_->client(), Endpoint{.port = kSourcePort}, 4);
  EXPECT_TRUE(Eventually(
      [&] {
        return Shares(10) == std::map<std::string, int>{{Second(), 10}};
      },
      seconds(10)));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// The bytes are the interface's, and nothing says whose.
TEST_P(SharedInterface, NoRateIsShownThatNobodyKnows) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({}));
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return status.uplinks_size() == 2 && InSync(status);
  }));
  Shares(10);
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  for (const v1::UplinkStatus& uplink : status->uplinks()) {
    EXPECT_FALSE(uplink.has_receive_bytes_per_second());
    EXPECT_FALSE(uplink.has_transmit_bytes());
  }
  EXPECT_THAT(agent_->Ctl({"status"}).output,
              HasSubstr("shares wan0 with wan2: no counter tells their traffic "
                        "apart"));
  EXPECT_THAT(agent_->Metrics(),
              Not(HasSubstr("uplinkd_uplink_receive_bytes_total{")));
}

// What an uplink has when it is taken out of the spec may be lost with it; but
// no new connection is ever by one gateway with the address of the other.
TEST_P(SharedInterface, SharersComeAndGoAndNewConnectionsAreRight) {
  ASSERT_NO_FATAL_FAILURE(BeginShared({}));
  const auto apply = [&](const std::string& text) {
    const Result<v1::ApplyResponse> applied = agent_->Apply(text);
    ASSERT_TRUE(applied) << applied.error().message;
  };
  for (const std::size_t n : {0U, 1U}) {
    Do(lab_->provider(n + 1),
       "iptables-legacy -t raw -A PREROUTING -i cust0 -p tcp --syn ! -s " +
           Wan().address[n]);
  }
  const std::string both = Text({});
  // Without the second.
  std::string one = both;
  const std::size_t second = one.find("    - name: wan2");
  one.erase(second, one.find("  balance:") - second);
  // So that one that waits for what is lost does not hold up the rest.
  std::vector<std::unique_ptr<ConnectionStream>> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(
        std::make_unique<ConnectionStream>(lab_->client(), Endpoint{}));
  }
  for (int i = 0; i < 20; ++i) {
    ASSERT_NO_FATAL_FAILURE(apply(one));
    ASSERT_NO_FATAL_FAILURE(apply(both));
  }
  std::map<std::string, int> sources;
  for (const auto& stream : streams) {
    stream->Stop();
    for (const auto& [source, count] : stream->sources()) {
      sources[source] += count;
    }
  }
  EXPECT_THAT(sources,
              ElementsAre(Pair(First(), Ge(20)), Pair(Second(), Ge(20))));
  for (const std::size_t n : {1U, 2U}) {
    EXPECT_THAT(
        Shell(lab_->provider(n), "iptables-legacy -t raw -vnxL PREROUTING")
            .output,
        HasSubstr("       0        0 "));
  }
}

INSTANTIATE_TEST_SUITE_P(Segment, SharedInterface,
                         testing::Values(kTwoNetworks, kOneNetwork),
                         [](const auto& test) {
                           return std::string(test.param.name);
                         });

}  // namespace
}  // namespace uplinkd::lab
