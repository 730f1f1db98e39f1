// The route codec against the kernel: what goes in comes out.

#include "reconciler/linux/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using testing::Ip;
using testing::Net;

class RouteTest : public NetnsTest {
 protected:
  RouteTest() {
    AddLink("wan1", "198.51.100.2/24");
    AddLink("wan2", "203.0.113.2/24");
  }

  std::optional<Error> Write(RouteOperation operation, const Route& route) {
    LinkNames names(*socket_);
    Result<NlRequest> request = EncodeRoute(operation, route, names);
    if (!request) return request.error();
    return socket_->Write(std::span(&*request, 1)).front();
  }

  std::vector<Route> Read(std::uint32_t table) {
    LinkNames names(*socket_);
    return ReadRoutes(*socket_, names, RouteFilter{.table = table}).value();
  }

  std::unique_ptr<NlSocket> socket_ = NlSocket::Open(NETLINK_ROUTE).value();
};

// "default via 198.51.100.1 dev wan1 table 11".
Route DefaultRouteOf(std::uint32_t table) {
  Route route;
  route.key.table = table;
  route.next_hops = {{.link = "wan1", .gateway = Ip("198.51.100.1")}};
  return route;
}

// Routes as we could ever write them, and then some.
class RandomRoutes {
 public:
  Route Next() {
    Route route;
    route.key.table = Pick<std::uint32_t>({10, 11, 42, 255 + 11, 70000});
    route.key.destination =
        Prefix(Address::FromIpv4(0x0a000000U + Below(1U << 24)),
               static_cast<int>(8 + Below(25)));
    if (Below(8) == 0) route.key.destination = Prefix::Default(Family::kIpv4);
    route.key.tos = Pick<std::uint8_t>({0, 0, 0, 8, 16});
    route.key.metric =
        Pick<std::uint32_t>({0, 1, 100, Below(1U << 31), kFloorMetric});
    route.type =
        Pick({RouteType::kUnicast, RouteType::kUnicast, RouteType::kUnicast,
              RouteType::kUnreachable, RouteType::kBlackhole});
    if (route.type == RouteType::kUnicast) FillUnicast(route);
    return route;
  }

 private:
  std::uint32_t Below(std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random_);
  }
  template <typename T>
  T Pick(std::initializer_list<T> values) {
    return values.begin()[Below(static_cast<std::uint32_t>(values.size()))];
  }

  NextHop RandomHop() {
    const bool first = Below(2) == 0;
    NextHop hop;
    hop.link = first ? "wan1" : "wan2";
    if (Below(4) != 0) {
      hop.onlink = Below(2) == 0;
      const std::uint32_t network = hop.onlink ? 0xc0000200  // 192.0.2.0
                                    : first    ? 0xc6336400  // 198.51.100.0
                                               : 0xcb007100;    // 203.0.113.0
      hop.gateway = Address::FromIpv4(network + 3 + Below(250));
    }
    return hop;
  }

  void FillUnicast(Route& route) {
    route.next_hops = {RandomHop()};
    const bool single = Below(4) != 0;
    if (single && !route.next_hops.front().gateway) {
      route.link_scope = Below(2) == 0;
    }
    for (std::uint32_t more = single ? 0 : 1 + Below(31); more > 0; --more) {
      route.next_hops.push_back(RandomHop());
    }
    if (route.next_hops.size() > 1) {
      for (NextHop& hop : route.next_hops) hop.weight = 1 + Below(256);
    }
    if (Below(2) == 0) route.preferred_source = Ip("203.0.113.2");
  }

  std::mt19937 random_{20101};
};

TEST_F(RouteTest, SurvivesTheKernel) {
  RandomRoutes random;
  std::map<RouteKey, Route> wanted;
  while (wanted.size() < 600) {
    const Route route = random.Next();
    if (wanted.contains(route.key)) continue;
    const std::optional<Error> error = Write(RouteOperation::kCreate, route);
    ASSERT_FALSE(error) << error->message << "\n"
                        << ::testing::PrintToString(route.next_hops.size());
    wanted.emplace(route.key, route);
  }
  std::map<RouteKey, Route> read;
  for (const std::uint32_t table : {10U, 11U, 42U, 255U + 11U, 70000U}) {
    for (const Route& route : Read(table)) read.emplace(route.key, route);
  }
  EXPECT_TRUE(read == wanted);
  // And each is found again by its description, alone.
  for (const auto& [key, route] : wanted) {
    const std::optional<Error> error = Write(RouteOperation::kRemove, route);
    ASSERT_FALSE(error) << error->message;
  }
  for (const std::uint32_t table : {10U, 11U, 42U, 255U + 11U, 70000U}) {
    EXPECT_TRUE(Read(table).empty());
  }
}

TEST_F(RouteTest, ReadsATableThatNobodyMadeAsEmpty) {
  EXPECT_TRUE(Read(4711).empty());
}

