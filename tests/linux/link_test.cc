// Facts about links, and gateway discovery, against a kernel.

#include "reconciler/linux/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/linux/nl_socket.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using testing::Ip;
using testing::Net;

class LinkTest : public NetnsTest {
 protected:
  LinkTest() { AddLink("wan1", "198.51.100.2/24"); }

  Facts Read(const std::set<std::string>& links) {
    return uplinkd::ReadFacts(*socket_, {links, links, true, {}, false, {}})
        .value();
  }
  Link Wan1() { return Read({"wan1"}).links.at("wan1"); }

  // The gateway of wan1's default route; "none" without one, "link" if the
  // route has no gateway.
  std::string Gateway() {
    const std::optional<DefaultRoute> route = Wan1().default_route;
    if (!route) return "none";
    return route->gateway ? route->gateway->ToString() : "link";
  }

  std::unique_ptr<NlSocket> socket_ = NlSocket::Open(NETLINK_ROUTE).value();
};

TEST_F(LinkTest, DescribesALink) {
  const Link link = Wan1();
  EXPECT_EQ(link.name, "wan1");
  EXPECT_EQ(std::to_string(link.index) + "\n",
            uplinkd::Run("ip -o link show wan1 | cut -d: -f1"));
  EXPECT_TRUE(link.up);
  EXPECT_TRUE(link.carrier);
  EXPECT_FALSE(link.point_to_point);
  EXPECT_THAT(link.addresses,
              ::testing::ElementsAre(LinkAddress{
                  Ip("198.51.100.2"), Net("198.51.100.0/24"), std::nullopt}));
  EXPECT_EQ(link.default_route, std::nullopt);
}

TEST_F(LinkTest, LeavesOutWhatDoesNotExist) {
  const Facts facts =
      Read({"wan1", "wan9", "", "a-name-longer-than-links-can-have"});
  EXPECT_EQ(facts.links.size(), 1U);
}

TEST_F(LinkTest, KnowsLinksNobodyAskedForNot) {
  AddLink("wan2", "203.0.113.2/24");
  EXPECT_EQ(Read({"wan2"}).links.count("wan1"), 0U);
}

TEST_F(LinkTest, SeesTheAdministratorsAndTheLinesWord) {
  uplinkd::Run("ip link set wan1-far down");
  EXPECT_TRUE(Wan1().up);
  EXPECT_FALSE(Wan1().carrier);
  uplinkd::Run("ip link set wan1 down");
  EXPECT_FALSE(Wan1().up);
}

TEST_F(LinkTest, ListsAddressesInTheKernelsOrder) {
  uplinkd::Run(
      "ip addr add 198.51.100.3/24 dev wan1; ip addr add 192.0.2.9/32 dev wan1;"
      "ip -6 addr add 2001:db8::2/64 dev wan1 nodad");
  EXPECT_THAT(Wan1().addresses,
              ::testing::ElementsAre(
                  LinkAddress{Ip("198.51.100.2"), Net("198.51.100.0/24"), {}},
                  LinkAddress{Ip("192.0.2.9"), Net("192.0.2.9/32"), {}},
                  LinkAddress{Ip("198.51.100.3"), Net("198.51.100.0/24"), {}}));
}

TEST_F(LinkTest, KnowsThePeerOfAPointToPointLink) {
  uplinkd::Run(
      "ip tuntap add ppp0 mode tun && ip link set ppp0 up &&"
      "ip addr add 192.0.2.1 peer 192.0.2.2/32 dev ppp0 &&"
      "ip route add default dev ppp0");
  const Link link = Read({"ppp0"}).links.at("ppp0");
  EXPECT_TRUE(link.point_to_point);
  EXPECT_THAT(link.addresses,
              ::testing::ElementsAre(LinkAddress{
                  Ip("192.0.2.1"), Net("192.0.2.2/32"), Ip("192.0.2.2")}));
  ASSERT_TRUE(link.default_route);
  EXPECT_EQ(link.default_route->gateway, std::nullopt);
}

