// LinuxKernel against a real kernel: routes and ip rules, ours and foreign.

#include "reconciler/linux/linux_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reconciler/linux/link.h"
#include "reconciler/linux/nl_socket.h"
#include "reconciler/linux/route.h"
#include "reconciler/linux/unique_fd.h"
#include "reconciler/ownership.h"
#include "tests/core/builders.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using ::testing::HasSubstr;
using testing::Ip;

Step Do(Change change) {
  Step step;
  step.change = std::move(change);
  return step;
}

// "default via 198.51.100.<host> dev wan1 table 11 proto 117".
Route Default(int host = 1) {
  Route route;
  route.key.table = 11;
  route.next_hops = {NextHop{
      .link = "wan1",
      .gateway = Address::FromIpv4(0xc6336400U + static_cast<unsigned>(host))}};
  return route;
}

Route Floor(std::uint32_t table) {
  Route route;
  route.key.table = table;
  route.key.metric = kFloorMetric;
  route.type = RouteType::kUnreachable;
  return route;
}

PolicyRule MarkRule(std::uint32_t id) {
  PolicyRule rule;
  rule.priority = kMarkPriority + id;
  rule.mark = Mark{id, 0xff};
  rule.table = 10 + id;
  return rule;
}

class LinuxKernelTest : public NetnsTest {
 protected:
  LinuxKernelTest() { AddLink("wan1", "198.51.100.2/24"); }

  State Observe(bool sweep = false) {
    return kernel_->Observe({.tables = {11, 12}, .sweep = sweep}).value();
  }
  std::vector<Outcome> Execute(const std::vector<Step>& steps) {
    return kernel_->Execute(steps);
  }
  Outcome Execute(Change change) {
    return kernel_->Execute(std::vector{Do(std::move(change))}).front();
  }
  // ip(8)'s words for table 11.
  std::string Table11() { return uplinkd::Run("ip route show table 11"); }

  std::unique_ptr<Kernel> kernel_ = OpenLinuxKernel({}).value();
};

TEST_F(LinuxKernelTest, SeesNothingOfOursInAFreshNamespace) {
  uplinkd::Run("ip route add 192.0.2.0/24 via 198.51.100.1");
  const State state = Observe(true);
  EXPECT_TRUE(state.routes.empty());
  EXPECT_TRUE(state.rules.empty());
  EXPECT_TRUE(state.foreign_routes.empty());
  for (const auto& [table, chains] : state.tables) EXPECT_TRUE(chains->Empty());
}

TEST_F(LinuxKernelTest, ObservesWhatItPut) {
  const std::vector<Outcome> outcomes =
      Execute({Do(PutRoute{Default(), {}}), Do(PutRoute{Floor(11), {}}),
               Do(AddRule{MarkRule(1)}), Do(AddRule{MarkRule(2)})});
  EXPECT_THAT(outcomes, ::testing::Each(Outcome{}));
  const State state = Observe();
  EXPECT_EQ(state.routes,
            (std::map<RouteKey, Route>{{Default().key, Default()},
                                       {Floor(11).key, Floor(11)}}));
  EXPECT_THAT(state.rules, ::testing::ElementsAre(MarkRule(1), MarkRule(2)));
}

TEST_F(LinuxKernelTest, RemovesAllItPutAndNothingElse) {
  uplinkd::Run(
      "ip route add 192.0.2.0/24 via 198.51.100.1 table 11;"
      "ip rule add pref 20101 fwmark 1/0xff lookup 11;"
      "ip rule add pref 100 from 192.0.2.7 lookup 11 proto 117");
  const std::string before = ShowRouting();
  std::vector<Step> put;
  std::vector<Step> remove;
  for (std::uint32_t id = 1; id <= 200; ++id) {
    Route route = Default();
    route.key.destination = Prefix::Host(Address::FromIpv4(0x0a000000 + id));
    put.push_back(Do(PutRoute{route, {}}));
    remove.push_back(Do(RemoveRoute{route}));
    put.push_back(Do(AddRule{MarkRule(id)}));
    remove.push_back(Do(RemoveRule{MarkRule(id)}));
  }
  EXPECT_THAT(Execute(put), ::testing::Each(Outcome{}));
  EXPECT_EQ(Observe().routes.size(), 200U);
  EXPECT_EQ(Observe().rules.size(), 200U);
  EXPECT_THAT(Execute(remove), ::testing::Each(Outcome{}));
  EXPECT_EQ(ShowRouting(), before);
}

