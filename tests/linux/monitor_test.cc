// What wakes the agent, and what does not.

#include "reconciler/linux/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/route.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using testing::Ip;

class MonitorTest : public NetnsTest {
 protected:
  MonitorTest() {
    AddLink("wan1", "198.51.100.2/24");
    monitor_ = Monitor::Open().value();
    EXPECT_TRUE(monitor_->WatchTables({11, 70000}, false));
  }

  bool Readable() const {
    pollfd poll_for{monitor_->fd(), POLLIN, 0};
    return poll(&poll_for, 1, 0) == 1;
  }

  // Events are queued before the command that caused them returns.
  bool WakesOn(const std::string& command) {
    monitor_->Drain();
    uplinkd::Run(command);
    return monitor_->Drain();
  }

  std::unique_ptr<Monitor> monitor_;
};

TEST_F(MonitorTest, IsQuietWhenNothingHappens) {
  EXPECT_FALSE(monitor_->Drain());
  EXPECT_FALSE(Readable());
}

TEST_F(MonitorTest, IsReadableUntilDrained) {
  uplinkd::Run("ip rule add pref 5 lookup main");
  EXPECT_TRUE(Readable());
  EXPECT_TRUE(monitor_->Drain());
  EXPECT_FALSE(Readable());
  EXPECT_FALSE(monitor_->Drain());
}

TEST_F(MonitorTest, SleepsThroughForeignChurnInMain) {
  const auto socket = NlSocket::Open(NETLINK_ROUTE).value();
  LinkNames names(*socket);
  for (const RouteOperation operation :
       {RouteOperation::kCreate, RouteOperation::kRemove}) {
    std::vector<NlRequest> churn;
    for (std::uint32_t i = 0; i < 1000; ++i) {
      Route route;
      route.protocol = 186;  // bgp
      route.key.destination = Prefix::Host(Address::FromIpv4(0x0a000000U + i));
      route.next_hops = {
          NextHop{.link = "wan1", .gateway = Ip("198.51.100.1")}};
      churn.push_back(EncodeRoute(operation, route, names).value());
    }
    for (const auto& error : socket->Write(churn)) EXPECT_FALSE(error);
  }
  EXPECT_FALSE(Readable());  // the kernel dropped them: not even a wake-up
  EXPECT_FALSE(monitor_->Drain());
  EXPECT_EQ(monitor_->overruns(), 0U);
}

TEST_F(MonitorTest, SleepsThroughDefaultsOfOtherTables) {
  EXPECT_FALSE(WakesOn("ip route add default via 198.51.100.1 table 12"));
  EXPECT_FALSE(WakesOn("ip route del default table 12"));
}

TEST_F(MonitorTest, WakesOnRoutesOfOursWhereverTheyAre) {
  EXPECT_TRUE(WakesOn("ip route add 192.0.2.0/24 dev wan1 proto 117"));
  EXPECT_TRUE(WakesOn("ip route del 192.0.2.0/24"));
}

TEST_F(MonitorTest, WakesOnAnyRouteOfOurTables) {
  EXPECT_TRUE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 11"));
  EXPECT_TRUE(WakesOn("ip route del 192.0.2.0/24 table 11"));
  EXPECT_TRUE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 70000"));
}

TEST_F(MonitorTest, WatchesOnlyTheTablesOfTheLastCall) {
  ASSERT_TRUE(monitor_->WatchTables({12}, false));
  EXPECT_FALSE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 11"));
  EXPECT_TRUE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 12"));
}

TEST_F(MonitorTest, KeepsItsFilterWhenTheNewOneIsTooLong) {
  std::set<std::uint32_t> tables;
  for (std::uint32_t table = 100; table < 5000; ++table) tables.insert(table);
  EXPECT_FALSE(monitor_->WatchTables(tables, false));
  EXPECT_TRUE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 11"));
  EXPECT_FALSE(WakesOn("ip route add 192.0.2.0/24 dev wan1 table 100"));
}

TEST_F(MonitorTest, WakesOnDefaultRoutesOfMain) {
  EXPECT_TRUE(WakesOn("ip route add default via 198.51.100.1"));
  EXPECT_TRUE(WakesOn("ip route change default via 198.51.100.9"));
  EXPECT_TRUE(WakesOn("ip route del default"));
}

TEST_F(MonitorTest, WakesOnRules) {
  EXPECT_TRUE(WakesOn("ip rule add pref 20101 fwmark 1 lookup 11 proto 117"));
  EXPECT_TRUE(WakesOn("ip rule del pref 20101"));
}

TEST_F(MonitorTest, WakesOnAddresses) {
  EXPECT_TRUE(WakesOn("ip addr add 192.0.2.1/24 dev wan1"));
  EXPECT_TRUE(WakesOn("ip addr del 192.0.2.1/24 dev wan1"));
}

TEST_F(MonitorTest, WakesOnLinks) {
  EXPECT_TRUE(WakesOn("ip link add wan2 type veth peer name far2"));
  EXPECT_TRUE(WakesOn("ip link set wan2 up"));
  EXPECT_TRUE(WakesOn("ip link set far2 up"));
  EXPECT_TRUE(WakesOn("ip link set far2 down"));  // carrier
  EXPECT_TRUE(WakesOn("ip link set wan2 down; ip link set wan2 up"));
  EXPECT_TRUE(WakesOn("ip link set wan2 down; ip link set wan2 name dsl0"));
  EXPECT_TRUE(WakesOn("ip link del dsl0"));
}

TEST_F(MonitorTest, SleepsThroughChangesOfLinksThatDoNotMatter) {
  uplinkd::Run("ip link set wan1 mtu 1490");  // the first word of this link
  EXPECT_FALSE(WakesOn("ip link set wan1 mtu 1400"));
  EXPECT_FALSE(WakesOn("ip link set wan1 alias office"));
  EXPECT_FALSE(WakesOn("ip link set wan1 txqueuelen 500"));
}

// A link that flaps takes its IPv4 routes along without any route event.
TEST_F(MonitorTest, WakesOnALinkThatIsBackBeforeWeLook) {
  uplinkd::Run("ip link set wan1 mtu 1490");
  EXPECT_TRUE(WakesOn("ip link set wan1 down; ip link set wan1 up"));
}

TEST_F(MonitorTest, CountsAnOverrunAndHearsAgainAfterIt) {
  const int tiny = 4096;
  ASSERT_EQ(
      setsockopt(monitor_->fd(), SOL_SOCKET, SO_RCVBUF, &tiny, sizeof(tiny)),
      0);
  uplinkd::Run(
      "for i in $(seq 500); do"
      " echo rule add pref 100 from 10.0.0.$((i % 250)) lookup $i;"
      " done | ip -batch -");
  EXPECT_TRUE(monitor_->Drain());
  EXPECT_EQ(monitor_->overruns(), 1U);
  EXPECT_FALSE(Readable());
  EXPECT_TRUE(WakesOn("ip rule add pref 5 lookup main"));
  EXPECT_EQ(monitor_->overruns(), 1U);
}

TEST_F(MonitorTest, HearsOnlyItsOwnNamespace) {
  const Netns other;
  {
    const InNetns inside(other);
    uplinkd::Run("ip rule add pref 5 lookup main");
  }
  EXPECT_FALSE(monitor_->Drain());
}

}  // namespace
}  // namespace uplinkd
