// Links, addresses and gateways come, go and change; the agent follows.
#include <set>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;

class LinkChange : public AgentLab {
 protected:
  // New connections use exactly these uplinks' addresses. Two of the 40
  // connections on the same uplink only is one chance in 2^39.
  void ExpectSources(const std::vector<std::string>& sources) {
    std::set<std::string> seen;
    for (const auto& [source, count] : Shares(40)) seen.insert(source);
    EXPECT_EQ(seen, std::set<std::string>(sources.begin(), sources.end()));
    EXPECT_EQ(lab_->WrongSources(), 0U);
  }
};

TEST_F(LinkChange, UplinkWithoutInterfaceWaitsAndJoins) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_TRUE(OnRouter("ip link del wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_THAT(status->uplinks(1).reason(), HasSubstr("wan2"));
  EXPECT_EQ(PhaseOf(*status, "wan1"), "Ready");
  ExpectSources({UplinkAddress(1)});

  const CommandResult plugged = lab_->PlugIn(2);
  ASSERT_TRUE(plugged.Ok()) << plugged.output;
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

TEST_F(LinkChange, LinkThatGoesDownAndUpIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::string whole = OwnState(lab_->router());
  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  ExpectSources({UplinkAddress(1)});
  ASSERT_TRUE(OnRouter("ip link set wan2 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(OwnState(lab_->router()), whole);
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

TEST_F(LinkChange, LearnedAddressAndGatewayAreFollowed) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.learn = true}));
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
  // As a DHCP client does it: the old lease ends, another one begins.
  ASSERT_TRUE(OnRouter("ip addr del 198.18.2.2/24 dev wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  ExpectSources({UplinkAddress(1)});
  ASSERT_TRUE(
      Shell(lab_->provider(2), "ip addr add 198.18.2.9/24 dev cust0").Ok());
  ASSERT_TRUE(OnRouter("ip addr add 198.18.2.7/24 dev wan2\n"
                       "ip route replace default via 198.18.2.9 dev wan2 "
                       "metric 200")
                  .Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  ExpectSources({UplinkAddress(1), "198.18.2.7"});
  EXPECT_THAT(OnRouter("ip route show table 12").output,
              HasSubstr("default via 198.18.2.9 dev wan2"));

  ASSERT_TRUE(OnRouter("ip route replace default via 198.18.2.1 dev wan2 "
                       "metric 200")
                  .Ok());
  EXPECT_TRUE(Eventually(
      [&] {
        return OnRouter("ip route show table 12")
                   .output.find("default via 198.18.2.1 dev wan2") !=
               std::string::npos;
      },
      std::chrono::seconds(5)));
  ExpectSources({UplinkAddress(1), "198.18.2.7"});
}

TEST_F(LinkChange, LinkThatIsReplacedByAnotherOfTheSameNameIsFollowed) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::string whole = OwnState(lab_->router());
  ASSERT_TRUE(OnRouter("ip link del wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  ExpectSources({UplinkAddress(1)});
  const CommandResult plugged = lab_->PlugIn(2);
  ASSERT_TRUE(plugged.Ok()) << plugged.output;
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(OwnState(lab_->router()), whole);
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

// How wan2 goes, and how it comes again.
struct Absence {
  const char* name;
  const char* leave;
  const char* come;  // "": another link is plugged in
};

void PrintTo(const Absence& absence, std::ostream* out) {
  *out << absence.name;
}

class LinkAway : public LinkChange,
                 public testing::WithParamInterface<Absence> {
 protected:
  void ComeBack() {
    const std::string come = GetParam().come;
    const CommandResult result =
        come.empty() ? lab_->PlugIn(2) : OnRouter(come);
    ASSERT_TRUE(result.Ok()) << result.output;
  }
};

// The name decides, whatever link has it; and the other uplink, to which the
// index of the link means nothing, does not notice.
TEST_P(LinkAway, IsFollowedAndTakesOnlyItsOwnConnections) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::string whole = OwnState(lab_->router());
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(40, 1, &connections, &answers));
  ASSERT_THAT(Tally(answers),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  ASSERT_TRUE(OnRouter(GetParam().leave).Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->uplinks(1).reason(), "interface wan2 does not exist");
  for (std::size_t i = 0; i < connections.size(); ++i) {
    EXPECT_EQ(connections[i].Ask().has_value(), answers[i] == UplinkAddress(1))
        << i;
  }
  ExpectSources({UplinkAddress(1)});

  ASSERT_NO_FATAL_FAILURE(ComeBack());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(OwnState(lab_->router()), whole);
  for (std::size_t i = 0; i < connections.size(); ++i) {
    if (answers[i] != UplinkAddress(1)) continue;
    const Result<std::string> again = connections[i].Ask();
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, answers[i]);
  }
  ExpectSources({UplinkAddress(1), UplinkAddress(2)});
}

INSTANTIATE_TEST_SUITE_P(
    Absence, LinkAway,
    testing::Values(
        Absence{"Renamed",
                "ip link set wan2 down\nip link set wan2 name away2\n"
                "ip link set away2 up",
                "ip link set away2 down\nip link set away2 name wan2\n"
                "ip link set wan2 up"},
        // By udev, for one, while it is in use: its routes stay.
        Absence{"RenamedWhileUp", "ip link set wan2 name away2",
                "ip link set away2 name wan2"},
        Absence{"Replaced", "ip link del wan2", ""}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(LinkChange, ConnectionsThatAreKeptGoOnWhenTheirUplinkReturns) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.more = "    onFailover: keep\n"}));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(40, 1, &connections, &answers));
  ASSERT_THAT(Tally(answers),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  for (std::size_t i = 0; i < connections.size(); ++i) {
    if (answers[i] == UplinkAddress(2)) continue;
    const Result<std::string> again = connections[i].Ask();
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, answers[i]);
  }
  // Back again, they go on where they were: the mark still names the uplink.
  ASSERT_TRUE(OnRouter("ip link set wan2 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  const Result<std::vector<std::string>> again = AskAll(connections);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, answers);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// The parameter is rp_filter.
class Inbound : public AgentLab, public testing::WithParamInterface<int> {};

TEST_P(Inbound, RepliesLeaveWhereTheRequestCameIn) {
  ASSERT_NO_FATAL_FAILURE(Begin({.rp_filter = GetParam()}, {}));
  Result<std::unique_ptr<TrafficServer>> on_client =
      TrafficServer::Start(lab_->client());
  Result<std::unique_ptr<TrafficServer>> on_router =
      TrafficServer::Start(lab_->router());
  ASSERT_TRUE(on_client && on_router);
  // Port 8000 is forwarded to the client, 7000 is the router's own.
  ASSERT_TRUE(OnRouter("iptables-legacy -t nat -A PREROUTING -i wan+ -p tcp "
                       "--dport 8000 -j DNAT --to-destination "
                       "192.168.10.2:7000")
                  .Ok());
  for (const std::size_t n : {1U, 2U}) {
    for (const std::uint16_t port : {std::uint16_t{8000}, kEchoPort}) {
      Result<Connection> connection = Connection::Open(
          lab_->server(), {.destination = UplinkAddress(n), .port = port});
      ASSERT_TRUE(connection) << "uplink " << n << " port " << port << ": "
                              << connection.error().message;
      for (int i = 0; i < 5; ++i) {
        const Result<std::string> answer = connection->Ask();
        EXPECT_TRUE(answer) << answer.error().message;
      }
    }
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Inbound, RoutersOwnSocketsReachTheWorld) {
  ASSERT_NO_FATAL_FAILURE(Begin({.rp_filter = GetParam()}, {}));
  for (const std::string& source :
       {std::string(), UplinkAddress(1), UplinkAddress(2)}) {
    Result<Connection> connection =
        Connection::Open(lab_->router(), {.source = source});
    ASSERT_TRUE(connection) << connection.error().message;
    const Result<std::string> answer = connection->Ask();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(*answer, source.empty() ? UplinkAddress(1) : source);
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

INSTANTIATE_TEST_SUITE_P(RpFilter, Inbound, testing::Values(0, 2));

}  // namespace
}  // namespace uplinkd::lab