// More than fits into one datagram, with refusals in between.
TEST_F(LinuxKernelTest, GivesEveryStepOfALargeBatchItsOwnOutcome) {
  std::vector<Step> steps;
  for (int i = 0; i < 2000; ++i) {
    Route route = Default();
    if (i % 7 == 3) route.next_hops.front().gateway = Ip("192.0.2.1");
    route.key.destination =
        Prefix::Host(Address::FromIpv4(0x0a000000U + static_cast<unsigned>(i)));
    steps.push_back(Do(PutRoute{route, {}}));
  }
  const std::vector<Outcome> outcomes = Execute(steps);
  ASSERT_EQ(outcomes.size(), steps.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_EQ(outcomes[i].result,
              i % 7 == 3 ? StepResult::kFailed : StepResult::kDone)
        << i;
  }
  EXPECT_EQ(Observe().routes.size(), 2000U - 286U);
}

TEST_F(LinuxKernelTest, ExplainsARefusalInTheWordsOfIpAndTheKernel) {
  Route route = Default();
  route.next_hops.front().gateway = Ip("192.0.2.1");
  const Outcome outcome = Execute(PutRoute{route, {}});
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(outcome.error.message,
            "ip route add default via 192.0.2.1 dev wan1 table 11 proto 117: "
            "Nexthop has invalid gateway (ENETUNREACH)");
}

TEST_F(LinuxKernelTest, CallsWhatIsAlreadySoAlreadySo) {
  EXPECT_EQ(Execute(AddRule{MarkRule(1)}).result, StepResult::kDone);
  EXPECT_EQ(Execute(AddRule{MarkRule(1)}).result, StepResult::kAlreadySo);
  EXPECT_EQ(Observe().rules.size(), 1U);
  EXPECT_EQ(Execute(RemoveRule{MarkRule(2)}).result, StepResult::kAlreadySo);
  EXPECT_EQ(Execute(RemoveRoute{Default()}).result, StepResult::kAlreadySo);
}

TEST_F(LinuxKernelTest, SaysThatACapabilityIsMissing) {
  Outcome outcome;
  std::thread([&] {
    // Capabilities belong to the thread; the C library knows no such call.
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    ASSERT_EQ(syscall(SYS_capset, &header, none.data()), 0);
    outcome = Execute(AddRule{MarkRule(1)});
  }).join();
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(outcome.error.message,
            "ip rule add priority 20101 fwmark 0x1/0xff lookup 11 proto 117: "
            "Operation not permitted (EPERM)");
}

// ---- routes of ours, replaced ----

TEST_F(LinuxKernelTest, ReplacesARouteWithoutAGap) {
  Execute(PutRoute{Default(10), {}});
  Execute(PutRoute{Floor(11), {}});
  uplinkd::Run("ip rule add pref 20101 fwmark 1 lookup 11");
  std::atomic<bool> stop = false;
  std::atomic<int> lookups = 0;
  int gaps = 0;
  std::thread traffic([&] {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int mark = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
    sockaddr_in far{};
    far.sin_family = AF_INET;
    far.sin_port = htons(9);
    far.sin_addr.s_addr = htonl(0xc0000201);
    for (; !stop; ++lookups) {
      // Connecting a datagram socket is a route lookup; the floor refuses it.
      const auto* address = reinterpret_cast<const sockaddr*>(&far);
      if (connect(fd.get(), address, sizeof(far)) != 0) ++gaps;
    }
  });
  for (int i = 0; i < 1000; ++i) {
    const Outcome outcome =
        Execute(PutRoute{Default(10 + (i + 1) % 200), Default(10 + i % 200)});
    EXPECT_EQ(outcome, Outcome{}) << outcome.error.message;
  }
  while (lookups < 1000) std::this_thread::yield();
  stop = true;
  traffic.join();
  EXPECT_EQ(gaps, 0);
  EXPECT_EQ(Observe().routes.at(Default().key), Default(10));
}

TEST_F(LinuxKernelTest, KeepsTheOldRouteWhenTheNewOneIsRefused) {
  Execute(PutRoute{Default(), {}});
  const std::string before = ShowRouting();
  Route refused = Default();
  refused.next_hops.front().gateway = Ip("192.0.2.1");
  const Outcome outcome = Execute(PutRoute{refused, Default()});
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_THAT(outcome.error.message, HasSubstr("ip route replace default"));
  EXPECT_EQ(ShowRouting(), before);
}

