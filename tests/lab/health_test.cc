// Lines that have a carrier and do not work: probes find out, new connections
// go elsewhere, and come back.
#include <set>

#include "tests/lab/agent_lab.h"
#include "tests/lab/stub_server.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPing[] = "{probes: [{icmp: 203.0.113.10}]}";  // all defaults
constexpr char kFastPing[] =
    "{probes: [{icmp: 203.0.113.10}], interval: 100ms}";

const v1::UplinkStatus* FindUplink(const v1::Status& status,
                                   const std::string& name) {
  for (const v1::UplinkStatus& uplink : status.uplinks()) {
    if (uplink.name() == name) return &uplink;
  }
  return nullptr;
}

class HealthLab : public AgentLab {
 protected:
  // The provider hears nothing of its customer any more, and says nothing: the
  // link keeps its carrier.
  void Silence(std::size_t n) { Drop(n, ""); }
  void Hear(std::size_t n) {
    ASSERT_TRUE(
        Shell(lab_->provider(n), "iptables-legacy -t raw -F PREROUTING").Ok());
  }
  // The provider drops what matches.
  void Drop(std::size_t n, const std::string& match) {
    const CommandResult result = Shell(
        lab_->provider(n),
        "iptables-legacy -t raw -A PREROUTING -i cust0 " + match + " -j DROP");
    ASSERT_TRUE(result.Ok()) << result.output;
  }

  void WaitForHealth(const std::string& uplink, const std::string& state) {
    WaitFor([&](const v1::Status& status) {
      const v1::UplinkStatus* found = FindUplink(status, uplink);
      return found != nullptr && found->health().state() == state &&
             InSync(status);
    });
  }

  // New connections use exactly these uplinks' addresses. Two of the 40
  // connections on the same uplink only is one chance in 2^39.
  void ExpectSources(const std::set<std::string>& sources) {
    std::set<std::string> seen;
    for (const auto& [source, count] : Shares(40)) seen.insert(source);
    EXPECT_EQ(seen, sources);
    EXPECT_EQ(lab_->WrongSources(), 0U);
  }

  // A server on the address of the lab's server.
  void Serve(Transport transport, std::uint16_t port,
             StubServer::Answer answer) {
    auto server = StubServer::Start(lab_->server(),
                                    {.port = port, .transport = transport},
                                    std::move(answer));
    ASSERT_TRUE(server) << server.error().message;
    stubs_.push_back(std::move(*server));
  }

  std::vector<std::unique_ptr<StubServer>> stubs_;
};

TEST_F(HealthLab, ASilentProviderIsFoundOutInLessThanThreeSeconds) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.health = kPing}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
  const std::string whole = OwnState(lab_->router());

  const auto died = std::chrono::steady_clock::now();
  ASSERT_NO_FATAL_FAILURE(Silence(2));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  const auto took = std::chrono::steady_clock::now() - died;
  EXPECT_LT(took, seconds(3));
  RecordProperty("found_out_after_ms",
                 std::to_string(took / std::chrono::milliseconds(1)));
  EXPECT_THAT(agent_->Log(),
              HasSubstr("probes of uplink wan2: Down: 0 of 1 probes "
                        "answered (icmp 203.0.113.10: no answer "
                        "within 750ms)"));
  ExpectSources({UplinkAddress(1)});
  EXPECT_THAT(OnRouter("ip link show wan2").output, HasSubstr("LOWER_UP"));
  EXPECT_THAT(agent_->Ctl({"status"}).output,
              AllOf(HasSubstr("HEALTH"), HasSubstr("icmp 203.0.113.10"),
                    HasSubstr("UplinkDown")));
  EXPECT_TRUE(Eventually(
      [&] {
        const std::string metrics = agent_->Metrics();
        const auto has = [&](const std::string& line) {
          return metrics.find(line + "\n") != std::string::npos;
        };
        return has("uplinkd_uplink_up{uplink=\"wan2\"} 0") &&
               has("uplinkd_uplink_up{uplink=\"wan1\"} 1") &&
               has("uplinkd_probe_success{uplink=\"wan2\",probe=\"icmp "
                   "203.0.113.10\"} 0") &&
               has("uplinkd_probe_success{uplink=\"wan1\",probe=\"icmp "
                   "203.0.113.10\"} 1");
      },
      seconds(10)));

  ASSERT_NO_FATAL_FAILURE(Hear(2));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(OwnState(lab_->router()), whole);
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

