// IPv6 against the kernel: routes, rules, addresses, default routes, events,
// and when it is looked at at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "reconciler/linux/linux_kernel.h"
#include "reconciler/linux/monitor.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/rule.h"
#include "reconciler/ownership.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;
using ::testing::Not;
using ::testing::SizeIs;

class Ipv6Test : public NetnsTest {
 protected:
  Ipv6Test() {
    uplinkd::Run("sysctl -qw net.ipv6.conf.all.forwarding=1");
    AddLink("wan1", "198.51.100.2/24");
    AddLink("wan2");
    uplinkd::Run(
        "ip address add 2001:db8:1::2/64 dev wan1 nodad\n"
        "ip address add 2001:db8:2::2/64 dev wan2 nodad");
  }

  std::optional<Error> Write(RouteOperation operation, const Route& route) {
    LinkNames names(*socket_);
    Result<NlRequest> request = EncodeRoute(operation, route, names);
    if (!request) return request.error();
    return socket_->Write(std::span(&*request, 1)).front();
  }

  std::vector<Route> Read(std::uint32_t table) {
    LinkNames names(*socket_);
    return ReadRoutes(*socket_, names,
                      {.family = Family::kIpv6, .table = table})
        .value();
  }

  std::optional<Error> Write(RuleOperation operation, const PolicyRule& rule) {
    const NlRequest request = EncodeRule(operation, rule);
    return socket_->Write(std::span(&request, 1)).front();
  }

  Facts ReadHost(bool ipv6) {
    const std::set<std::string> links = {"wan1", "wan2"};
    return kernel_
        ->ReadFacts({.links = links,
                     .default_routes = links,
                     .default_source = true,
                     .ipv6 = ipv6,
                     .default_routes6 = links})
        .value();
  }

  std::unique_ptr<NlSocket> socket_ = NlSocket::Open(NETLINK_ROUTE).value();
  std::unique_ptr<Kernel> kernel_ = OpenLinuxKernel({}).value();
};

Route Default(const std::string& gateway) {
  Route route;
  route.key = {.table = 11,
               .destination = Prefix::Default(Family::kIpv6),
               .metric = UsualMetric(Family::kIpv6)};
  route.next_hops = {{.link = "wan1", .gateway = Ip(gateway)}};
  return route;
}

// What Compile() can make.
Route RandomRoute(std::mt19937& random) {
  const auto below = [&](std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random);
  };
  Route route;
  route.key.table = 10 + below(3) * 300;
  std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8, 0x80};
  for (std::size_t i = 5; i < 16; ++i) {
    bytes.at(i) = static_cast<std::uint8_t>(below(256));
  }
  route.key.destination = Prefix(Address::FromBytes(Family::kIpv6, bytes),
                                 static_cast<int>(40 + below(89)));
  if (below(6) == 0) route.key.destination = Prefix::Default(Family::kIpv6);
  route.key.metric = below(3) == 0 ? kFloorMetric : 1 + below(5000);
  if (below(4) == 0) {
    route.type =
        below(2) == 0 ? RouteType::kUnreachable : RouteType::kBlackhole;
    return route;
  }
  const auto hop = [](const char* link, const char* gateway) {
    NextHop made;
    made.link = link;
    if (*gateway != '\0') made.gateway = Ip(gateway);
    return made;
  };
  switch (below(5)) {
    case 0: route.next_hops = {hop("wan1", "")}; break;
    case 1: route.next_hops = {hop("wan1", "2001:db8:1::1")}; break;
    case 2: route.next_hops = {hop("wan2", "fe80::1")}; break;
    case 3:
      route.next_hops = {hop("wan1", "2001:db8:77::1")};
      route.next_hops.front().onlink = true;
      break;
    default:
      route.next_hops = {hop("wan1", "fe80::1"), hop("wan2", "fe80::2")};
      route.next_hops.front().weight = 1 + below(256);
      break;
  }
  if (below(2) == 0) route.preferred_source = Ip("2001:db8:1::2");
  return route;
}

TEST_F(Ipv6Test, RoutesSurviveTheKernel) {
  std::mt19937 random(6);
  for (int i = 0; i < 500; ++i) {
    const Route route = RandomRoute(random);
    const std::optional<Error> put = Write(RouteOperation::kCreate, route);
    ASSERT_FALSE(put) << "case " << i << ": " << put->message;
    ASSERT_THAT(Read(route.key.table), ElementsAre(route)) << "case " << i;
    ASSERT_FALSE(Write(RouteOperation::kRemove, route)) << "case " << i;
    ASSERT_THAT(Read(route.key.table), IsEmpty()) << "case " << i;
  }
}