TEST_F(LinuxKernelTest, PutsTheNewRouteWhenTheOldOneHasVanished) {
  EXPECT_EQ(Execute(PutRoute{Default(7), Default(6)}), Outcome{});
  EXPECT_EQ(Observe().routes.at(Default().key), Default(7));
}

TEST_F(LinuxKernelTest, ConvergesWhenSomebodyAppendedInOurName) {
  struct Meddling {
    std::string verb;
    std::string hop;
  };
  for (const auto& [verb, hop] :
       {Meddling{"append", "via 198.51.100.6"},
        Meddling{"append", "via 198.51.100.7 mtu 1400"},
        Meddling{"prepend", "via 198.51.100.8"},
        Meddling{"prepend", "via 198.51.100.1 mtu 1400"}}) {
    Execute(PutRoute{Default(), {}});
    std::string command = "ip route ";
    command += verb;
    command += " default table 11 proto 117 dev wan1 ";
    command += hop;
    uplinkd::Run(command);
    command += " realm 3";
    uplinkd::Run(command);
    int passes = 0;
    for (; passes < 8; ++passes) {
      const State state = Observe();
      const auto found = state.routes.find(Default().key);
      std::optional<Route> old;
      if (found != state.routes.end()) old = found->second;
      if (old == Default()) break;
      Execute(PutRoute{Default(), old});
    }
    EXPECT_LT(passes, 8) << verb << " " << hop;
    EXPECT_EQ(Table11(), "default via 198.51.100.1 dev wan1 proto 117 \n");
  }
}

TEST_F(LinuxKernelTest, FindsRoutesOfOursElsewhereWhenItSweeps) {
  uplinkd::Run(
      "ip route add 192.0.2.0/24 via 198.51.100.1 proto 117;"
      "ip route add default via 198.51.100.1 table 4711 proto 117;"
      "ip route add default via 198.51.100.1 table 11 proto 117;"
      "ip route add default via 198.51.100.1 table 4712");
  EXPECT_EQ(Observe(false).routes.size(), 1U);
  const State state = Observe(true);
  EXPECT_EQ(state.routes.size(), 3U);
  for (const auto& [key, route] : state.routes) {
    EXPECT_EQ(route.extra, "");
    EXPECT_EQ(Execute(RemoveRoute{route}), Outcome{});
  }
  EXPECT_TRUE(Observe(true).routes.empty());
  EXPECT_NE(uplinkd::Run("ip route show table 4712"), "");
}

TEST_F(LinuxKernelTest, SurvivesALinkThatGoesBetweenReadingAndWriting) {
  Execute(PutRoute{Default(), {}});
  const State before = Observe();
  ASSERT_EQ(before.routes.size(), 1U);
  uplinkd::Run("ip link del wan1");
  EXPECT_EQ(Execute(RemoveRoute{Default()}).result, StepResult::kAlreadySo);
  const Outcome outcome = Execute(PutRoute{Default(), Default()});
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.message,
            "ip route replace default via 198.51.100.1 dev wan1 table 11 "
            "proto 117: Cannot find device \"wan1\" (ENODEV)");
  EXPECT_TRUE(Observe().routes.empty());
}

// ---- routes that are not ours ----

TEST_F(LinuxKernelTest, TellsForeignRoutesInOurTables) {
  uplinkd::Run("ip route add default via 198.51.100.9 table 11 proto bird");
  const State state = Observe();
  EXPECT_TRUE(state.routes.empty());
  ASSERT_EQ(state.foreign_routes.size(), 1U);
  EXPECT_EQ(state.foreign_routes.begin()->first, Default().key);
  EXPECT_EQ(state.foreign_routes.begin()->second.protocol, 12);
}