// The far side of the provider is gone; its gateway still answers.
TEST_F(HealthLab, AGatewayThatAnswersIsNotTheInternet) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.health = "{probes: [{arp: gateway}, {icmp: 203.0.113.10}], "
                           "quorum: 2, interval: 200ms}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_TRUE(Shell(lab_->provider(2), "ip link set up0 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  const v1::HealthStatus& health = FindUplink(*status, "wan2")->health();
  EXPECT_THAT(health.reason(), HasSubstr("1 of 2 probes answered where 2 must "
                                         "(icmp 203.0.113.10: "));
  EXPECT_TRUE(health.probes(0).answered());
  EXPECT_FALSE(health.probes(1).answered());
  ExpectSources({UplinkAddress(1)});
}

TEST_F(HealthLab, AllUplinksGoDownAndComeBack) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.health = kFastPing}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  for (const std::size_t n : {1U, 2U}) ASSERT_NO_FATAL_FAILURE(Silence(n));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Down"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(FindCondition(*status, "Ready")->status(), "False");
  EXPECT_EQ(FindCondition(*status, "Ready")->reason(), "UplinkDown");
  for (const std::size_t n : {2U, 1U}) ASSERT_NO_FATAL_FAILURE(Hear(n));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Ready"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

TEST_F(HealthLab, DnsThatIsDeadWhilePingWorksIsFoundOut) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(Serve(
      Transport::kUdp, 53,
      [](const std::string& query) { return DnsAnswer(query, 0, true); }));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(
      Apply({.health = "{probes: [{icmp: 203.0.113.10}, {dns: {server: "
                       "203.0.113.10, name: example.net}}], quorum: 2, "
                       "interval: 200ms}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_NO_FATAL_FAILURE(Drop(2, "-p udp --dport 53"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(FindUplink(*status, "wan2")->reason(),
            "1 of 2 probes answered where 2 must (dns example.net at "
            "203.0.113.10: no answer within 150ms)");
  EXPECT_EQ(PhaseOf(*status, "wan1"), "Ready");
  ExpectSources({UplinkAddress(1)});
  ASSERT_NO_FATAL_FAILURE(Hear(2));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
}

// Perhaps the probes are wrong: what a line that is down has can be kept, and
// what comes in by it goes on.
TEST_F(HealthLab, LiveConnectionsAndArrivalsOfALineThatIsDownGoOn) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.health = kFastPing, .more = "    onFailover: keep\n"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(40, 1, &connections, &answers));
  ASSERT_EQ(Tally(answers).size(), 2U);
  ASSERT_NO_FATAL_FAILURE(Drop(2, "-p icmp"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  ExpectSources({UplinkAddress(1)});
  const Result<std::vector<std::string>> again = AskAll(connections);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, answers);
  Result<std::unique_ptr<TrafficServer>> on_router =
      TrafficServer::Start(lab_->router());
  ASSERT_TRUE(on_router);
  Result<Connection> arrival =
      Connection::Open(lab_->server(), {.destination = UplinkAddress(2)});
  ASSERT_TRUE(arrival) << arrival.error().message;
  EXPECT_TRUE(arrival->Ask());
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// By default they end at once, so that clients connect anew.
TEST_F(HealthLab, ConnectionsOfALineThatIsDownAreCut) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.health = kFastPing}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(20, 1, &connections, &answers));
  ASSERT_EQ(Tally(answers).size(), 2U);
  ASSERT_NO_FATAL_FAILURE(Drop(2, "-p icmp"));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  for (std::size_t i = 0; i < connections.size(); ++i) {
    EXPECT_EQ(connections[i].Ask().has_value(), answers[i] == UplinkAddress(1));
  }
}

// Probes that are seldom asked, since each is paid for: the traffic tells.
TEST_F(HealthLab, ConnectionsWithoutAnAnswerAreReasonToAsk) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.health = "{probes: [{icmp: 203.0.113.10}], interval: 1h, "
                           "timeout: 300ms, up: 1}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_NO_FATAL_FAILURE(Silence(2));
  // Half of them get no answer.
  std::thread clients([this] {
    lab_->client().Run([] {
      for (int i = 0; i < 40; ++i) {
        static_cast<void>(
            Connection::OpenHere({.patience = milliseconds(100)}));
      }
    });
  });
  // Connections are counted every 5 s, and less often where that costs much,
  // as with sanitizers on a busy machine.
  WaitForPhase("wan2", "Down", seconds(40));
  clients.join();
  EXPECT_THAT(agent_->Log(), HasSubstr("new connections get no answer"));
  ExpectSources({UplinkAddress(1)});
}

