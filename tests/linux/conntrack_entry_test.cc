// Busy connections: the rule by itself, and against what the kernel does to
// the timeouts of real ones.

#include "reconciler/linux/conntrack_entry.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "reconciler/linux/statistics.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

constexpr std::int64_t kEstablished = 432'000;
constexpr ConntrackTimeouts kTimeouts{
    .tcp_established = kEstablished, .udp = 30, .udp_stream = 120};

ConntrackEntry Tcp(std::uint8_t state, std::int64_t timeout) {
  return {.timeout = timeout, .protocol = IPPROTO_TCP, .tcp_state = state};
}

ConntrackEntry Udp(std::int64_t timeout, std::uint32_t status = 0) {
  return {.status = status, .timeout = timeout, .protocol = IPPROTO_UDP};
}

TEST(BusyConnection, IsOneThatIsBeingSetUpHoweverLongItTakes) {
  for (const std::uint8_t state :
       {TCP_CONNTRACK_SYN_SENT, TCP_CONNTRACK_SYN_RECV,
        TCP_CONNTRACK_SYN_SENT2}) {
    EXPECT_TRUE(IsBusy(Tcp(state, 1), kTimeouts));
  }
}

TEST(BusyConnection, IsNoneThatIsOver) {
  for (const std::uint8_t state :
       {TCP_CONNTRACK_FIN_WAIT, TCP_CONNTRACK_LAST_ACK, TCP_CONNTRACK_TIME_WAIT,
        TCP_CONNTRACK_CLOSE}) {
    EXPECT_FALSE(IsBusy(Tcp(state, 120), kTimeouts));
  }
}

TEST(BusyConnection, HasMovedLately) {
  constexpr std::uint8_t kState = TCP_CONNTRACK_ESTABLISHED;
  EXPECT_TRUE(IsBusy(Tcp(kState, kEstablished), kTimeouts));
  EXPECT_TRUE(IsBusy(Tcp(kState, kEstablished - kIdleSeconds), kTimeouts));
  EXPECT_FALSE(IsBusy(Tcp(kState, kEstablished - kIdleSeconds - 1), kTimeouts));
  EXPECT_FALSE(IsBusy(Tcp(kState, 1), kTimeouts));
}

TEST(BusyConnection, HasDataOnItsWay) {
  ConntrackEntry entry = Tcp(TCP_CONNTRACK_ESTABLISHED, 200);
  entry.unacknowledged = true;
  EXPECT_TRUE(IsBusy(entry, kTimeouts));
}

TEST(BusyConnection, OfDatagramsHasMovedLately) {
  EXPECT_TRUE(IsBusy(Udp(29), kTimeouts));
  EXPECT_FALSE(IsBusy(Udp(24), kTimeouts));
  EXPECT_TRUE(IsBusy(Udp(119, IPS_ASSURED), kTimeouts));
  EXPECT_FALSE(IsBusy(Udp(29, IPS_ASSURED), kTimeouts));
}

TEST(BusyConnection, MayBeInAFlowTable) {
  EXPECT_TRUE(
      IsBusy({.status = IPS_OFFLOAD, .timeout = 1, .protocol = IPPROTO_TCP},
             kTimeouts));
}

TEST(BusyConnection, IsNoPing) {
  EXPECT_FALSE(IsBusy({.timeout = 30, .protocol = IPPROTO_ICMP}, kTimeouts));
}

TEST(BusyConnection, IsAnyThatMayBeWhereTheTimeoutsAreNotKnown) {
  EXPECT_TRUE(IsBusy(Tcp(TCP_CONNTRACK_ESTABLISHED, 1), {}));
  EXPECT_TRUE(IsBusy(Udp(1), {}));
  EXPECT_FALSE(IsBusy(Tcp(TCP_CONNTRACK_TIME_WAIT, 1), {}));
}

// One TCP connection over the loopback of a fresh namespace.
class BusyConnectionTest : public NetnsTest {
 protected:
  static constexpr int kPort = 7;

  void SetUp() override {
    uplinkd::Run(
        "ip link set lo up;"
        "iptables-legacy -t mangle -A OUTPUT -m conntrack --ctstate NEW");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
    const auto* where = reinterpret_cast<const sockaddr*>(&address);
    ASSERT_EQ(bind(listener.get(), where, sizeof address), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    client_ = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
    ASSERT_EQ(connect(client_.get(), where, sizeof address), 0);
    server_ = UniqueFd(accept(listener.get(), nullptr, nullptr));
  }

  void Send() { ASSERT_EQ(send(client_.get(), "x", 1, 0), 1); }
  // What has not moved since is as far behind as if that were long ago.
  static void RaiseTimeout() {
    uplinkd::Run(
        "sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=500000");
  }
  ConnectionCount Count() {
    return statistics_->CountConnections(0xff).value()[0];
  }

  UniqueFd client_;
  UniqueFd server_;
  std::unique_ptr<Statistics> statistics_ = Statistics::Open().value();
};

TEST_F(BusyConnectionTest, EveryPacketMakesItBusyAgain) {
  EXPECT_EQ(Count(), (ConnectionCount{.all = 1, .busy = 1}));
  RaiseTimeout();
  EXPECT_EQ(Count(), (ConnectionCount{.all = 1, .busy = 0}));
  Send();
  EXPECT_EQ(Count(), (ConnectionCount{.all = 1, .busy = 1}));
}

TEST_F(BusyConnectionTest, DataThatNobodyAcknowledgesKeepsItBusy) {
  // The acknowledgements, before the connection tracker sees them. Its timeout
  // for this is 300 s.
  uplinkd::Run("iptables-legacy -t raw -A OUTPUT -p tcp --sport 7 -j DROP");
  Send();
  EXPECT_EQ(Count(), (ConnectionCount{.all = 1, .busy = 1}));
}

TEST_F(BusyConnectionTest, ClosingEndsIt) {
  client_ = UniqueFd();
  EXPECT_EQ(Count(), (ConnectionCount{.all = 1, .busy = 0}));
}

TEST_F(BusyConnectionTest, TimeoutsAreThoseOfTheNamespace) {
  const std::string settings = "net.netfilter.nf_conntrack_";
  uplinkd::Run("sysctl -qw " + settings + "tcp_timeout_established=7440 " +
               settings + "udp_timeout=20 " + settings +
               "udp_timeout_stream=90");
  const ConntrackTimeouts timeouts = ReadConntrackTimeouts();
  EXPECT_EQ(timeouts.tcp_established, 7440);
  EXPECT_EQ(timeouts.udp, 20);
  EXPECT_EQ(timeouts.udp_stream, 90);
}

}  // namespace
}  // namespace uplinkd