TEST_F(LinuxKernelTest, NeverOverwritesAForeignRouteThatCameFirst) {
  uplinkd::Run("ip route add default via 198.51.100.9 table 11");
  const std::string before = ShowRouting();
  const Outcome outcome = Execute(PutRoute{Default(), {}});
  EXPECT_EQ(outcome.result, StepResult::kConflict);
  EXPECT_EQ(outcome.error.code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(ShowRouting(), before);
}

TEST_F(LinuxKernelTest, GivesWayToAForeignRouteThatTookOurPlace) {
  Execute(PutRoute{Default(1), {}});
  uplinkd::Run("ip route replace default via 198.51.100.9 table 11");
  const std::string before = ShowRouting();
  const Outcome outcome = Execute(PutRoute{Default(7), Default(1)});
  EXPECT_EQ(outcome.result, StepResult::kConflict);
  EXPECT_EQ(outcome.error.code, ErrorCode::kAborted);
  EXPECT_THAT(outcome.error.message, HasSubstr("a foreign route has taken"));
  EXPECT_EQ(ShowRouting(), before);
}

// Somebody else takes the key and gives it up again, as fast as possible, while
// we put ours back as fast as possible. What is his stays his.
TEST_F(LinuxKernelTest, NeverOverwritesAForeignRouteInARace) {
  std::atomic<bool> stop = false;
  int taken = 0;
  int lost = 0;
  std::thread other([&] {
    const auto socket = NlSocket::Open(NETLINK_ROUTE).value();
    Route his = Default(9);
    his.protocol = 4;
    for (; taken < 2000; ++taken) {
      LinkNames names(*socket);
      NlRequest take = EncodeRoute(RouteOperation::kCreate, his, names).value();
      take.header()->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
      socket->Write(std::span(&take, 1));
      for (int looks = 0; looks < 3; ++looks) {
        const std::vector<Route> routes =
            ReadRoutes(*socket, names, {.table = 11}).value();
        if (std::ranges::find(routes, his) == routes.end()) ++lost;
      }
      const NlRequest leave =
          EncodeRoute(RouteOperation::kRemove, his, names).value();
      socket->Write(std::span(&leave, 1));
    }
    stop = true;
  });
  int put = 0;
  for (int host = 10; !stop; host = 10 + (host + 1) % 200) {
    const State state = Observe();
    if (state.foreign_routes.contains(Default().key)) continue;
    const auto found = state.routes.find(Default().key);
    std::optional<Route> old;
    if (found != state.routes.end()) old = found->second;
    const Outcome outcome = Execute(PutRoute{Default(host), old});
    EXPECT_NE(outcome.result, StepResult::kFailed) << outcome.error.message;
    put += outcome.result == StepResult::kDone ? 1 : 0;
  }
  other.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(put, 0);
}

// ---- speed ----

TEST_F(LinuxKernelTest, ObservesAsFastBesideAFullFeedInMain) {
  std::vector<Step> steps;
  for (std::uint32_t table = 11; table < 43; ++table) {
    for (Route route : {Default(), Floor(11)}) {
      route.key.table = table;
      steps.push_back(Do(PutRoute{route, {}}));
    }
  }
  ASSERT_THAT(Execute(steps), ::testing::Each(Outcome{}));
  ObserveScope scope;
  for (std::uint32_t table = 11; table < 43; ++table) {
    scope.tables.insert(table);
  }
  const std::set<std::string> links{"wan1", "wan1-far"};
  const FactsScope facts{links, links, true, {}, false, {}};
  const auto median = [&] {
    std::vector<std::chrono::nanoseconds> times;
    for (int i = 0; i < 101; ++i) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_EQ(kernel_->Observe(scope).value().routes.size(), 64U);
      EXPECT_TRUE(kernel_->ReadFacts(facts).has_value());
      times.push_back(std::chrono::steady_clock::now() - start);
    }
    std::ranges::nth_element(times, times.begin() + 50);
    return times[50];
  };
  const auto empty = median();
  const auto socket = NlSocket::Open(NETLINK_ROUTE).value();
  LinkNames names(*socket);
  std::vector<NlRequest> feed;
  for (std::uint32_t i = 0; i < 100000; ++i) {
    Route route = Default();
    route.key.table = kMainTable;
    route.protocol = 4;
    route.key.destination = Prefix::Host(Address::FromIpv4(0x0a000000U + i));
    feed.push_back(EncodeRoute(RouteOperation::kCreate, route, names).value());
    if (feed.size() < 1000) continue;
    socket->Write(feed);
    feed.clear();
  }
  ASSERT_EQ(uplinkd::Run("ip route show table main | wc -l"), "100001\n");
  const auto full = median();
  EXPECT_LT(full, 2 * empty);
  RecordProperty("empty_ns", std::to_string(empty.count()));
  RecordProperty("full_ns", std::to_string(full.count()));
}

}  // namespace
}  // namespace uplinkd