TEST_F(Ipv6Test, AReplacedRouteIsOneRoute) {
  const Route old_route = Default("fe80::1");
  Route new_route = Default("fe80::9");
  ASSERT_FALSE(Write(RouteOperation::kCreate, old_route));
  EXPECT_TRUE(Write(RouteOperation::kCreate, new_route));
  new_route.preferred_source = Ip("2001:db8:1::2");
  ASSERT_FALSE(Write(RouteOperation::kReplace, new_route));
  EXPECT_THAT(Read(11), ElementsAre(new_route));
}

TEST_F(Ipv6Test, StepsReplaceARouteInOneGo) {
  const Route old_route = Default("fe80::1");
  Route new_route = Default("fe80::9");
  new_route.preferred_source = Ip("2001:db8:1::2");
  ASSERT_FALSE(Write(RouteOperation::kCreate, old_route));
  Step step;
  step.change = PutRoute{new_route, old_route};
  EXPECT_THAT(kernel_->Execute(std::span(&step, 1)), ElementsAre(Outcome{}));
  EXPECT_THAT(Read(11), ElementsAre(new_route));
}

TEST_F(Ipv6Test, RulesSurviveTheKernelBesideThoseOfIpv4) {
  PolicyRule internal;
  internal.family = Family::kIpv6;
  internal.priority = kMainPriority;
  internal.suppress_prefix_length = 0;
  PolicyRule by_mark;
  by_mark.family = Family::kIpv6;
  by_mark.priority = kMarkPriority + 1;
  by_mark.mark = Mark{1, 0xff};
  by_mark.table = 11;
  PolicyRule by_source;
  by_source.family = Family::kIpv6;
  by_source.priority = kSourcePriority + 1;
  by_source.source = Net("2001:db8:1::2/128");
  by_source.table = 70000;
  PolicyRule ipv4 = by_mark;
  ipv4.family = Family::kIpv4;
  for (const PolicyRule& rule : {internal, by_mark, by_source, ipv4}) {
    const std::optional<Error> put = Write(RuleOperation::kCreate, rule);
    ASSERT_FALSE(put) << put->message;
  }
  EXPECT_EQ(Write(RuleOperation::kCreate, by_mark)->code,
            ErrorCode::kAlreadyExists);
  EXPECT_THAT(ReadOwnRules(*socket_, Family::kIpv6).value(),
              ElementsAre(internal, by_mark, by_source));
  EXPECT_THAT(ReadOwnRules(*socket_, Family::kIpv4).value(), ElementsAre(ipv4));
  for (const PolicyRule& rule : {internal, by_mark, by_source}) {
    EXPECT_FALSE(Write(RuleOperation::kRemove, rule));
  }
  EXPECT_THAT(ReadOwnRules(*socket_, Family::kIpv6).value(), IsEmpty());
}

TEST_F(Ipv6Test, ReadsAddressesOnlyWhenAskedTo) {
  EXPECT_THAT(ReadHost(false).links.at("wan1").addresses, SizeIs(1));
  const Facts facts = ReadHost(true);
  const LinkAddress& own = facts.links.at("wan2").addresses.front();
  EXPECT_EQ(own.local, Ip("2001:db8:2::2"));
  EXPECT_EQ(own.network, Net("2001:db8:2::/64"));
  EXPECT_TRUE(own.preferred);
}

TEST_F(Ipv6Test, KnowsWhichAddressesAreNoSources) {
  uplinkd::Run(
      "ip address add 2001:db8:2::3/64 dev wan2 nodad preferred_lft 0\n"
      "sysctl -qw net.ipv6.conf.wan2.dad_transmits=60\n"
      "ip address add 2001:db8:2::4/64 dev wan2");
  bool deprecated = false;
  const Facts facts = ReadHost(true);
  for (const LinkAddress& address : facts.links.at("wan2").addresses) {
    EXPECT_NE(address.local, Ip("2001:db8:2::4")) << "it is tentative";
    if (address.local != Ip("2001:db8:2::3")) continue;
    deprecated = true;
    EXPECT_FALSE(address.preferred);
  }
  EXPECT_TRUE(deprecated);
}

TEST_F(Ipv6Test, FindsTheDefaultRouteOfEachLink) {
  // As router advertisements leave them: one metric, two links.
  uplinkd::Run(
      "ip -6 route add default via fe80::1 dev wan1 proto ra metric 1024\n"
      "ip -6 route add default via fe80::2 dev wan2 proto ra metric 2048\n"
      "ip -6 route add 2000::/3 via fe80::7 dev wan2");
  const Facts facts = ReadHost(true);
  EXPECT_EQ(facts.links.at("wan1").default_route6->gateway, Ip("fe80::1"));
  EXPECT_EQ(facts.links.at("wan2").default_route6->gateway, Ip("fe80::2"));
  EXPECT_EQ(facts.links.at("wan1").default_route, std::nullopt);
  EXPECT_EQ(facts.default_source6, Ip("2001:db8:1::2"));
  EXPECT_EQ(ReadHost(false).links.at("wan1").default_route6, std::nullopt);
}

