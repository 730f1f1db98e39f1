// The specs in examples/, as they stand there, with the traffic that each is
// meant for.
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>

#include "tests/lab/agent_lab.h"
#include "tests/lab/point_to_point.h"

namespace uplinkd::lab {
namespace {

using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Le;

class Example : public AgentLab {
 protected:
  void Begin(const std::string& name, const LabOptions& options = {}) {
    ASSERT_NO_FATAL_FAILURE(BuildLab(options));
    ASSERT_NO_FATAL_FAILURE(StartAgent());
    ASSERT_NO_FATAL_FAILURE(ApplyExample(name));
  }

  // Where new connections go.
  std::set<std::string> Sources(int count = 20) {
    std::set<std::string> sources;
    for (const auto& [source, connections] : Shares(count)) {
      sources.insert(source);
    }
    return sources;
  }
  // They come to go there, all of them.
  void ExpectSoon(const std::set<std::string>& sources) {
    EXPECT_TRUE(Eventually([&] { return Sources() == sources; }, seconds(10)))
        << ::testing::PrintToString(Sources()) << "\n"
        << agent_->Log();
  }
};

TEST_F(Example, TwoUplinks) {
  ASSERT_NO_FATAL_FAILURE(
      Begin("two-uplinks", {.lines = {{44, 44}, {11, 11}}}));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  const Downloads full(lab_->client(), Endpoint{.port = kSourcePort}, 4);
  ExpectSoon({UplinkAddress(2)});
}

TEST_F(Example, AsymmetricDsl) {
  ASSERT_NO_FATAL_FAILURE(
      Begin("asymmetric-dsl", {.lines = {{55, 11}, {18, 5}}}));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  // A backup fills the first line upstream; downstream it is as good as idle.
  Result<Process> backup = Process::Start(
      lab_->client(), {.arguments = {"bash", "-c",
                                     "exec cat /dev/zero >/dev/tcp/" +
                                         std::string(kServerAddress) + "/" +
                                         std::to_string(kDiscardPort)}});
  ASSERT_TRUE(backup) << backup.error().message;
  ExpectSoon({UplinkAddress(2)});
}

TEST_F(Example, MeteredLte) {
  ASSERT_NO_FATAL_FAILURE(Begin("metered-lte", {.lines = {{}, {}, {}}}));
  EXPECT_THAT(Sources(40), ElementsAre(UplinkAddress(1), UplinkAddress(2)));
  const auto drop = [this](std::size_t n, const char* how) {
    ASSERT_TRUE(
        Shell(lab_->provider(n), std::string("iptables-legacy -t raw ") + how +
                                     " PREROUTING -i cust0 -j DROP")
            .Ok());
  };
  drop(1, "-A");
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("fibre", "Down"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(2)));
  drop(2, "-A");
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("cable", "Down"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(3)));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(Connect(1, 1, &connections, &answers));
  drop(1, "-D");
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("fibre", "Ready"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  // What goes by the gigabyte ends.
  EXPECT_TRUE(Eventually([&] { return !connections[0].Ask(); }, seconds(5)));
}

TEST_F(Example, Voice) {
  ASSERT_NO_FATAL_FAILURE(Begin("voice", {.lines = {{44, 44}, {11, 11}}}));
  // A call: datagrams that ask for expedited forwarding.
  const auto call = [this]() -> std::string {
    std::string source;
    lab_->client().Run([&] {
      Result<Connection> connection = Connection::OpenHere(
          {.port = kUdpEchoPort, .transport = Transport::kUdp});
      const int expedited = 46 << 2;  // RFC 3246
      if (!connection || setsockopt(connection->fd(), IPPROTO_IP, IP_TOS,
                                    &expedited, sizeof expedited) != 0) {
        return;
      }
      source = connection->Ask().value_or("no answer");
    });
    return source;
  };
  EXPECT_EQ(call(), UplinkAddress(1));
  const Downloads full(lab_->client(), Endpoint{.port = kSourcePort}, 4);
  EXPECT_TRUE(
      Eventually([&] { return call() == UplinkAddress(2); }, seconds(15)))
      << agent_->Log();
}

TEST_F(Example, PortForwards) {
  ASSERT_NO_FATAL_FAILURE(Begin("port-forwards"));
  Result<std::unique_ptr<TrafficServer>> inside =
      TrafficServer::Start(lab_->client());
  ASSERT_TRUE(inside) << inside.error().message;
  ASSERT_TRUE(OnRouter("iptables-legacy -t nat -A PREROUTING -i wan+ -p tcp "
                       "--dport 7000 -j DNAT --to-destination 192.168.10.2")
                  .Ok());
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  for (const std::size_t n : {1U, 2U}) {
    Result<Connection> request =
        Connection::Open(lab_->server(), {.destination = UplinkAddress(n)});
    ASSERT_TRUE(request) << UplinkAddress(n) << request.error().message;
    EXPECT_TRUE(request->Ask()) << UplinkAddress(n);
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(Example, PppoeBranch) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  // The second line is PPP, and not there yet.
  ASSERT_TRUE(OnRouter("ip link del wan2").Ok());
  ASSERT_NO_FATAL_FAILURE(ApplyExample("pppoe-branch"));
  EXPECT_THAT(Sources(), ElementsAre(UplinkAddress(1)));
  Result<std::unique_ptr<PointToPointLine>> line =
      PointToPointLine::Connect(lab_->router(), lab_->provider(2), "ppp0");
  ASSERT_TRUE(line) << line.error().message;
  ASSERT_TRUE(Shell(lab_->provider(2),
                    "ip addr add 198.18.2.1 peer 198.18.2.2 dev ppp0")
                  .Ok());
  const auto dial_in = [this](const std::string& address) {
    ASSERT_TRUE(
        Shell(lab_->provider(2), "ip route replace " + address + " dev ppp0")
            .Ok());
    ASSERT_TRUE(OnRouter("ip addr flush dev ppp0\nip addr add " + address +
                         " peer 198.18.2.1 dev ppp0\n"
                         "ip route replace default dev ppp0 metric 200")
                    .Ok());
  };
  dial_in("198.18.2.2");
  ExpectSoon({UplinkAddress(1), "198.18.2.2"});
  // The next day.
  dial_in("198.18.2.77");
  ExpectSoon({UplinkAddress(1), "198.18.2.77"});
}

TEST_F(Example, MultipathRoutedSubnet) {
  constexpr int kAddresses = 100;
  ASSERT_NO_FATAL_FAILURE(
      Begin("multipath-routed-subnet",
            {.client_addresses = kAddresses, .check_sources = false}));
  // Both providers route the subnet to the router, and the world to them.
  for (const std::size_t n : {1U, 2U}) {
    ASSERT_TRUE(Shell(lab_->provider(n),
                      "ip route add 192.168.10.0/24 via " + UplinkAddress(n))
                    .Ok());
  }
  ASSERT_TRUE(
      Shell(lab_->server(), "ip route add 192.168.10.0/24 via 198.19.1.1")
          .Ok());
  // Nothing is translated: the server sees every client itself.
  EXPECT_EQ(Shares(kAddresses, kAddresses).size(), std::size_t{kAddresses});
  // Two thirds of them by the first, give or take three times the usual.
  const auto sent = [this](std::size_t n) {
    return std::stoi(OnRouter("conntrack -L -m " + std::to_string(n) +
                              "/0xff 2>/dev/null | wc -l")
                         .output);
  };
  EXPECT_THAT(sent(1), AllOf(Ge(52), Le(81)));
  EXPECT_EQ(sent(1) + sent(2), kAddresses);
}

}  // namespace
}  // namespace uplinkd::lab
