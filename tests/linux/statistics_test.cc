// The kernel's counters, against what ip(8) and conntrack(8) say of them.

#include "reconciler/linux/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Pair;

auto All(std::uint64_t count) {
  return Field(&ConnectionCount::all, count);
}

class StatisticsTest : public NetnsTest {
 protected:
  std::unique_ptr<Statistics> statistics_ = Statistics::Open().value();
};

TEST_F(StatisticsTest, CountsBytesOfALinkAsTheKernelDoes) {
  AddLink("wan1", "198.51.100.2/24");
  uplinkd::Run(
      "ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev wan1;"
      "bash -c 'head -c 1000 /dev/zero > /dev/udp/198.51.100.1/9'");
  uplinkd::Run("ip link set wan1-far down");  // nothing moves any more
  const int wan1 =
      std::stoi(uplinkd::Run("ip -o link show wan1 | cut -d: -f1"));
  const LinkCounters counters = statistics_->ReadLinks({wan1}).at(wan1);
  const auto said = [](const std::string& key) {
    return std::stoull(
        uplinkd::Run("ip -j -s link show wan1 | tr -d ' \n' |"
                     " sed 's/.*\"" +
                     key + "\":{\"bytes\":\\([0-9]*\\).*/\\1/'"));
  };
  EXPECT_EQ(counters.receive_bytes, said("rx"));
  EXPECT_EQ(counters.transmit_bytes, said("tx"));
  EXPECT_GT(counters.transmit_bytes, 1000U);
}

TEST_F(StatisticsTest, LeavesOutALinkThatDoesNotExist) {
  constexpr int kLoopback = 1;  // in every namespace
  const auto counters = statistics_->ReadLinks({kLoopback, 4711});
  EXPECT_THAT(counters, ::testing::SizeIs(1));
  EXPECT_TRUE(counters.contains(kLoopback));
}

TEST_F(StatisticsTest, CountsTheConnectionsThatNobodyAnswered) {
  int port = 2000;
  for (const char* state : {"SYN_SENT", "SYN_SENT", "ESTABLISHED"}) {
    uplinkd::Run("conntrack -I -p tcp -s 192.0.2.1 -d 192.0.2.2 --sport " +
                 std::to_string(++port) +
                 " --dport 80 --timeout 100 --mark 1 --state " + state +
                 " >/dev/null 2>&1");
  }
  AddConnections(3, "1");  // UDP
  const ConnectionCount count = statistics_->CountConnections(0xff).value()[1];
  EXPECT_EQ(count.all, 6U);
  EXPECT_EQ(count.unanswered, 2U);
}

TEST_F(StatisticsTest, CountsNoConnectionsInAFreshNamespace) {
  EXPECT_TRUE(statistics_->CountConnections(0xff).value().empty());
}

TEST_F(StatisticsTest, CountsConnectionsByMarkUnderTheMask) {
  AddConnections(3, "1");
  AddConnections(2, "2");
  AddConnections(4, "0x101");  // bits of somebody else
  AddConnections(1, "0");
  EXPECT_THAT(statistics_->CountConnections(0xff).value(),
              ElementsAre(Pair(0, All(1)), Pair(1, All(7)), Pair(2, All(2))));
  EXPECT_THAT(statistics_->CountConnections(0xff00).value(),
              ElementsAre(Pair(0, All(6)), Pair(0x100, All(4))));
}

TEST_F(StatisticsTest, FollowsConnectionsThatGo) {
  AddConnections(5, "1");
  uplinkd::Run("conntrack -D -p udp --sport 1001 >/dev/null 2>&1");
  EXPECT_THAT(statistics_->CountConnections(0xff).value(),
              ElementsAre(Pair(1, All(4))));
}

TEST_F(StatisticsTest, CountsBothFamilies) {
  AddConnections(1, "1");
  uplinkd::Run(
      "conntrack -I -p udp -s 2001:db8::1 -d 2001:db8::2"
      " --sport 9 --dport 53 --timeout 600 --mark 1 2>&1");
  EXPECT_THAT(statistics_->CountConnections(0xff).value(),
              ElementsAre(Pair(1, All(2))));
}

TEST_F(StatisticsTest, TellsHowFullTheTableIs) {
  AddConnections(6, "1");
  const ConntrackUsage usage = statistics_->ReadConntrackUsage().value();
  EXPECT_EQ(usage.entries, 6U);
  EXPECT_EQ(std::to_string(usage.limit) + "\n",
            uplinkd::Run("cat /proc/sys/net/netfilter/nf_conntrack_max"));
}

}  // namespace
}  // namespace uplinkd