TEST_F(Ipv6Test, IsLookedAtOnceUnlessSomethingIsThere) {
  const Route route = Default("fe80::1");
  const ObserveScope usual{.tables = {11}};
  const ObserveScope sweep{.tables = {11}, .sweep = true};
  EXPECT_THAT(kernel_->Observe(sweep)->routes, IsEmpty());
  ASSERT_FALSE(Write(RouteOperation::kCreate, route));
  EXPECT_THAT(kernel_->Observe(usual)->routes, IsEmpty());
  EXPECT_THAT(kernel_->Observe(sweep)->routes, IsEmpty());
  const std::unique_ptr<Kernel> anew = OpenLinuxKernel({}).value();
  EXPECT_THAT(anew->Observe(sweep)->routes, SizeIs(1));
  EXPECT_THAT(anew->Observe(usual)->routes, SizeIs(1));
  ASSERT_FALSE(Write(RouteOperation::kRemove, route));
  EXPECT_THAT(anew->Observe(usual)->routes, IsEmpty());
  ASSERT_FALSE(Write(RouteOperation::kCreate, route));
  EXPECT_THAT(anew->Observe(usual)->routes, IsEmpty());
  const ObserveScope asked{.tables = {11}, .ipv6 = true};
  EXPECT_THAT(anew->Observe(asked)->routes, SizeIs(1));
}

TEST_F(Ipv6Test, ReadingCreatesNoTables) {
  ASSERT_TRUE(kernel_->Observe({.tables = {}, .sweep = true, .ipv6 = true}));
  EXPECT_THAT(uplinkd::Run("cat /proc/net/ip6_tables_names"), IsEmpty());
}

TEST_F(Ipv6Test, EditsLeaveForeignRulesAsTheyAre) {
  uplinkd::Run(
      "ip6tables-legacy -t nat -N MINE\n"
      "ip6tables-legacy -t nat -A POSTROUTING -s 2001:db8:5::/48 -j MINE\n"
      "ip6tables-legacy -t nat -A MINE -o wan1 -j MASQUERADE --random");
  const std::string before = uplinkd::Run(
      "ip6tables-legacy-save -c -t nat "
      "| grep -v '^#'");
  XtTableState wanted;
  ChainRule netmap;
  netmap.source = {Net("fd00::/64"), false};
  netmap.out_interface = "wan1";
  netmap.target = NetmapTarget{Net("2001:db8:1::/64")};
  wanted.chains["UPL-SNAT"] = {netmap};
  wanted.jumps[XtHook::kPostrouting] = {{0, JumpTo("UPL-SNAT")}};
  const auto observed = [&] {
    const State state = kernel_->Observe({.tables = {}, .ipv6 = true}).value();
    return *state.tables.at(XtTable::kNat6);
  };
  Step step;
  step.change = Rebuild(XtTable::kNat6, observed(), wanted);
  ASSERT_EQ(kernel_->Execute(std::span(&step, 1)).front(), Outcome{});
  EXPECT_EQ(observed(), wanted);
  EXPECT_THAT(uplinkd::Run("iptables-legacy-save -t nat"),
              Not(HasSubstr("UPL-")));
  step.change = Rebuild(XtTable::kNat6, observed(), {});
  ASSERT_EQ(kernel_->Execute(std::span(&step, 1)).front(), Outcome{});
  EXPECT_EQ(uplinkd::Run("ip6tables-legacy-save -c -t nat | grep -v '^#'"),
            before);
}

TEST_F(Ipv6Test, WakesUsOnlyWhenAskedTo) {
  const std::unique_ptr<Monitor> monitor = Monitor::Open().value();
  const auto woken = [&](const std::string& command) {
    monitor->Drain();
    uplinkd::Run(command);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return monitor->Drain();
  };
  ASSERT_TRUE(monitor->WatchTables({11}, false));
  EXPECT_FALSE(woken("ip address add 2001:db8:1::8/64 dev wan1 nodad"));
  ASSERT_TRUE(monitor->WatchTables({11}, true));
  EXPECT_TRUE(woken("ip address add 2001:db8:1::9/64 dev wan1 nodad"));
  EXPECT_TRUE(woken("ip -6 route add default via fe80::1 dev wan1"));
  EXPECT_TRUE(woken("ip -6 rule add priority 5 lookup 77"));
  EXPECT_TRUE(woken("ip -6 route add 2001:db8:9::/48 dev wan1 table 11"));
  EXPECT_FALSE(woken("ip -6 route add 2001:db8:9::/48 dev wan1 table 99"));
  ASSERT_TRUE(monitor->WatchTables({11}, false));
  EXPECT_FALSE(woken("ip address del 2001:db8:1::9/64 dev wan1"));
}

}  // namespace
}  // namespace uplinkd