TEST_F(HealthLab, ALineThatLosesMuchIsSecondChoice) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.health = "{probes: [{icmp: 203.0.113.10}], interval: 100ms, "
                           "down: 10, loss: {degraded: 20%, recovered: 5%}}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_NO_FATAL_FAILURE(Drop(2,
                               "-p icmp -m statistic --mode nth --every 2 "
                               "--packet 0"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Degraded"));
  EXPECT_EQ(PhaseOf(*agent_->Status(), "wan2"), "Ready");
  ExpectSources({UplinkAddress(1)});
  // It still is better than nothing.
  ASSERT_NO_FATAL_FAILURE(Silence(1));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Down"));
  ExpectSources({UplinkAddress(2)});
  ASSERT_NO_FATAL_FAILURE(Hear(1));
  ASSERT_NO_FATAL_FAILURE(Hear(2));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

TEST_F(HealthLab, ProbesFollowAnotherAddressAndAnotherLink) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.learn = true, .health = kFastPing}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  ASSERT_TRUE(OnRouter("ip addr del 198.18.2.2/24 dev wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  ASSERT_TRUE(OnRouter("ip addr add 198.18.2.7/24 dev wan2\n"
                       "ip route replace default via 198.18.2.1 dev wan2 "
                       "metric 200")
                  .Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  // Only a probe that has the new address is heard of.
  const auto answered_as = [&](const std::string& address) {
    return [address](const v1::Status& status) {
      const v1::UplinkStatus& wan2 = *FindUplink(status, "wan2");
      return wan2.address() == address && wan2.health().state() == "Up" &&
             wan2.health().probes(0).answered();
    };
  };
  ASSERT_NO_FATAL_FAILURE(WaitFor(answered_as("198.18.2.7")));
  ASSERT_TRUE(OnRouter("ip link del wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  ASSERT_TRUE(lab_->PlugIn(2).Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  ASSERT_NO_FATAL_FAILURE(WaitFor(answered_as(UplinkAddress(2))));
  // And they still tell.
  ASSERT_NO_FATAL_FAILURE(Silence(2));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
}

TEST_F(HealthLab, TheAgentThatStartsWithADeadLineFindsOut) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(Silence(2));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({.health = kFastPing}));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  ExpectSources({UplinkAddress(1)});
  // It is no drift that it lacks what the spec would give it.
  EXPECT_EQ(agent_->Status()->corrections(), 0U);
  const Result<v1::DiffResponse> diff = agent_->Diff();
  ASSERT_TRUE(diff);
  EXPECT_EQ(diff->plan_size(), 0) << diff->ShortDebugString();
}

// The parameter is rp_filter.
class EveryKind : public HealthLab, public testing::WithParamInterface<int> {};

// In the presence of all our rules, by both uplinks, main's default route being
// by the first: a round is good only if every kind is answered.
TEST_P(EveryKind, OfProbeReachesTheWireAndIsAnswered) {
  ASSERT_NO_FATAL_FAILURE(BuildLab({.rp_filter = GetParam()}));
  ASSERT_NO_FATAL_FAILURE(Serve(
      Transport::kUdp, 53,
      [](const std::string& query) { return DnsAnswer(query, 0, true); }));
  ASSERT_NO_FATAL_FAILURE(Serve(Transport::kTcp, 80, [](const std::string&) {
    return "HTTP/1.1 204 No Content\r\n\r\n";
  }));
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply(
      {.health = "{probes: [{icmp: 203.0.113.10}, {tcp: \"203.0.113.10:80\"}, "
                 "{dns: {server: 203.0.113.10, name: example.net}}, {http: "
                 "{url: \"http://check.example/\", address: 203.0.113.10, "
                 "status: 204}}, {arp: gateway}], quorum: 5, interval: 200ms, "
                 "timeout: 200ms}"}));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan1", "Up"));
  ASSERT_NO_FATAL_FAILURE(WaitForHealth("wan2", "Up"));
  // Every packet of theirs passed by the rule that lets them be.
  const std::string chain =
      OnRouter("iptables-legacy -t mangle -vnxL UPL-OUTPUT").output;
  EXPECT_THAT(chain, HasSubstr("mark match 0xff/0xff"));
  EXPECT_THAT(chain, Not(HasSubstr("       0        0 RETURN")));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

INSTANTIATE_TEST_SUITE_P(RpFilter, EveryKind, testing::Values(0, 1, 2));

}  // namespace
}  // namespace uplinkd::lab
