// Real IPv6 traffic through the agent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/lab/ipv6_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST_F(Ipv6Lab, TranslatesPrefixesAndFollowsThem) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(
      ApplyText("family: both, nat6: prefix, prefix6Interface: pd1",
                "family: both, nat6: prefix, prefix6Interface: pd2"));
  EXPECT_THAT(Sources(kServer6, 40),
              UnorderedElementsAre(Pair("2001:db8:a1::2", Gt(5)),
                                   Pair("2001:db8:a2::2", Gt(5))))
      << ShowIpv6();
  EXPECT_THAT(Sources(kServerAddress, 40),
              UnorderedElementsAre(Pair(UplinkAddress(1), Gt(5)),
                                   Pair(UplinkAddress(2), Gt(5))));

  // The first provider delegates another prefix.
  Do(lab_->provider(1),
     "ip -6 route add 2001:db8:b1::/48 via 2001:db8:1::2 dev cust0\n"
     "ip6tables-legacy -I FORWARD -i cust0 -s 2001:db8:b1::/48 -j ACCEPT");
  Do(lab_->server(),
     "ip -6 route add 2001:db8:b1::/48 via 2001:db8:e1::1 src "
     "2001:db8:cafe::10");
  Do(lab_->router(),
     "ip address add 2001:db8:b1::1/64 dev pd1 nodad\n"
     "ip address change 2001:db8:a1::1/64 dev pd1 preferred_lft 0");
  EXPECT_TRUE(Eventually(
      [&] {
        return OnRouter("ip6tables-legacy-save -t nat")
                   .output.find("--to 2001:db8:b1::/64") != std::string::npos;
      },
      std::chrono::seconds(5)))
      << ShowIpv6();
  EXPECT_THAT(Sources(kServer6, 40),
              UnorderedElementsAre(Pair("2001:db8:b1::2", Gt(5)),
                                   Pair("2001:db8:a2::2", Gt(5))));
}

TEST_F(Ipv6Lab, EachFamilyHasTheUplinksThatCarryIt) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: ipv4", "family: ipv6"));
  EXPECT_THAT(Sources(kServer6, 10),
              UnorderedElementsAre(Pair("2001:db8:2::2", 10)));
  EXPECT_THAT(Sources(kServerAddress, 10),
              UnorderedElementsAre(Pair(UplinkAddress(1), 10)));

  const std::vector<std::string> trace = {
      "trace", "--to", kServer6, "--in", "lan0", "--from", "fd00:10::2"};
  EXPECT_THAT(
      agent_->Ctl(trace).output,
      AllOf(HasSubstr("wan2: 2001:db8:cafe::10/128 via fe80::1 dev wan2"),
            HasSubstr("SNAT --to-source 2001:db8:2::2")));

  // Both carry both, but the second loses its router.
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: both", "family: both"));
  EXPECT_THAT(Sources(kServer6, 40),
              UnorderedElementsAre(Key("2001:db8:1::2"), Key("2001:db8:2::2")));
  Do(lab_->router(), "ip -6 route del default dev wan2");
  WaitFor([](const v1::Status& status) {
    return status.warnings_size() == 1 && InSync(status);
  });
  EXPECT_THAT(agent_->Status()->warnings(0),
              HasSubstr("wan2 carries no IPv6: no IPv6 gateway is known"));
  EXPECT_THAT(Sources(kServer6, 20),
              UnorderedElementsAre(Pair("2001:db8:1::2", 20)));
  EXPECT_THAT(
      Sources(kServerAddress, 40),
      UnorderedElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
}

// Opens connections to `server` until `count` of them have that source.
std::vector<Connection> OpenFrom(const Namespace& client,
                                 const std::string& server,
                                 const std::string& source, int count) {
  std::vector<Connection> kept;
  client.Run([&] {
    for (int i = 0; i < 100 && static_cast<int>(kept.size()) < count; ++i) {
      Result<Connection> one = Connection::OpenHere({.destination = server});
      if (!one) continue;
      const Result<std::string> answer = one->Ask();
      if (answer && *answer == source) kept.push_back(std::move(*one));
    }
  });
  EXPECT_THAT(kept, SizeIs(count)) << "from " << source;
  return kept;
}

TEST_F(Ipv6Lab, LosingIpv6AloneCutsThoseConnectionsAlone) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: both", "family: both"));
  const Namespace& client = lab_->client();
  std::vector<Connection> lost = OpenFrom(client, kServer6, "2001:db8:2::2", 3);
  std::vector<Connection> other =
      OpenFrom(client, kServer6, "2001:db8:1::2", 3);
  std::vector<Connection> ipv4 =
      OpenFrom(client, kServerAddress, UplinkAddress(2), 3);
  Do(lab_->router(), "ip -6 route del default dev wan2");
  WaitFor([](const v1::Status& status) {
    return status.warnings_size() == 1 && InSync(status);
  });
  for (Connection& connection : lost) EXPECT_FALSE(connection.Ask());
  for (Connection& connection : other) EXPECT_TRUE(connection.Ask());
  for (Connection& connection : ipv4) EXPECT_TRUE(connection.Ask());
  EXPECT_THAT(agent_->Log(), HasSubstr("IPv6 connections of wan2, which "
                                       "stopped carrying them"));
}

