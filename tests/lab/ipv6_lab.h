// Ipv6Lab: the lab with IPv6 as well, in the wild's ugly form: two providers
// that each delegate a prefix and drop what does not come from it, and LAN
// clients with addresses of neither.
//
// In addition to the lab's IPv4: the client is fd00:10::2 behind fd00:10::1,
// uplink N is 2001:db8:N::2 behind fe80::1, its delegated prefix
// 2001:db8:aN::/64 has an address on the router's link pdN, and the server is
// 2001:db8:cafe::10. Not for production code.
#ifndef UPLINKD_TESTS_LAB_IPV6_LAB_H_
#define UPLINKD_TESTS_LAB_IPV6_LAB_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {

inline constexpr char kServer6[] = "2001:db8:cafe::10";
inline constexpr char kNoDad[] =
    "sysctl -qw net.ipv6.conf.all.accept_dad=0 "
    "net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.forwarding=1\n";

inline std::string Numbered(std::string text, std::size_t n) {
  const std::string number = std::to_string(n);
  for (std::size_t at = text.find('@'); at != std::string::npos;
       at = text.find('@', at + number.size())) {
    text.replace(at, 1, number);
  }
  return text;
}

// What the words of ip and ip6tables say of everything in IPv6.
inline constexpr char kShowIpv6[] =
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

  // New links are not spoken to before their addresses are known to be theirs
  // alone, so that the first probes may get no answer.
  void WaitUntilLinesAreUp() {
    WaitFor([](const v1::Status& status) {
      return status.uplinks_size() == 2 && InSync(status) &&
             std::ranges::all_of(status.uplinks(), [](const auto& uplink) {
               return uplink.health().state() == "Up";
             });
    });
  }

  std::string ShowIpv6() const { return OnRouter(kShowIpv6).output; }
};

}  // namespace uplinkd::lab

#endif  // UPLINKD_TESTS_LAB_IPV6_LAB_H_
