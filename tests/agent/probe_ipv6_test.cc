// Probes by IPv6: the same questions, another family of the same line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/agent/probe_fixture.h"
#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using lab::DnsAnswer;
using lab::Transport;
using ::testing::HasSubstr;
using testing::Ip;

constexpr char kTarget[] = "2001:db8:cafe::1";

ProbePath BothFamilies() {
  return {"wan1",
          0,
          Ip("198.51.100.2"),
          Ip("198.51.100.1"),
          kMark,
          Ip("2001:db8:1::2")};
}

class Ipv6ProbeTest : public ProbeTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(ProbeTest::SetUp());
    Serve(
        Transport::kUdp, 53,
        [](const std::string& query) { return DnsAnswer(query, 0, true); },
        kTarget);
    Serve(
        Transport::kTcp, 80,
        [](const std::string& request) {
          return HttpAnswer("200 OK", request);
        },
        kTarget);
  }
};

TEST_F(Ipv6ProbeTest, EveryKindIsAnsweredFromTheUplinksAddress) {
  On(*provider_,
     "ip6tables-legacy -A INPUT -i cust1 ! -s 2001:db8:1::2 -p tcp -j DROP");
  // Whatever lacks the mark does not leave; neighbour discovery may.
  On(*router_,
     "ip6tables-legacy -A OUTPUT -d 2001:db8:cafe::1 -m mark ! --mark "
     "0xff/0xff -j DROP\n"
     "ip addr add 2001:db8:1::3/64 dev wan1 nodad");
  for (const Probe& probe :
       {Probe(IcmpProbe{Ip(kTarget)}), Probe(TcpProbe{Ip(kTarget), 80}),
        Probe(DnsProbe{Ip(kTarget), "a.example"}),
        Probe(HttpProbe{
            "http://[2001:db8:cafe::1]/a", {}, {}, "Host: [2001:db8:cafe::1]"}),
        Probe(HttpProbe{"http://check.example/", Ip(kTarget), 200,
                        "Host: check.example"})}) {
    SCOPED_TRACE(ProbeName(probe));
    EXPECT_ANSWERED(Ask(probe, kLong, BothFamilies()));
  }
}

TEST_F(Ipv6ProbeTest, ASilentTargetIsNoAnswer) {
  On(*provider_, "ip6tables-legacy -A INPUT -d 2001:db8:cafe::1 -j DROP");
  EXPECT_FAULT(Ask(IcmpProbe{Ip(kTarget)}, kShort, BothFamilies()),
               "no answer within 200ms");
  EXPECT_FAULT(Ask(TcpProbe{Ip(kTarget), 80}, kShort, BothFamilies()),
               "no answer within 200ms");
}

TEST_F(Ipv6ProbeTest, SaysWhatIsMissing) {
  EXPECT_FAULT(Ask(TcpProbe{Ip(kTarget), 81}, kLong, BothFamilies()),
               "Connection refused");
  ProbePath path = BothFamilies();
  path.source6.reset();
  const char kNone[] = "wan1 has no IPv6 address";
  EXPECT_FAULT(Ask(IcmpProbe{Ip(kTarget)}, kLong, path), kNone);
  EXPECT_FAULT(Ask(HttpProbe{"http://check.example/", Ip(kTarget), 200, ""},
                   kLong, path),
               kNone);
  path = BothFamilies();
  path.source.reset();
  EXPECT_FAULT(Ask(IcmpProbe{Ip("192.0.2.1")}, kLong, path),
               "wan1 has no IPv4 address");
  EXPECT_FAULT(Ask(ArpProbe{}, kLong, path), "wan1 has no IPv4 address");
}

}  // namespace
}  // namespace uplinkd
