// Real IPv6 traffic through the agent: two providers that each delegate a
// prefix and drop what does not come from it, and LAN clients with addresses of
// neither.
//
// In addition to the lab's IPv4: the client is fd00:10::2 behind fd00:10::1,
// uplink N is 2001:db8:N::2 behind fe80::1, its delegated prefix
// 2001:db8:aN::/64 has an address on the router's link pdN, and the server is
// 2001:db8:cafe::10.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/lab/agent_lab.h"

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

constexpr char kServer6[] = "2001:db8:cafe::10";
constexpr char kNoDad[] =
    "sysctl -qw net.ipv6.conf.all.accept_dad=0 "
    "net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=1\n";

std::string Numbered(std::string text, std::size_t n) {
  const std::string number = std::to_string(n);
  for (std::size_t at = text.find('@'); at != std::string::npos;
       at = text.find('@', at + number.size())) {
    text.replace(at, 1, number);
  }
  return text;
}

// What the words of ip and ip6tables say of everything in IPv6.
constexpr char kShowIpv6[] =
    "ip -6 rule; ip -6 route show table all | grep -v expires | sort; "
    "for t in mangle nat; do ip6tables-legacy-save -t $t | grep -v '^#' "
    "| sed 's/\\[.*\\]//'; done";

class Ipv6Lab : public AgentLab {
 protected:
  void BuildIpv6() {
    ASSERT_NO_FATAL_FAILURE(BuildLab());
    Do(lab_->router(),
       std::string(kNoDad) + "ip address add fd00:10::1/64 dev lan0 nodad");
    Do(lab_->client(),
       "ip address add fd00:10::2/64 dev eth0 nodad\n"
       "ip -6 route add default via fd00:10::1");
    Do(lab_->server(),
       std::string(kNoDad) + "ip address add " + kServer6 + "/128 dev lo");
    for (std::size_t n = 1; n <= 2; ++n) BuildLine(n);
  }

  void BuildLine(std::size_t n) {
    Do(lab_->provider(n),
       kNoDad + Numbered("ip address add fe80::1/64 dev cust0 nodad\n"
                         "ip -6 route add 2001:db8:@::/64 dev cust0\n"
                         "ip -6 route add 2001:db8:a@::/48 via 2001:db8:@::2 "
                         "dev cust0\n"
                         "ip address add 2001:db8:e@::1/64 dev up0 nodad\n"
                         "ip -6 route add 2001:db8:cafe::10 via "
                         "2001:db8:e@::2\n"
                         "ip6tables-legacy -A FORWARD -i cust0 -s "
                         "2001:db8:@::/64 -j ACCEPT\n"
                         "ip6tables-legacy -A FORWARD -i cust0 -s "
                         "2001:db8:a@::/48 -j ACCEPT\n"
                         "ip6tables-legacy -A FORWARD -i cust0 -j DROP",
                         n));
    Do(lab_->server(),
       Numbered("ip address add 2001:db8:e@::2/64 dev net@ nodad\n"
                "ip -6 route add 2001:db8:@::/64 via 2001:db8:e@::1 src "
                "2001:db8:cafe::10\n"
                "ip -6 route add 2001:db8:a@::/48 via 2001:db8:e@::1 src "
                "2001:db8:cafe::10",
                n));
    Do(lab_->router(),
       Numbered("ip link add pd@ type veth peer name pd@-far\n"
                "ip link set pd@ up\nip link set pd@-far up\n"
                "ip address add 2001:db8:a@::1/64 dev pd@ nodad\n"
                "ip address add 2001:db8:@::2/64 dev wan@ nodad\n"
                "ip -6 route add default via fe80::1 dev wan@ proto ra "
                "metric 102@",
                n));
  }

  static void Do(const Namespace& where, const std::string& script) {
    const CommandResult result = Shell(where, "set -e\n" + script);
    ASSERT_TRUE(result.Ok()) << result.output;
  }

  // `words`: the fields of uplink 1 and 2 about the families.
  void ApplyText(const std::string& words1, const std::string& words2,
                 const std::string& algorithm = "weighted-random") {
    const Result<v1::ApplyResponse> response = agent_->Apply(
        "apiVersion: uplinkd/v1\nkind: Router\nmetadata: {name: lab}\n"
        "spec:\n"
        "  lans: [{interface: lan0}]\n"
        "  uplinks:\n"
        "    - {name: wan1, interface: wan1, id: 1, weight: 1, " +
        words1 +
        "}\n"
        "    - {name: wan2, interface: wan2, id: 2, weight: 1, " +
        words2 +
        "}\n"
        "  balance: {algorithm: " +
        algorithm + "}\n");
    ASSERT_TRUE(response) << response.error().message << agent_->Log();
  }

  // The sources of `count` new connections to `server`.
  std::map<std::string, int> Sources(const std::string& server, int count) {
    std::map<std::string, int> sources;
    lab_->client().Run([&] {
      for (int i = 0; i < count; ++i) {
        Result<Connection> connection =
            Connection::OpenHere({.destination = server});
        const Result<std::string> answer =
            connection ? connection->Ask() : tl::unexpected(connection.error());
        ++sources[answer ? *answer : answer.error().message];
      }
    });
    return sources;
  }

  std::string ShowIpv6() const { return OnRouter(kShowIpv6).output; }
};

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