TEST_F(Ipv6Lab, ProbesByIpv6FindADeadLineAndItsReturn) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string words =
      "family: both, health: {interval: 200ms, quorum: 2, probes: [{icmp: " +
      std::string(kServerAddress) + "}, {tcp: \"[" + kServer6 +
      "]:" + std::to_string(kEchoPort) + "\"}]}";
  ASSERT_NO_FATAL_FAILURE(ApplyText(words, words));
  ASSERT_NO_FATAL_FAILURE(WaitUntilLinesAreUp());
  const std::string rule =
      " FORWARD -i cust0 -d " + std::string(kServer6) + " -j DROP";
  Do(lab_->provider(2), "ip6tables-legacy -I" + rule);
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Down"));
  EXPECT_THAT(Sources(kServer6, 10),
              UnorderedElementsAre(Pair("2001:db8:1::2", 10)));
  EXPECT_THAT(Sources(kServerAddress, 10),
              UnorderedElementsAre(Pair(UplinkAddress(1), 10)));
  Do(lab_->provider(2), "ip6tables-legacy -D" + rule);
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
}

TEST_F(Ipv6Lab, EveryAlgorithmSpreadsBothFamilies) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  const std::string words = "family: both, capacity: {download: 10mbit}";
  // How many uplinks one idle client is sure to get. Least-connections levels
  // out what both families have together.
  const std::map<std::string, int> at_least = {{"least-loaded", 1},
                                               {"round-robin", 2},
                                               {"source-hash", 1},
                                               {"least-connections", 1},
                                               {"multipath", 1}};
  for (const auto& [algorithm, ways] : at_least) {
    ASSERT_NO_FATAL_FAILURE(ApplyText(words, words, algorithm));
    EXPECT_THAT(Sources(kServer6, 40),
                AllOf(SizeIs(Ge(ways)), Each(Key(HasSubstr("2001:db8:")))))
        << algorithm << ShowIpv6();
    EXPECT_THAT(Sources(kServerAddress, 40),
                AllOf(SizeIs(Ge(ways)), Each(Key(HasSubstr("198.18.")))))
        << algorithm;
    const Result<v1::DiffResponse> diff = agent_->Diff();
    ASSERT_TRUE(diff);
    EXPECT_EQ(diff->plan_size(), 0) << algorithm << diff->DebugString();
  }
}

TEST_F(Ipv6Lab, NeverMarksNeighbourDiscovery) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  std::string count = "set -e\n";
  for (const char* hook : {"INPUT", "POSTROUTING"}) {
    for (const char* type : {"135", "136"}) {
      for (const char* mark : {"", " -m mark ! --mark 0x0/0xff"}) {
        count += std::string("ip6tables-legacy -t mangle -A ") + hook +
                 " -p icmpv6 --icmpv6-type " + type + mark + "\n";
      }
    }
  }
  Do(lab_->router(), count);
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(
      ApplyText("family: both, nat6: prefix, prefix6Interface: pd1",
                "family: both, nat6: prefix, prefix6Interface: pd2"));
  EXPECT_THAT(Sources(kServer6, 10), Not(IsEmpty()));
  Do(lab_->router(), "ip -6 neigh flush all");
  EXPECT_THAT(Sources(kServer6, 10), SizeIs(2));
  const std::string marked =
      OnRouter(
          "ip6tables-legacy-save -c -t mangle | grep 'mark ! ' | "
          "grep icmp6 | grep -v '^.0:0. '")
          .output;
  EXPECT_EQ(marked, "");
  const std::string seen =
      OnRouter(
          "ip6tables-legacy-save -c -t mangle | grep icmp6 | "
          "grep -v 'mark !' | grep -v '^.0:0. '")
          .output;
  EXPECT_THAT(seen, HasSubstr("--icmpv6-type 135"));
  EXPECT_THAT(seen, HasSubstr("--icmpv6-type 136"));
}

TEST_F(Ipv6Lab, LeavesNothingBehindAndForeignStateAsItIs) {
  ASSERT_NO_FATAL_FAILURE(BuildIpv6());
  Do(lab_->router(),
     "ip6tables-legacy -t mangle -N MINE\n"
     "ip6tables-legacy -t mangle -A PREROUTING -i lan0 -j MINE\n"
     "ip6tables-legacy -t nat -A POSTROUTING -o lan0 -j MASQUERADE\n"
     "ip -6 rule add priority 20005 from 2001:db8:f::/48 lookup 77\n"
     "ip -6 route add 2001:db8:f::/48 dev lan0 table 11");
  // Once they are known to be nobody else's, addresses of the links get routes.
  ASSERT_TRUE(Eventually(
      [this] { return OnRouter("ip -6 address show tentative").output == ""; },
      std::chrono::seconds(10)));
  const std::string before = ShowIpv6();
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  // Not a word of IPv6, not an object of it.
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: ipv4", "nat: masquerade"));
  EXPECT_EQ(ShowIpv6(), before);
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: both", "family: ipv6"));
  EXPECT_THAT(ShowIpv6(), HasSubstr("UPL-"));
  // The spec takes IPv6 back.
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: ipv4", "family: ipv4"));
  EXPECT_EQ(ShowIpv6(), before);
  ASSERT_NO_FATAL_FAILURE(ApplyText("family: both", "family: both"));
  ASSERT_TRUE(agent_->Cleanup());
  EXPECT_EQ(ShowIpv6(), before);
}

}  // namespace
}  // namespace uplinkd::lab