TEST_F(RouteTest, ReadsOnlyTheTableThatIsAskedFor) {
  uplinkd::Run("ip route add 192.0.2.0/24 dev wan1");
  ASSERT_FALSE(Write(RouteOperation::kCreate, DefaultRouteOf(11)));
  EXPECT_THAT(Read(11), ::testing::ElementsAre(DefaultRouteOf(11)));
}

TEST_F(RouteTest, TellsTheProtocol) {
  uplinkd::Run(
      "ip route add default via 198.51.100.1 dev wan1 table 11 proto static");
  Route expected = DefaultRouteOf(11);
  expected.protocol = 4;
  EXPECT_THAT(Read(11), ::testing::ElementsAre(expected));
}

TEST_F(RouteTest, NeverTakesAnEmbellishedRouteForAPlainOne) {
  uplinkd::Run("ip nexthop add id 7 via 198.51.100.1 dev wan1");
  for (const std::string words :
       {"via 198.51.100.1 dev wan1 mtu lock 1400",
        "via 198.51.100.1 dev wan1 realm 5",
        "via 198.51.100.1 dev wan1 initcwnd 20",
        "via 198.51.100.1 dev wan1 scope site", "nhid 7"}) {
    uplinkd::Run("ip route add default table 11 proto 117 " + words);
    const std::vector<Route> routes = Read(11);
    ASSERT_EQ(routes.size(), 1U) << words;
    EXPECT_NE(routes.front(), DefaultRouteOf(11)) << words;
    EXPECT_FALSE(routes.front().extra.empty()) << words;
    // Yet it can be removed by what was read.
    EXPECT_FALSE(Write(RouteOperation::kRemove, routes.front())) << words;
    EXPECT_TRUE(Read(11).empty()) << words;
  }
}

TEST_F(RouteTest, KnowsOtherTypesButNamesThem) {
  uplinkd::Run("ip route add prohibit default table 11 proto 117");
  const std::vector<Route> routes = Read(11);
  ASSERT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes.front().type, RouteType::kOther);
  EXPECT_FALSE(Write(RouteOperation::kRemove, routes.front()));
}

TEST_F(RouteTest, KeepsAGatewayOfTheOtherFamily) {
  Route route = DefaultRouteOf(11);
  route.next_hops.front().gateway = Ip("fe80::1");
  ASSERT_FALSE(Write(RouteOperation::kCreate, route));
  EXPECT_THAT(Read(11), ::testing::ElementsAre(route));
  EXPECT_THAT(uplinkd::Run("ip route show table 11"),
              ::testing::HasSubstr("via inet6 fe80::1"));
}

TEST_F(RouteTest, DoesNotMindALineWithoutCarrier) {
  Route route = DefaultRouteOf(11);
  ASSERT_FALSE(Write(RouteOperation::kCreate, route));
  uplinkd::Run("ip link set wan1-far down");
  ASSERT_THAT(uplinkd::Run("ip route show table 11"),
              ::testing::HasSubstr("linkdown"));
  EXPECT_THAT(Read(11), ::testing::ElementsAre(route));
}

TEST_F(RouteTest, RefusesToCreateWhatIsThere) {
  ASSERT_FALSE(Write(RouteOperation::kCreate, DefaultRouteOf(11)));
  const auto again = Write(RouteOperation::kCreate, DefaultRouteOf(11));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->code, ErrorCode::kAlreadyExists);
}

TEST_F(RouteTest, NeverRemovesAForeignRoute) {
  uplinkd::Run("ip route add default via 198.51.100.1 dev wan1 table 11");
  const auto error = Write(RouteOperation::kRemove, DefaultRouteOf(11));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_EQ(Read(11).size(), 1U);
}

TEST_F(RouteTest, RemovesTheMetricThatIsMeant) {
  Route floor;
  floor.key = {
      .table = 11, .destination = {}, .tos = 0, .metric = kFloorMetric};
  floor.type = RouteType::kUnreachable;
  ASSERT_FALSE(Write(RouteOperation::kCreate, floor));
  // The kernel takes metric 0 for "any": the rest must tell them apart.
  EXPECT_TRUE(Write(RouteOperation::kRemove, DefaultRouteOf(11)));
  EXPECT_THAT(Read(11), ::testing::ElementsAre(floor));
}

TEST_F(RouteTest, NamesALinkThatDoesNotExist) {
  Route route = DefaultRouteOf(11);
  route.next_hops.front().link = "wan9";
  const auto error = Write(RouteOperation::kCreate, route);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kNotFound);
  EXPECT_EQ(error->message, "Cannot find device \"wan9\" (ENODEV)");
}

TEST_F(RouteTest, CarriesTheKernelsWords) {
  Route route = DefaultRouteOf(11);
  route.next_hops.front().gateway = Ip("192.0.2.1");
  const auto error = Write(RouteOperation::kCreate, route);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(error->message, "Nexthop has invalid gateway (ENETUNREACH)");
}

}  // namespace
}  // namespace uplinkd
