// The layout of docs/design.md, written by hand, carries traffic as the page
// says. A failure here is a fault of the design or of the lab, not of uplinkd.
#include "tests/lab/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/lab/foreign.h"
#include "tests/lab/lab.h"
#include "tests/lab/traffic_client.h"
#include "tests/lab/traffic_server.h"

namespace uplinkd::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;

// The parameter is rp_filter: off or loose.
class Layout : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    Result<std::unique_ptr<Lab>> lab = Lab::Create({.rp_filter = GetParam()});
    ASSERT_TRUE(lab) << lab.error().message;
    lab_ = std::move(*lab);
    const CommandResult result = Shell(lab_->router(), LayoutScript());
    ASSERT_TRUE(result.Ok()) << result.output;
    Result<std::unique_ptr<TrafficServer>> server =
        TrafficServer::Start(lab_->server());
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  std::unique_ptr<Lab> lab_;
  std::unique_ptr<TrafficServer> server_;
};

TEST_P(Layout, SpreadsLanConnectionsAndKeepsEachOnItsUplink) {
  Result<std::vector<Connection>> connections =
      OpenMany(lab_->client(), {}, 100);
  ASSERT_TRUE(connections) << connections.error().message;
  const Result<std::vector<std::string>> first = AskAll(*connections);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(Tally(*first),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  for (int i = 0; i < 5; ++i) {
    const Result<std::vector<std::string>> again = AskAll(*connections);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, *first);
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Layout, AnswersTheRoutersOwnServiceThroughTheUplinkOfTheRequest) {
  Result<std::unique_ptr<TrafficServer>> on_router =
      TrafficServer::Start(lab_->router());
  ASSERT_TRUE(on_router) << on_router.error().message;
  for (const std::size_t n : {1U, 2U}) {
    Result<Connection> connection =
        Connection::Open(lab_->server(), {.destination = UplinkAddress(n)});
    ASSERT_TRUE(connection)
        << "uplink " << n << ": " << connection.error().message;
    for (int i = 0; i < 5; ++i) {
      const Result<std::string> answer = connection->Ask();
      EXPECT_TRUE(answer) << answer.error().message;
    }
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Layout, AnswersPortForwardsThroughTheUplinkOfTheRequest) {
  Result<std::unique_ptr<TrafficServer>> on_client =
      TrafficServer::Start(lab_->client());
  ASSERT_TRUE(on_client) << on_client.error().message;
  const CommandResult forwarded =
      Shell(lab_->router(),
            "iptables-legacy -t nat -A PREROUTING -i wan+ -p tcp --dport 7000 "
            "-j DNAT --to-destination 192.168.10.2");
  ASSERT_TRUE(forwarded.Ok()) << forwarded.output;
  for (const std::size_t n : {1U, 2U}) {
    Result<Connection> connection =
        Connection::Open(lab_->server(), {.destination = UplinkAddress(n)});
    ASSERT_TRUE(connection)
        << "uplink " << n << ": " << connection.error().message;
    for (int i = 0; i < 5; ++i) {
      const Result<std::string> answer = connection->Ask();
      EXPECT_TRUE(answer) << answer.error().message;
    }
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Layout, HoldsTheRoutersBoundSocketsToTheirUplink) {
  for (const std::size_t n : {1U, 2U}) {
    Result<Connection> connection =
        Connection::Open(lab_->router(), {.source = UplinkAddress(n)});
    ASSERT_TRUE(connection) << connection.error().message;
    const Result<std::string> answer = connection->Ask();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(*answer, UplinkAddress(n));
  }
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

INSTANTIATE_TEST_SUITE_P(RpFilter, Layout, testing::Values(0, 2));

class LabItself : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(LabItself, ProviderCountsSourcesThatAreNotItsCustomers) {
  Result<std::unique_ptr<Lab>> lab = Lab::Create({});
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ((*lab)->WrongSources(), 0U);
  // Without NAT the LAN's address leaves as it is.
  Result<Connection> connection = Connection::Open(
      (*lab)->client(), {.port = kUdpEchoPort,
                         .transport = Transport::kUdp,
                         .patience = std::chrono::milliseconds(50)});
  ASSERT_TRUE(connection) << connection.error().message;
  EXPECT_FALSE(connection->Ask());
  EXPECT_GT((*lab)->WrongSources(1), 0U);
  EXPECT_EQ((*lab)->WrongSources(2), 0U);
}

TEST_F(LabItself, AnswersDatagramsFromTheAddressThatWasAsked) {
  Result<std::unique_ptr<Lab>> lab = Lab::Create({});
  ASSERT_TRUE(lab) << lab.error().message;
  ASSERT_TRUE(Shell((*lab)->router(), PlainNatScript()).Ok());
  Result<std::unique_ptr<TrafficServer>> server =
      TrafficServer::Start((*lab)->server());
  ASSERT_TRUE(server) << server.error().message;
  Result<Connection> connection = Connection::Open(
      (*lab)->client(), {.port = kUdpEchoPort, .transport = Transport::kUdp});
  ASSERT_TRUE(connection) << connection.error().message;
  const Result<std::string> answer = connection->Ask();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, UplinkAddress(1));
}

TEST_F(LabItself, ShapesBothDirectionsOfALine) {
  Result<std::unique_ptr<Lab>> lab =
      Lab::Create({.lines = {{.download = 8, .upload = 2}}});
  ASSERT_TRUE(lab) << lab.error().message;
  ASSERT_TRUE(Shell((*lab)->router(),
                    "iptables-legacy -t nat -A POSTROUTING -o wan1 "
                    "-j MASQUERADE")
                  .Ok());
  Result<std::unique_ptr<TrafficServer>> server =
      TrafficServer::Start((*lab)->server());
  ASSERT_TRUE(server) << server.error().message;
  const Downloads downloads((*lab)->client(), {.port = kSourcePort}, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const std::uint64_t before = downloads.bytes();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  const double mbit =
      static_cast<double>(downloads.bytes() - before) * 8 / 2 / 1e6;
  EXPECT_GT(mbit, 6.0);
  EXPECT_LT(mbit, 9.0);
}

TEST_F(LabItself, TellsOurObjectsFromForeignOnes) {
  Result<std::unique_ptr<Lab>> lab = Lab::Create({});
  ASSERT_TRUE(lab) << lab.error().message;
  const Namespace& router = (*lab)->router();
  std::string error;
  ASSERT_TRUE(AddForeignObjects(router, &error)) << error;
  EXPECT_EQ(OwnState(router), "");
  const std::string before = ForeignState(router, Counters::kIgnore);
  EXPECT_NE(before.find("port-forwards"), std::string::npos);
  ASSERT_TRUE(Shell(router, LayoutScript()).Ok());
  EXPECT_NE(OwnState(router), "");
  EXPECT_EQ(ForeignState(router, Counters::kIgnore), before);
  ASSERT_TRUE(Shell(router,
                    "iptables-legacy -t nat -A port-forwards "
                    "-i vpn0 -j RETURN")
                  .Ok());
  EXPECT_NE(ForeignState(router, Counters::kIgnore), before);
}

}  // namespace
}  // namespace uplinkd::lab
