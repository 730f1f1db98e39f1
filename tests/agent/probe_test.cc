// What answers a probe, what refuses, what is silent, and what lies.
#include "agent/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "reconciler/linux/unique_fd.h"
#include "tests/agent/probe_fixture.h"
#include "tests/core/builders.h"
#include "tests/lab/stub_server.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using lab::DnsAnswer;
using lab::Namespace;
using lab::Transport;
using ::testing::HasSubstr;
using testing::Ip;

// ---- icmp ----

TEST_F(ProbeTest, IcmpIsAnsweredByAHost) {
  EXPECT_ANSWERED(Ask(IcmpProbe{Ip("198.51.100.1")}));
  EXPECT_ANSWERED(Ask(IcmpProbe{Ip("192.0.2.1")}));
}

TEST_F(ProbeTest, IcmpIsNotAnsweredByABlackHole) {
  EXPECT_FAULT(Ask(IcmpProbe{Ip("192.0.2.66")}, kShort), kSilent);
}

// Answers each echo request in the provider, with one bit changed.
class LyingEcho {
 public:
  explicit LyingEcho(const Namespace& where) {
    where.Run([this] {
      socket_ = UniqueFd(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    });
    const timeval patience{0, 20'000};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience,
               sizeof(patience));
    thread_ = std::thread([this] { Serve(); });
  }
  LyingEcho(const LyingEcho&) = delete;
  LyingEcho& operator=(const LyingEcho&) = delete;
  ~LyingEcho() {
    stop_ = true;
    thread_.join();
  }

  int answers() const { return answers_; }

 private:
  void Serve() {
    constexpr std::size_t kHeader = 20;  // IP's, without options
    std::array<unsigned char, 2048> packet{};
    while (!stop_) {
      sockaddr_in peer{};
      socklen_t size = sizeof(peer);
      auto* const address = reinterpret_cast<sockaddr*>(&peer);
      const ssize_t got = recvfrom(socket_.get(), packet.data(), packet.size(),
                                   0, address, &size);
      if (got <= static_cast<ssize_t>(kHeader + sizeof(icmphdr)) ||
          packet[kHeader] != ICMP_ECHO) {
        continue;
      }
      packet[kHeader] = ICMP_ECHOREPLY;
      packet[static_cast<std::size_t>(got) - 1] ^= 1;
      answers_ +=
          sendto(socket_.get(), packet.data() + kHeader,
                 static_cast<std::size_t>(got) - kHeader, 0, address, size) > 0;
    }
  }

  UniqueFd socket_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> answers_ = 0;
  std::thread thread_;
};

TEST_F(ProbeTest, IcmpTakesNoOtherAnswerThanItsOwn) {
  On(*provider_, "sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
  const LyingEcho liar(*provider_);
  EXPECT_FAULT(Ask(IcmpProbe{Ip("198.51.100.1")}, kShort), kSilent);
  EXPECT_EQ(liar.answers(), 1);
}

// ---- tcp ----

TEST_F(ProbeTest, TcpIsAnsweredByAListener) {
  Serve(Transport::kTcp, 443, [](const std::string&) { return std::nullopt; });
  EXPECT_ANSWERED(Ask(TcpProbe{Ip("192.0.2.1"), 443}));
}

TEST_F(ProbeTest, TcpSaysWhetherItWasRefusedOrNotHeard) {
  EXPECT_FAULT(Ask(TcpProbe{Ip("192.0.2.1"), 444}), "Connection refused");
  EXPECT_FAULT(Ask(TcpProbe{Ip("192.0.2.66"), 443}, kShort), kSilent);
  On(*provider_, "ip route add unreachable 192.0.2.67");
  EXPECT_FAULT(Ask(TcpProbe{Ip("192.0.2.67"), 443}), "No route to host");
}

// ---- dns ----

DnsProbe AskForName() {
  return {Ip("192.0.2.1"), "www.example.net"};
}

TEST_F(ProbeTest, DnsIsAnsweredWithAnAddress) {
  Serve(Transport::kUdp, 53,
        [](const std::string& query) { return DnsAnswer(query, 0, true); });
  EXPECT_ANSWERED(Ask(AskForName()));
}

TEST_F(ProbeTest, DnsAnswersThatAreNoneSayWhy) {
  std::atomic<int> response_code = 0;
  Serve(Transport::kUdp, 53, [&](const std::string& query) {
    return DnsAnswer(query, response_code, false);
  });
  // The words are those of c-ares.
  EXPECT_FAULT(Ask(AskForName()), "DNS server returned answer with no data");
  response_code = 2;
  EXPECT_FAULT(Ask(AskForName()), "DNS server returned general failure");
  response_code = 3;
  EXPECT_FAULT(Ask(AskForName()), "Domain name not found");
  response_code = 5;
  EXPECT_FAULT(Ask(AskForName()), "DNS server refused query");
  response_code = 15;
  EXPECT_FAULT(Ask(AskForName()), "Misformatted DNS reply");
}

TEST_F(ProbeTest, DnsTakesNoOtherAnswerThanItsOwn) {
  std::atomic<int> queries = 0;
  Serve(Transport::kUdp, 53, [&](const std::string& query) {
    std::string answer = DnsAnswer(query, 0, true);
    switch (queries++) {
      case 0: answer[0] ^= 1; break;     // another id
      case 1: answer[13] ^= 1; break;    // another name
      case 2: answer[2] &= 0x7f; break;  // no response
      default: answer.resize(5); break;
    }
    return answer;
  });
  for (int i = 0; i < 4; ++i) {
    EXPECT_FAULT(Ask(AskForName(), kShort), kSilent);
  }
  EXPECT_EQ(queries, 4);
}

TEST_F(ProbeTest, DnsSaysWhetherNobodyListensOrNobodyHears) {
  EXPECT_FAULT(Ask(AskForName()), "Connection refused");
  EXPECT_FAULT(Ask(DnsProbe{Ip("192.0.2.66"), "a.example"}, kShort), kSilent);
}

// ---- http ----

HttpProbe Get(std::optional<std::uint32_t> status, std::string text = "") {
  return {"http://check.example/there?is=it", Ip("192.0.2.1"), status,
          std::move(text)};
}

TEST_F(ProbeTest, HttpAsksForTheUrlAtTheAddress) {
  Serve(Transport::kTcp, 80, [](const std::string& request) {
    return HttpAnswer("200 OK", request);
  });
  EXPECT_ANSWERED(Ask(Get({})));
  EXPECT_ANSWERED(Ask(Get(200, "GET /there?is=it HTTP/1.1\r\n")));
  EXPECT_ANSWERED(Ask(Get(200, "\r\nHost: check.example\r\n")));
  EXPECT_ANSWERED(Ask(HttpProbe{"http://192.0.2.1", {}, {}, "GET / HTTP"}));
  EXPECT_FAULT(Ask(Get({}, "not there")), "the text is not in the answer");
}

TEST_F(ProbeTest, HttpGoesByNoProxy) {
  Serve(Transport::kTcp, 80, [](const std::string& request) {
    return HttpAnswer("200 OK", request);
  });
  setenv("http_proxy", "http://192.0.2.66:3128", 1);
  EXPECT_ANSWERED(Ask(Get({})));
  unsetenv("http_proxy");
}

// A captive portal sends everybody to its own page.
TEST_F(ProbeTest, HttpIsNotAnsweredByAPortal) {
  Serve(Transport::kTcp, 80, [](const std::string&) {
    return "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/login\r\n"
           "Content-Length: 0\r\n\r\n";
  });
  EXPECT_FAULT(Ask(Get(204)), "status 302");
  EXPECT_FAULT(Ask(Get({})), "status 302");
  EXPECT_ANSWERED(Ask(Get(302)));
}

TEST_F(ProbeTest, HttpWithoutABodyIsAnAnswer) {
  Serve(Transport::kTcp, 80,
        [](const std::string&) { return "HTTP/1.1 204 No Content\r\n\r\n"; });
  EXPECT_ANSWERED(Ask(Get(204)));
  EXPECT_FAULT(Ask(Get(200)), "status 204");
  EXPECT_FAULT(Ask(Get(204, "x")), "the text is not in the answer");
}

TEST_F(ProbeTest, HttpReadsNoAnswerWithoutEnd) {
  Serve(Transport::kTcp, 80, [](const std::string&) {
    return HttpAnswer("200 OK", std::string(1 << 20, '.') + "late");
  });
  EXPECT_ANSWERED(Ask(Get(200)));
  EXPECT_FAULT(Ask(Get(200, "late")), "the text is not in the answer");
}

TEST_F(ProbeTest, HttpSaysWhatElseWentWrong) {
  EXPECT_FAULT(Ask(Get({})), HasSubstr("connect"));
  std::atomic<bool> silent = true;
  Serve(Transport::kTcp, 80,
        [&](const std::string&) -> std::optional<std::string> {
          if (silent) return std::nullopt;
          return "I do not speak that\r\n\r\n";
        });
  EXPECT_FAULT(Ask(Get({}), kShort), kSilent);
  silent = false;
  EXPECT_FAULT(Ask(Get({})), HasSubstr("HTTP/0.9"));
}

// ---- arp ----

TEST_F(ProbeTest, ArpIsAnsweredByTheGatewayAndByOthersOnTheLink) {
  ProbePath path = Wan1();
  path.link_index = IndexOf("wan1");
  EXPECT_ANSWERED(Ask(ArpProbe{}, kLong, path));
  On(*provider_, "ip addr add 198.51.100.9/24 dev cust1");
  EXPECT_ANSWERED(Ask(ArpProbe{Ip("198.51.100.9")}, kLong, path));
  EXPECT_FAULT(Ask(ArpProbe{Ip("198.51.100.10")}, kShort, path), kSilent);
}

TEST_F(ProbeTest, ArpSaysWhatALinkLacks) {
  ProbePath path = Wan1();
  path.link_index = IndexOf("wan1");
  path.gateway.reset();
  EXPECT_FAULT(Ask(ArpProbe{}, kLong, path), "wan1 has no gateway");
  path = {"lo", 1, Ip("127.0.0.1"), Ip("127.0.0.1"), kMark};
  EXPECT_FAULT(Ask(ArpProbe{}, kLong, path),
               "lo is no Ethernet link, and so without ARP");
}

// ---- the path ----

// main's default route is by wan1; what is asked by wan2 leaves by wan2.
TEST_F(ProbeTest, EveryKindIsPinnedToItsLinkAndItsAddress) {
  Serve(Transport::kUdp, 53,
        [](const std::string& query) { return DnsAnswer(query, 0, true); });
  Serve(Transport::kTcp, 80,
        [](const std::string&) { return HttpAnswer("200 OK", ""); });
  // A provider that carries its customers' packets alone.
  On(*provider_,
     "iptables-legacy -A INPUT -i cust1 ! -s 198.51.100.0/24 -j DROP\n"
     "iptables-legacy -A INPUT -i cust2 ! -s 203.0.113.0/24 -j DROP\n");
  // Whatever lacks the mark does not leave.
  On(*router_, "iptables-legacy -A OUTPUT -m mark ! --mark 0xff/0xff -j DROP");
  for (ProbePath path : {Wan1(), Wan2()}) {
    SCOPED_TRACE(path.link);
    path.link_index = IndexOf(path.link);
    for (const Probe& probe :
         {Probe(IcmpProbe{Ip("192.0.2.1")}),
          Probe(TcpProbe{Ip("192.0.2.1"), 80}), Probe(AskForName()),
          Probe(Get({})), Probe(ArpProbe{})}) {
      SCOPED_TRACE(ProbeName(probe));
      EXPECT_ANSWERED(Ask(probe, kLong, path));
    }
  }
  On(*provider_, "ip link set cust2 down");
  EXPECT_ANSWERED(Ask(IcmpProbe{Ip("192.0.2.1")}));
  EXPECT_FALSE(Ask(IcmpProbe{Ip("192.0.2.1")}, kShort, Wan2()).answered);
}

TEST_F(ProbeTest, APathThatIsGoneIsAFault) {
  ProbePath path = Wan1();
  path.source = Ip("198.51.100.77");
  EXPECT_FAULT(Ask(IcmpProbe{Ip("192.0.2.1")}, kLong, path),
               "cannot use 198.51.100.77: Cannot assign requested address");
  path.link = "wan9";
  path.link_index = 999;
  EXPECT_FAULT(Ask(TcpProbe{Ip("192.0.2.1"), 80}, kLong, path),
               "cannot use wan9: No such device");
  EXPECT_FAULT(Ask(Get({}), kLong, path), "cannot use wan9: No such device");
  EXPECT_FAULT(Ask(ArpProbe{}, kLong, path), "cannot use wan9: No such device");
}

TEST_F(ProbeTest, NothingIsCalledBackAfterTheOwnerLetGo) {
  Serve(Transport::kTcp, 80,
        [](const std::string&) { return HttpAnswer("200 OK", ""); });
  for (const Probe& probe :
       {Probe(IcmpProbe{Ip("192.0.2.1")}), Probe(TcpProbe{Ip("192.0.2.1"), 80}),
        Probe(AskForName()), Probe(Get({})), Probe(ArpProbe{})}) {
    SCOPED_TRACE(ProbeName(probe));
    ProbePath path = Wan1();
    path.link_index = IndexOf("wan1");
    // Dropped at every point of its way, until it ends before that.
    bool ended = false;
    for (int polls = 0; !ended && polls < 100; ++polls) {
      router_->Run([&] {
        asio::io_context context{1};
        auto run = StartProbe(context, {probe, path, kLong},
                              [&](const ProbeResult&) { ended = true; });
        for (int i = 0; i < polls && !ended; ++i) context.run_one_for(kShort);
        const bool before = std::exchange(ended, false);
        run.reset();
        context.run();
        EXPECT_FALSE(ended);
        ended = before;
      });
    }
    EXPECT_TRUE(ended);
  }
}

}  // namespace
}  // namespace uplinkd
