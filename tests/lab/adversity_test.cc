// Uplinks that misbehave, and how little the others may notice of it.
#include "tests/lab/agent_lab.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::Key;

class Adversity : public AgentLab {
 protected:
  void Open(int count) {
    ASSERT_NO_FATAL_FAILURE(Connect(count, 1, &connections_, &answers_));
    ASSERT_THAT(Tally(answers_),
                ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  }
  // Those of the first uplink go on, on it.
  void ExpectUndisturbed() {
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (answers_[i] != UplinkAddress(1)) continue;
      const Result<std::string> again = connections_[i].Ask();
      ASSERT_TRUE(again) << again.error().message;
      ASSERT_EQ(*again, answers_[i]);
    }
  }
  void ExpectWhole(const std::string& whole) {
    EXPECT_TRUE(Eventually([&] { return OwnState(lab_->router()) == whole; },
                           seconds(10)))
        << OwnState(lab_->router()) << "\nwas\n"
        << whole;
    EXPECT_EQ(lab_->WrongSources(), 0U);
  }

  std::vector<Connection> connections_;
  std::vector<std::string> answers_;
};

TEST_F(Adversity, AFlappingLinkDisturbsNoOther) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  const std::string whole = OwnState(lab_->router());
  ASSERT_NO_FATAL_FAILURE(Open(40));
  for (int flap = 0; flap < 30; ++flap) {
    ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
    std::this_thread::sleep_for(milliseconds(flap % 7 * 5));
    ASSERT_TRUE(OnRouter("ip link set wan2 up").Ok());
    ASSERT_NO_FATAL_FAILURE(ExpectUndisturbed());
  }
  ExpectWhole(whole);
}

TEST_F(Adversity, AGatewayThatChangesAllTheTimeDisturbsNoOther) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {.learn = true}));
  ASSERT_TRUE(
      Shell(lab_->provider(2), "ip addr add 198.18.2.9/24 dev cust0").Ok());
  const std::string whole = OwnState(lab_->router());
  ASSERT_NO_FATAL_FAILURE(Open(40));
  for (int change = 0; change < 30; ++change) {
    for (const char* gateway : {"198.18.2.9", "198.18.2.1"}) {
      ASSERT_TRUE(OnRouter(std::string("ip route replace default via ") +
                           gateway + " dev wan2 metric 200")
                      .Ok());
    }
    ASSERT_NO_FATAL_FAILURE(ExpectUndisturbed());
  }
  ExpectWhole(whole);
  // Both lead to the same provider: its own connections go on, too.
  const Result<std::vector<std::string>> again = AskAll(connections_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, answers_);
}

TEST_F(Adversity, AnInterfaceThatVanishesDuringACommitDisturbsNoOther) {
  LabSpec spec;
  ASSERT_NO_FATAL_FAILURE(Begin({}, spec));
  ASSERT_NO_FATAL_FAILURE(Open(40));
  for (int round = 0; round < 15; ++round) {
    // Other weights each time, so that there is something to commit.
    spec.capacities = {10, 20 + round};
    spec.revision = std::to_string(round + 2);
    // Handed over without waiting for it.
    std::thread apply([&] {
      static_cast<void>(agent_->Apply(spec.Text(), milliseconds(0)));
    });
    std::this_thread::sleep_for(milliseconds(round % 5));
    EXPECT_TRUE(OnRouter("ip link del wan2").Ok());
    apply.join();
    ASSERT_NO_FATAL_FAILURE(ExpectUndisturbed());
    const CommandResult plugged = lab_->PlugIn(2);
    ASSERT_TRUE(plugged.Ok()) << plugged.output;
  }
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(Shares(40).size(), 2U);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

// The LAN keeps its router, and what lies behind it, with no uplink at all.
TEST_F(Adversity, WithoutAnyUplinkTheInsideIsReached) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  // A site that main has a route to, as a VPN adds one.
  ASSERT_TRUE(OnRouter("ip link del wan1\nip link del wan2\n"
                       "ip link add vpn0 type veth peer name site0 netns " +
                       lab_->server().Path() +
                       "\nip addr add 10.99.0.1/24 dev vpn0\n"
                       "ip link set vpn0 up\n"
                       "ip route add 10.50.0.0/16 via 10.99.0.2")
                  .Ok());
  ASSERT_TRUE(Shell(lab_->server(),
                    "ip addr add 10.99.0.2/24 dev site0\n"
                    "ip link set site0 up\nip addr add 10.50.0.1/32 dev lo\n"
                    "ip route add 192.168.10.0/24 via 10.99.0.1")
                  .Ok());
  Result<std::unique_ptr<TrafficServer>> router =
      TrafficServer::Start(lab_->router());
  ASSERT_TRUE(router) << router.error().message;
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({.more = "    lastResort: blackhole\n"}));
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Waiting"));
  for (const std::string inside :
       {kRouterLanAddress, "10.99.0.1", "10.50.0.1"}) {
    Result<Connection> connection =
        Connection::Open(lab_->client(), {.destination = inside});
    ASSERT_TRUE(connection) << inside << ": " << connection.error().message;
    EXPECT_EQ(connection->Ask().value_or("no answer"), ClientAddress())
        << inside;
  }
}

}  // namespace
}  // namespace uplinkd::lab