TEST_F(LinkTest, TakesTheStricterRpFilter) {
  const auto set = [](const std::string& all, const std::string& own) {
    uplinkd::Run("echo " + all + " > /proc/sys/net/ipv4/conf/all/rp_filter;" +
                 "echo " + own + " > /proc/sys/net/ipv4/conf/wan1/rp_filter");
  };
  set("0", "0");
  EXPECT_EQ(Wan1().rp_filter, 0);
  set("0", "1");
  EXPECT_EQ(Wan1().rp_filter, 1);
  set("1", "2");
  EXPECT_EQ(Wan1().rp_filter, 2);
  set("1", "0");
  EXPECT_EQ(Wan1().rp_filter, 1);
}

TEST_F(LinkTest, SeesWhetherAStrictCheckHonoursMarks) {
  const auto set = [](const std::string& all, const std::string& own) {
    const std::string conf = " > /proc/sys/net/ipv4/conf/";
    uplinkd::Run("echo 1" + conf + "wan1/rp_filter; echo " + all + conf +
                 "all/src_valid_mark; echo " + own + conf +
                 "wan1/src_valid_mark");
  };
  set("0", "0");
  EXPECT_FALSE(Wan1().src_valid_mark);
  set("0", "1");
  EXPECT_TRUE(Wan1().src_valid_mark);
  set("1", "0");
  EXPECT_TRUE(Wan1().src_valid_mark);
}

TEST_F(LinkTest, FindsTheGateway) {
  uplinkd::Run("ip route add default via 198.51.100.1 proto dhcp metric 100");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, FindsTheGatewayBehindABetterDefault) {
  AddLink("wan2", "203.0.113.2/24");
  uplinkd::Run(
      "ip route add default via 203.0.113.1;"
      "ip route add default via 198.51.100.1 metric 100");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, PrefersTheBetterOfTwoGateways) {
  uplinkd::Run(
      "ip route add default via 198.51.100.9 metric 200;"
      "ip route add default via 198.51.100.1 metric 100");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, FindsTheGatewayInAMultipathRoute) {
  AddLink("wan2", "203.0.113.2/24");
  uplinkd::Run(
      "ip route add default nexthop via 203.0.113.1"
      " nexthop via 198.51.100.1");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, HasNoGatewayWithoutADefaultRoute) {
  uplinkd::Run(
      "ip route add 192.0.2.0/24 via 198.51.100.1;"
      "ip route add unreachable default metric 4294967295");
  EXPECT_EQ(Gateway(), "none");
}

TEST_F(LinkTest, TakesNoOtherTablesDefaultForMains) {
  uplinkd::Run(
      "ip route add default via 198.51.100.9 table 11;"
      "ip rule add pref 100 lookup 11");
  EXPECT_EQ(Gateway(), "none");
}

TEST_F(LinkTest, FindsTheGatewayBehindAnotherTablesDefault) {
  uplinkd::Run(
      "ip route add default via 198.51.100.9 table 11;"
      "ip rule add pref 100 lookup 11;"
      "ip route add default via 198.51.100.1");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, FindsTheGatewayBehindLongerPrefixes) {
  uplinkd::Run(
      "ip route add 0.0.0.0/1 via 198.51.100.9;"
      "ip route add 128.0.0.0/1 via 198.51.100.9;"
      "ip route add 240.0.0.0/4 via 198.51.100.9;"
      "ip route add default via 198.51.100.1");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, FindsTheGatewayWhereReservedNetworksAreUnreachable) {
  uplinkd::Run(
      "ip route add blackhole 240.0.0.0/4;"
      "ip route add default via 198.51.100.1");
  EXPECT_EQ(Gateway(), "198.51.100.1");
}

TEST_F(LinkTest, FollowsARenamedLink) {
  uplinkd::Run("ip link set wan1 down; ip link set wan1 name dsl0");
  EXPECT_TRUE(Read({"wan1"}).links.empty());
  EXPECT_EQ(Read({"dsl0"}).links.size(), 1U);
}

}  // namespace
}  // namespace uplinkd
