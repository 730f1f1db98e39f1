// lowest-latency, with providers whose name servers answer late.
//
// The kernel of a lab may have no netem, so a provider keeps the probes'
// queries to itself, as some real ones do, and answers when the test says.
#include <atomic>

#include "tests/lab/agent_lab.h"
#include "tests/lab/stub_server.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::uint16_t kDns = 53;
constexpr char kQuery[] =
    "{probes: [{dns: {server: 203.0.113.10, name: example.net}}], "
    "interval: 100ms, timeout: 90ms}";

class LatencyLab : public AgentLab {
 protected:
  void BeginWithLateProviders() {
    ASSERT_NO_FATAL_FAILURE(BuildLab({}));
    for (const std::size_t n : {1U, 2U}) {
      ASSERT_NO_FATAL_FAILURE(AnswerAt(n));
    }
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(Apply({.algorithm = "lowest-latency",
                                   .health = kQuery,
                                   .more = "    tiers: [[wan1, wan2]]\n"}));
  }

  void AnswerAt(std::size_t n) {
    auto server = StubServer::Start(
        lab_->provider(n),
        {.destination = GatewayAddress(n),
         .port = kDns,
         .transport = Transport::kUdp},
        [delay = &delays_.at(n - 1)](const std::string& query) {
          std::this_thread::sleep_for(milliseconds(delay->load()));
          return DnsAnswer(query, 0, true);
        });
    ASSERT_TRUE(server) << server.error().message;
    stubs_.push_back(std::move(*server));
    const CommandResult redirected =
        Shell(lab_->provider(n),
              "iptables-legacy -t nat -A PREROUTING -i cust0 -p udp --dport 53 "
              "-j REDIRECT");
    ASSERT_TRUE(redirected.Ok()) << redirected.output;
  }

  // New connections all go by this uplink, sooner or later.
  bool AllComeToGoBy(std::size_t n) {
    return Eventually(
        [&] {
          const std::map<std::string, int> shares = Shares(4);
          return shares.size() == 1 && shares.contains(UplinkAddress(n));
        },
        seconds(10));
  }

  std::array<std::atomic<int>, 2> delays_{};  // in milliseconds
  std::vector<std::unique_ptr<StubServer>> stubs_;
};

TEST_F(LatencyLab, NewConnectionsTakeTheLineThatAnswersSooner) {
  ASSERT_NO_FATAL_FAILURE(BeginWithLateProviders());
  EXPECT_TRUE(AllComeToGoBy(1));
  std::vector<Connection> connections;
  std::vector<std::string> first;
  ASSERT_NO_FATAL_FAILURE(Connect(10, 1, &connections, &first));

  delays_[0] = 30;
  EXPECT_TRUE(AllComeToGoBy(2));
  EXPECT_THAT(agent_->Log(), HasSubstr("policy balance: new connections go by "
                                       "wan2, which takes "));
  // Those that stood already keep their line.
  const Result<std::vector<std::string>> again = AskAll(connections);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, first);

  // Both alike: nothing moves, and nothing is written.
  delays_[1] = 30;
  std::this_thread::sleep_for(seconds(1));
  const std::string before = OwnState(lab_->router());
  std::this_thread::sleep_for(seconds(2));
  EXPECT_EQ(OwnState(lab_->router()), before);
  EXPECT_THAT(Shares(10), ElementsAre(Pair(UplinkAddress(2), 10)));

  delays_[0] = 0;
  EXPECT_TRUE(AllComeToGoBy(1));
  EXPECT_EQ(lab_->WrongSources(), 0U);
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->corrections(), 0U);
}

TEST_F(LatencyLab, TheOtherLineTakesOverWhenTheSoonestDies) {
  ASSERT_NO_FATAL_FAILURE(BeginWithLateProviders());
  delays_[1] = 30;
  EXPECT_TRUE(AllComeToGoBy(1));
  ASSERT_TRUE(OnRouter("ip link set wan1 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Waiting"));
  EXPECT_THAT(Shares(10), ElementsAre(Pair(UplinkAddress(2), 10)));
  // It comes back, is measured, and is sooner.
  ASSERT_TRUE(OnRouter("ip link set wan1 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Ready"));
  EXPECT_TRUE(AllComeToGoBy(1));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

}  // namespace
}  // namespace uplinkd::lab
