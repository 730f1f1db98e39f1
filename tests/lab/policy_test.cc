// Policies, traffic rules and the router's own connections, with real traffic.
#include <sys/fsuid.h>

#include <set>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class Policies : public AgentLab {
 protected:
  void SetLink(std::size_t n, const std::string& state) {
    const std::string link = UplinkInterface(n);
    ASSERT_TRUE(OnRouter("ip link set " + link + " " + state).Ok());
    ASSERT_NO_FATAL_FAILURE(
        WaitForPhase(link, state == "up" ? "Ready" : "Waiting"));
  }
};

LabSpec ThreeUplinks(const std::string& more) {
  return {.uplinks = 3, .algorithm = "failover", .more = more};
}

LabOptions ThreeLines() {
  return {.lines = std::vector<Line>(3), .client_addresses = 3};
}

TEST_F(Policies, TrafficRulesSayWhichUplinkAConnectionGets) {
  ASSERT_NO_FATAL_FAILURE(Begin(ThreeLines(), ThreeUplinks(R"(
    tiers: [[wan1]]
  policies:
    - {name: voice, algorithm: failover, tiers: [[wan3], [wan2]]}
  traffic:
    - {name: sip, match: {protocol: udp, destinationPorts: [5060, 7003]}, use: voice}
    - name: guests
      match: {source: [192.168.10.3/32, 192.168.10.4/32], not: {protocol: udp, source: [192.168.10.4/32]}}
      use: wan2
)")));
  EXPECT_EQ(SourceOf({}), UplinkAddress(1));
  EXPECT_EQ(SourceOf({.port = kUdpEchoPort, .transport = Transport::kUdp}),
            UplinkAddress(3));
  EXPECT_EQ(SourceOf({.source = ClientAddress(1)}), UplinkAddress(2));
  EXPECT_EQ(SourceOf({.source = ClientAddress(2)}), UplinkAddress(1));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(Policies, ATierServesWhileTheOneBeforeItCannot) {
  ASSERT_NO_FATAL_FAILURE(Begin(ThreeLines(), ThreeUplinks(R"(
    tiers: [[wan3], [wan2], [wan1]]
)")));
  EXPECT_EQ(SourceOf({}), UplinkAddress(3));
  ASSERT_NO_FATAL_FAILURE(SetLink(3, "down"));
  EXPECT_EQ(SourceOf({}), UplinkAddress(2));
  ASSERT_NO_FATAL_FAILURE(SetLink(2, "down"));
  EXPECT_EQ(SourceOf({}), UplinkAddress(1));
  ASSERT_NO_FATAL_FAILURE(SetLink(3, "up"));
  EXPECT_EQ(SourceOf({}), UplinkAddress(3));
}

TEST_F(Policies, WithoutALivingMemberTheLastResortDecides) {
  ASSERT_NO_FATAL_FAILURE(Begin(ThreeLines(), ThreeUplinks(R"(
    tiers: [[wan1]]
  policies:
    - {name: told, tiers: [[wan3]]}
    - {name: silent, tiers: [[wan3]], lastResort: blackhole}
  traffic:
    - {name: told, match: {source: [192.168.10.3/32]}, use: told}
    - {name: silent, match: {source: [192.168.10.4/32]}, use: silent}
)")));
  const Endpoint told{.source = ClientAddress(1)};
  const Endpoint silent{.source = ClientAddress(2),
                        .patience = std::chrono::milliseconds(300)};
  EXPECT_EQ(SourceOf(told), UplinkAddress(3));
  EXPECT_EQ(SourceOf(silent), UplinkAddress(3));
  ASSERT_NO_FATAL_FAILURE(SetLink(3, "down"));
  EXPECT_THAT(SourceOf(told), HasSubstr("Network is unreachable"));
  EXPECT_THAT(SourceOf(silent), HasSubstr("in progress"));  // no answer
  EXPECT_EQ(SourceOf({}), UplinkAddress(1));
  // No connection keeps a last resort: the next attempt is a new decision.
  ASSERT_NO_FATAL_FAILURE(SetLink(3, "up"));
  EXPECT_EQ(SourceOf(told), UplinkAddress(3));
  EXPECT_EQ(SourceOf(silent), UplinkAddress(3));
}

TEST_F(Policies, ABudgetOutlastsOtherProgramsCommits) {
  ASSERT_NO_FATAL_FAILURE(Begin(ThreeLines(), ThreeUplinks(R"(
    tiers: [[wan1]]
  traffic:
    - {name: few, match: {limit: {rate: 1/hour, burst: 3, per: source}}, use: wan2}
)")));
  std::map<std::string, int> seen;
  for (int i = 0; i < 6; ++i) {
    ++seen[SourceOf({})];
    ASSERT_TRUE(OnRouter("iptables-legacy -t mangle -A FORWARD -p 99\n"
                         "iptables-legacy -t mangle -D FORWARD -p 99\n")
                    .Ok());
  }
  EXPECT_THAT(
      seen, ElementsAre(Pair(UplinkAddress(1), 3), Pair(UplinkAddress(2), 3)));
  // Another client has a budget of its own.
  EXPECT_EQ(SourceOf({.source = ClientAddress(1)}), UplinkAddress(2));
}

TEST_F(Policies, ForeignMarksDecideAndStay) {
  ASSERT_NO_FATAL_FAILURE(BuildLab(ThreeLines()));
  ASSERT_TRUE(OnRouter("iptables-legacy -t raw -A PREROUTING -s 192.168.10.3 "
                       "-j MARK --set-mark 0x1200")
                  .Ok());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply(ThreeUplinks(R"(
    tiers: [[wan1]]
  traffic:
    - {name: tagged, match: {mark: 0x1000/0xff000}, use: wan2}
)")));
  ASSERT_TRUE(OnRouter("iptables-legacy -t mangle -A FORWARD -m mark --mark "
                       "0x1202 -m comment --comment both")
                  .Ok());
  EXPECT_EQ(SourceOf({}), UplinkAddress(1));
  EXPECT_EQ(SourceOf({.source = ClientAddress(1)}), UplinkAddress(2));
  EXPECT_THAT(OnRouter("iptables-legacy-save -c -t mangle | grep both").output,
              ::testing::Not(::testing::StartsWith("[0:0]")));
}

// Of all our rules, the packets of an established connection meet the same two,
// however many traffic rules there are.
TEST_F(Policies, EstablishedPacketsMeetTwoRules) {
  std::string more = "    tiers: [[wan1]]\n  traffic:\n";
  for (int i = 0; i < 1000; ++i) {
    more += "    - {name: r" + std::to_string(i) +
            ", match: {protocol: tcp, destinationPorts: [" +
            std::to_string(10000 + i) + "]}, use: wan2}\n";
  }
  ASSERT_NO_FATAL_FAILURE(Begin(ThreeLines(), ThreeUplinks(more)));
  Result<Connection> connection = Connection::Open(lab_->client(), {});
  ASSERT_TRUE(connection) << connection.error().message;
  ASSERT_TRUE(connection->Ask());
  const auto counted = [this] {
    return OnRouter(
               "iptables-legacy-save -c -t mangle | grep -- '-A UPL-' | "
               "grep -v -e '-A UPL-PREROUTING .*CONNMARK' "
               "-e '-A UPL-PREROUTING .*RETURN'")
        .output;
  };
  const std::string before = counted();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(connection->Ask());
  EXPECT_EQ(counted(), before);
}

// ---- the router's own connections; the parameter is rp_filter ----

class Local : public Policies, public testing::WithParamInterface<int> {
 protected:
  void BeginWith(const std::string& more) {
    ASSERT_NO_FATAL_FAILURE(Begin({.rp_filter = GetParam()}, {.more = more}));
  }

  std::set<std::string> Sources(const Endpoint& endpoint = {}) const {
    std::set<std::string> sources;
    for (int i = 0; i < 40; ++i) {
      sources.insert(SourceFrom(lab_->router(), endpoint));
    }
    return sources;
  }
};

TEST_P(Local, AreBalancedWithTheRightSource) {
  ASSERT_NO_FATAL_FAILURE(BeginWith("  local: {use: balance}\n"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1), UplinkAddress(2)));
  EXPECT_THAT(Sources({.port = kUdpEchoPort, .transport = Transport::kUdp}),
              ElementsAre(UplinkAddress(1), UplinkAddress(2)));
  // A socket that is bound to the second uplink keeps to it.
  EXPECT_THAT(Sources({.source = UplinkAddress(2)}),
              ElementsAre(UplinkAddress(2)));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Local, FollowTheUplinksThatWork) {
  ASSERT_NO_FATAL_FAILURE(BeginWith("  local: {use: balance}\n"));
  ASSERT_NO_FATAL_FAILURE(SetLink(1, "down"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(2)));
  ASSERT_NO_FATAL_FAILURE(SetLink(1, "up"));
  ASSERT_NO_FATAL_FAILURE(SetLink(2, "down"));
  // The lease's default route went with the link, and nobody renewed it.
  ASSERT_TRUE(OnRouter("ip route replace default via " + GatewayAddress(1) +
                       " dev wan1 metric 100")
                  .Ok());
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
}

TEST_P(Local, RulesByUserComeFirst) {
  ASSERT_NO_FATAL_FAILURE(BeginWith(R"(
  traffic:
    - {name: backup, match: {uid: [1000]}, use: wan2}
)"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  std::string source;
  lab_->router().Run([&source] {
    setfsuid(1000);
    Result<Connection> connection = Connection::OpenHere({});
    setfsuid(0);
    const Result<std::string> answer =
        connection ? connection->Ask() : tl::unexpected(connection.error());
    source = answer ? *answer : answer.error().message;
  });
  EXPECT_EQ(source, UplinkAddress(2));
}

INSTANTIATE_TEST_SUITE_P(RpFilter, Local, testing::Values(0, 2));

}  // namespace
}  // namespace uplinkd::lab
