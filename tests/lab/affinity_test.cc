// Clients that come back, over the lines of a lab.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr int kClients = 40;

// What the spec says in `balance`, and behind it.
std::string By(const std::string& key, const std::string& lifetime) {
  return "    affinity: {by: " + key + ", lifetime: " + lifetime + "}\n";
}

class AffinityLab : public AgentLab {
 protected:
  void BeginWith(const LabSpec& spec) {
    ASSERT_NO_FATAL_FAILURE(Begin(
        {.lines = std::vector<Line>(3), .client_addresses = kClients}, spec));
  }

  // The uplink that each client gets for one more connection.
  std::vector<std::string> Visit() {
    std::vector<Connection> connections;
    std::vector<std::string> answers;
    Connect(kClients, kClients, &connections, &answers);
    return answers;
  }

  static std::size_t Differing(const std::vector<std::string>& a,
                               const std::vector<std::string>& b) {
    std::size_t differing = 0;
    for (std::size_t i = 0; i < a.size(); ++i) differing += a[i] != b[i];
    return differing;
  }
};

// Without affinity the same 40 clients would agree by a chance of 1 in 3^40.
TEST_F(AffinityLab, AClientKeepsItsUplinkThroughCommitsSpecsAndRestarts) {
  LabSpec spec{.uplinks = 3, .more = By("source", "10m")};
  ASSERT_NO_FATAL_FAILURE(BeginWith(spec));
  const std::vector<std::string> first = Visit();
  EXPECT_EQ(Tally(first).size(), 3U);
  EXPECT_EQ(Visit(), first);
  ASSERT_TRUE(OnRouter(kForeignCommit).Ok());
  EXPECT_EQ(Visit(), first);
  // Other weights, another lifetime, another algorithm.
  spec.capacities = {1, 50, 1};
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  EXPECT_EQ(Visit(), first);
  spec.more = By("source", "1h");
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  EXPECT_EQ(Visit(), first);
  spec.algorithm = "round-robin";
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  EXPECT_EQ(Visit(), first);
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
  EXPECT_EQ(Visit(), first);
  // Without it they are free again, and no list is left behind.
  spec.more = "";
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  EXPECT_NE(Visit(), first);
  EXPECT_EQ(OnRouter("ls /proc/net/xt_recent").output.find("UPL-SAME"),
            std::string::npos);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(AffinityLab, ADeadUplinkLetsItsClientsGoAtOnceAndTheOthersStay) {
  ASSERT_NO_FATAL_FAILURE(
      BeginWith({.uplinks = 3, .more = By("source", "10m")}));
  const std::vector<std::string> first = Visit();
  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  const std::vector<std::string> without = Visit();
  for (int i = 0; i < kClients; ++i) {
    const auto client = static_cast<std::size_t>(i);
    if (first[client] == UplinkAddress(2)) {
      EXPECT_NE(without[client], UplinkAddress(2));
    } else {
      EXPECT_EQ(without[client], first[client]);
    }
  }
  // Whoever has got another one keeps that one: it is alive.
  ASSERT_TRUE(OnRouter("ip link set wan2 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(Visit(), without);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(AffinityLab, AClientThatStaysAwayForALifetimeIsForgotten) {
  ASSERT_NO_FATAL_FAILURE(
      BeginWith({.uplinks = 3, .more = By("source", "2s")}));
  const std::vector<std::string> first = Visit();
  EXPECT_EQ(Visit(), first);
  std::this_thread::sleep_for(seconds(3));
  EXPECT_GT(Differing(Visit(), first), 5U);
}

// The kernel keeps the newest 100 of each list; the oldest is decided anew, and
// nothing else happens.
TEST_F(AffinityLab, WhoeverIsPushedOffAFullListIsDecidedAnew) {
  constexpr int kMany = 150;
  ASSERT_NO_FATAL_FAILURE(
      Begin({.client_addresses = kMany},
            {.algorithm = "failover",
             .more = By("source", "10m") + "    tiers: [[wan1, wan2]]\n"}));
  const auto entries = [this](const std::string& list) {
    return std::stoi(OnRouter("wc -l < /proc/net/xt_recent/" + list).output);
  };
  const int most = std::stoi(
      OnRouter("cat /sys/module/xt_recent/parameters/ip_list_tot").output);
  EXPECT_EQ(Shares(kMany, kMany).at(UplinkAddress(1)), kMany);
  EXPECT_EQ(entries("UPL-SAME.1"), std::min(most, kMany));
  EXPECT_EQ(entries("UPL-SAME.2"), 0);
  EXPECT_EQ(Shares(kMany, kMany).at(UplinkAddress(1)), kMany);
}

// failover would take the first again; its clients have one that works.
TEST_F(AffinityLab, ATierKeepsItsClientsWhereverItsOrderPoints) {
  ASSERT_NO_FATAL_FAILURE(BeginWith(
      {.uplinks = 3,
       .algorithm = "failover",
       .more = By("source", "10m") + "    tiers: [[wan1, wan2], [wan3]]\n"}));
  EXPECT_EQ(Tally(Visit()).at(UplinkAddress(1)), kClients);
  ASSERT_TRUE(OnRouter("ip link set wan1 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Waiting"));
  EXPECT_EQ(Tally(Visit()).at(UplinkAddress(2)), kClients);
  ASSERT_TRUE(OnRouter("ip link set wan1 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Ready"));
  EXPECT_EQ(Tally(Visit()).at(UplinkAddress(2)), kClients);
  // A lower tier serves only while no higher one can.
  ASSERT_TRUE(OnRouter("ip link set wan1 down; ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  EXPECT_EQ(Tally(Visit()).at(UplinkAddress(3)), kClients);
  ASSERT_TRUE(OnRouter("ip link set wan2 up").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_EQ(Tally(Visit()).at(UplinkAddress(2)), kClients);
}

// A client and a server agree on an uplink; with another server the client may
// have another one.
class PairAffinityLab : public AffinityLab {
 protected:
  static constexpr int kServers = 16;

  static std::string Server(int number) {
    return "203.0.113." + std::to_string(10 + number);
  }

  void BeginWithServers(const LabSpec& spec) {
    ASSERT_NO_FATAL_FAILURE(BeginWith(spec));
    std::string addresses;
    for (int i = 1; i < kServers; ++i) {
      addresses += "ip addr add " + Server(i) + "/32 dev lo\n";
    }
    ASSERT_TRUE(Shell(lab_->server(), addresses).Ok());
    for (std::size_t n = 1; n <= 3; ++n) {
      const CommandResult routed =
          Shell(lab_->provider(n), "ip route add 203.0.113.0/24 via 198.19." +
                                       std::to_string(n) + ".2");
      ASSERT_TRUE(routed.Ok()) << routed.output;
    }
  }

  // The uplink that each of two clients gets to each server.
  std::vector<std::string> VisitAll() {
    std::vector<std::string> answers;
    for (int i = 0; i < 2 * kServers; ++i) {
      answers.push_back(SourceOf(
          {.source = ClientAddress(i % 2), .destination = Server(i / 2)}));
    }
    return answers;
  }
};

TEST_F(PairAffinityLab, AClientAndAServerKeepTheirUplink) {
  LabSpec spec{.uplinks = 3, .more = By("source-destination", "10m")};
  ASSERT_NO_FATAL_FAILURE(BeginWithServers(spec));
  const std::vector<std::string> first = VisitAll();
  // Each pair is a decision of its own.
  EXPECT_EQ(Tally(first).size(), 3U);
  EXPECT_EQ(VisitAll(), first);
  ASSERT_TRUE(OnRouter(kForeignCommit).Ok());
  spec.capacities = {1, 50, 1};
  ASSERT_NO_FATAL_FAILURE(Apply(spec));
  EXPECT_EQ(VisitAll(), first);

  ASSERT_TRUE(OnRouter("ip link set wan2 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Waiting"));
  const std::vector<std::string> without = VisitAll();
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == UplinkAddress(2)) {
      EXPECT_NE(without[i], UplinkAddress(2));
    } else {
      EXPECT_EQ(without[i], first[i]);
    }
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
  // It says so for a known pair as for an unknown one.
  const CommandResult trace =
      agent_->Ctl({"trace", "--from", ClientAddress(0), "--to", Server(3),
                   "--proto", "tcp", "--dport", "443", "--in", "lan0"});
  EXPECT_THAT(trace.output, HasSubstr("-d 0.0.0.13/0.0.0.15"));
  EXPECT_THAT(trace.output, HasSubstr("by what the client had before"));
}

}  // namespace
}  // namespace uplinkd::lab
