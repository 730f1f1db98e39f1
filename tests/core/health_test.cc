// The values of health: names of probes, URLs and host names.
#include "reconciler/health.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using testing::Ip;

TEST(Probe, IsNamedByWhatItAsks) {
  EXPECT_EQ(ProbeName(IcmpProbe{Ip("192.0.2.53")}), "icmp 192.0.2.53");
  EXPECT_EQ(ProbeName(TcpProbe{Ip("198.51.100.7"), 443}),
            "tcp 198.51.100.7:443");
  EXPECT_EQ(ProbeName(TcpProbe{Ip("2001:db8::7"), 443}),
            "tcp [2001:db8::7]:443");
  EXPECT_EQ(ProbeName(DnsProbe{Ip("192.0.2.53"), "example.net"}),
            "dns example.net at 192.0.2.53");
  EXPECT_EQ(ProbeName(HttpProbe{"http://192.0.2.80/", {}, {}, ""}),
            "http http://192.0.2.80/");
  EXPECT_EQ(
      ProbeName(HttpProbe{"http://a.example/", Ip("192.0.2.80"), 204, ""}),
      "http http://a.example/ at 192.0.2.80");
  EXPECT_EQ(ProbeName(ArpProbe{}), "arp gateway");
  EXPECT_EQ(ProbeName(ArpProbe{Ip("192.0.2.1")}), "arp 192.0.2.1");
}

// A name is a label of the metrics, which many may read.
TEST(Probe, IsNamedWithoutTheQueryOfItsUrl) {
  const auto name = [](const std::string& url) {
    return ProbeName(HttpProbe{url, Ip("192.0.2.80"), {}, ""});
  };
  const std::string first = name("https://a.example/up?token=abc");
  EXPECT_EQ(first.find("abc"), std::string::npos) << first;
  EXPECT_EQ(first.find("http https://a.example/up?0x"), 0U) << first;
  EXPECT_TRUE(first.ends_with(" at 192.0.2.80")) << first;
  EXPECT_EQ(name("https://a.example/up?token=abc"), first);
  EXPECT_NE(name("https://a.example/up?token=abd"), first);
  EXPECT_NE(name("https://a.example/up"), first);
}

TEST(Probe, AsksByTheFamilyOfItsTarget) {
  const Address six = Ip("2001:db8::1");
  for (const Probe& probe :
       {Probe(IcmpProbe{six}), Probe(TcpProbe{six, 80}),
        Probe(DnsProbe{six, "example.net"}),
        Probe(HttpProbe{"http://a.example/", six, {}, ""}),
        Probe(HttpProbe{"https://[2001:db8::1]:80/", {}, {}, ""})}) {
    EXPECT_EQ(FamilyOf(probe), Family::kIpv6) << ProbeName(probe);
  }
  const Address four = Ip("192.0.2.1");
  for (const Probe& probe :
       {Probe(IcmpProbe{four}), Probe(TcpProbe{four, 80}),
        Probe(DnsProbe{four, "example.net"}),
        Probe(HttpProbe{"http://a.example/", four, {}, ""}),
        Probe(HttpProbe{"http://192.0.2.1/", {}, {}, ""}), Probe(ArpProbe{})}) {
    EXPECT_EQ(FamilyOf(probe), Family::kIpv4) << ProbeName(probe);
  }
}

TEST(HttpUrl, HasAHostAndAPort) {
  EXPECT_EQ(ParseHttpUrl("http://check.example"),
            (HttpUrl{"check.example", 80}));
  EXPECT_EQ(ParseHttpUrl("http://check.example/"),
            (HttpUrl{"check.example", 80}));
  EXPECT_EQ(ParseHttpUrl("http://192.0.2.80:8080/a/b?c=http://d:1#e"),
            (HttpUrl{"192.0.2.80", 8080}));
  EXPECT_EQ(ParseHttpUrl("http://check.example?q"),
            (HttpUrl{"check.example", 80}));
  EXPECT_EQ(ParseHttpUrl("https://check.example/"),
            (HttpUrl{"check.example", 443}));
  EXPECT_EQ(ParseHttpUrl("https://check.example:8443/"),
            (HttpUrl{"check.example", 8443}));
  EXPECT_EQ(ParseHttpUrl("http://[2001:db8::1]/a"),
            (HttpUrl{"2001:db8::1", 80}));
  EXPECT_EQ(ParseHttpUrl("http://[2001:db8::1]:8080"),
            (HttpUrl{"2001:db8::1", 8080}));
}

TEST(HttpUrl, IsNothingElse) {
  for (const char* url : {"",
                          "check.example",
                          "HTTPS://check.example/",
                          "HTTP://check.example/",
                          "http://",
                          "http:///path",
                          "http://user@check.example/",
                          "http://user:1@check.example/",
                          "http://check.example:/",
                          "http://check.example:0/",
                          "http://check.example:65536/",
                          "http://check.example:80x/",
                          "http://check.example:+80/",
                          "http://2001:db8::1/",
                          "http://[2001:db8::1",
                          "http://[]/",
                          "http://[192.0.2.1]/",
                          "http://[check.example]/",
                          "http://[2001:db8::1]80/",
                          "http://check..example/",
                          "http://check.example/a b",
                          "http://check.example/\n",
                          "http://check.example/\xc3\xa9",
                          "ftp://check.example/"}) {
    EXPECT_EQ(ParseHttpUrl(url), std::nullopt) << url;
  }
}

TEST(HostName, IsMadeOfLabels) {
  for (const std::string& name :
       {std::string("a"), std::string("example.net"), std::string("a.b.c."),
        std::string("_dns.example"), std::string("xn--bcher-kva.example"),
        std::string(63, 'a') + ".example"}) {
    EXPECT_TRUE(IsHostName(name)) << name;
  }
  std::string longest = "a";
  while (longest.size() < 253) longest += ".a";
  EXPECT_TRUE(IsHostName(longest));
  EXPECT_FALSE(IsHostName(longest + "a.a"));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".a"), std::string("a.."),
        std::string("a..b"), std::string("a b"), std::string("a/b"),
        std::string("\xc3\xa9.example"), std::string(64, 'a')}) {
    EXPECT_FALSE(IsHostName(name)) << name;
  }
}

TEST(Health, TimesOutBeforeTheNextRound) {
  EXPECT_EQ(DefaultTimeout(1s), 750ms);
  EXPECT_EQ(DefaultTimeout(200ms), 150ms);
  EXPECT_EQ(DefaultTimeout(1min), 1s);
  const Health health;
  EXPECT_EQ(health.timeout, DefaultTimeout(health.interval));
}

// A line that dies right after an answer is found out in less than 3 s.
TEST(Health, FindsADeadLineWithinThreeSecondsByDefault) {
  const Health health;
  EXPECT_LT(health.interval * health.down + health.timeout, 3s);
}

}  // namespace
}  // namespace uplinkd
