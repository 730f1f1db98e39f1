// Connections listed and ended by mark, made by conntrack(8) and by traffic.

#include "reconciler/linux/conntrack.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "reconciler/linux/statistics.h"
#include "reconciler/linux/unique_fd.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

class ConntrackTest : public NetnsTest {
 protected:
  std::vector<Connection> List(const Mark& filter) {
    std::vector<Connection> connections;
    const Result<void> listed = conntrack_->List(
        filter, [&](const Connection& one) { connections.push_back(one); });
    EXPECT_TRUE(listed) << listed.error().message;
    return connections;
  }
  // How many there are of each mark.
  std::map<std::uint32_t, std::uint64_t> Marks() {
    std::map<std::uint32_t, std::uint64_t> marks;
    const ConnectionCounts counts =
        Statistics::Open().value()->CountConnections(0xffffffff).value();
    for (const auto& [mark, count] : counts) marks[mark] = count.all;
    return marks;
  }

  std::unique_ptr<Conntrack> conntrack_ = Conntrack::Open().value();
};

// ---- ending ----

TEST_F(ConntrackTest, CutsThoseWithTheMarkAndNoOthers) {
  AddConnections(3, "1");
  AddConnections(4, "2");
  AddConnections(2, "0");
  EXPECT_EQ(conntrack_->Cut({1, 0xff}, Family::kIpv4).value(), 3U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(0, 2), Pair(2, 4)));
  EXPECT_EQ(conntrack_->Cut({2, 0xff}, Family::kIpv4).value(), 4U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(0, 2)));
}

TEST_F(ConntrackTest, LooksAtTheBitsUnderTheMaskOnly) {
  AddConnections(1, "0x101");
  AddConnections(1, "0x701");
  AddConnections(1, "0x102");
  EXPECT_EQ(conntrack_->Cut({0x1, 0xff}, Family::kIpv4).value(), 2U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(0x102, 1)));
  EXPECT_EQ(conntrack_->Cut({0x100, 0xff00}, Family::kIpv4).value(), 1U);
  EXPECT_THAT(Marks(), IsEmpty());
}

TEST_F(ConntrackTest, CutsNothingWhereThereIsNoneWithTheMark) {
  AddConnections(2, "1");
  EXPECT_EQ(conntrack_->Cut({3, 0xff}, Family::kIpv4).value(), 0U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(1, 2)));
}

TEST_F(ConntrackTest, RefusesWhatWouldCutEverything) {
  AddConnections(2, "1");
  AddConnections(1, "0");
  for (const Mark& mark : {Mark{0, 0}, Mark{0, 0xff}, Mark{1, 0},
                           Mark{0x100, 0xff}, Mark{0x101, 0xff}}) {
    const Result<std::uint64_t> cut = conntrack_->Cut(mark, Family::kIpv4);
    ASSERT_FALSE(cut) << mark.value << "/" << mark.mask;
    EXPECT_EQ(cut.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_THAT(Marks(), ElementsAre(Pair(0, 1), Pair(1, 2)));
}

TEST_F(ConntrackTest, CutsOneFamilyAlone) {
  AddConnections(2, "1");
  uplinkd::Run(
      "conntrack -I -p udp -s 2001:db8::1 -d 2001:db8::2"
      " --sport 9 --dport 53 --timeout 600 --mark 1 2>&1");
  EXPECT_EQ(conntrack_->Cut({1, 0xff}, Family::kIpv6).value(), 1U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(1, 2)));
  uplinkd::Run(
      "conntrack -I -p udp -s 2001:db8::1 -d 2001:db8::2"
      " --sport 9 --dport 53 --timeout 600 --mark 1 2>&1");
  EXPECT_EQ(conntrack_->Cut({1, 0xff}, Family::kIpv4).value(), 2U);
  EXPECT_THAT(Marks(), ElementsAre(Pair(1, 1)));
}

// ---- listing ----

TEST_F(ConntrackTest, ListsWhoTalksToWhom) {
  uplinkd::Run(
      "conntrack -I -p tcp --state ESTABLISHED -s 192.0.2.1 -d 198.51.100.9"
      " --sport 1234 --dport 443 --timeout 600"
      " --status SEEN_REPLY,ASSURED --mark 0x301 2>&1;"
      "conntrack -I -p udp -s 2001:db8::1 -d 2001:db8::2"
      " --sport 9 --dport 53 --timeout 600 --mark 1 2>&1");
  Connection v4;
  v4.protocol = IPPROTO_TCP;
  v4.source = Address::Parse("192.0.2.1").value();
  v4.destination = Address::Parse("198.51.100.9").value();
  v4.source_port = 1234;
  v4.destination_port = 443;
  v4.mark = 0x301;
  v4.replied = true;
  Connection v6;
  v6.protocol = IPPROTO_UDP;
  v6.source = Address::Parse("2001:db8::1").value();
  v6.destination = Address::Parse("2001:db8::2").value();
  v6.source_port = 9;
  v6.destination_port = 53;
  v6.mark = 1;
  EXPECT_THAT(List({0, 0}), ::testing::UnorderedElementsAre(v4, v6));
}

TEST_F(ConntrackTest, LetsTheKernelChooseByMark) {
  AddConnections(3, "1");
  AddConnections(2, "0x102");
  EXPECT_THAT(List({2, 0xff}), SizeIs(2));
  EXPECT_THAT(List({2, 0xff}),
              ::testing::Each(Field(&Connection::mark, 0x102U)));
  EXPECT_THAT(List({0, 0}), SizeIs(5));
}

// ---- traffic ----

class ConntrackTrafficTest : public ConntrackTest {
 protected:
  ConntrackTrafficTest() {
    // Connections are tracked where something asks for it. The lower ports
    // get the mark 1, the upper ones 2.
    uplinkd::Run(
        "sysctl -qw net.netfilter.nf_conntrack_acct=1;"
        "iptables-legacy -t mangle -A OUTPUT -p udp --dport 1:30000"
        " -j CONNMARK --set-mark 1;"
        "iptables-legacy -t mangle -A OUTPUT -p udp --dport 30001:60000"
        " -j CONNMARK --set-mark 2");
  }

  // A datagram of 100 bytes to each of these ports; nobody listens.
  static void Send(std::uint16_t first, std::uint16_t last) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const std::vector<char> bytes(100);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int port = first; port <= last; ++port) {
      to.sin_port = htons(static_cast<std::uint16_t>(port));
      // An answer to an earlier one (port unreachable) may come in between.
      sendto(fd.get(), bytes.data(), bytes.size(), 0,
             reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
  }
};

TEST_F(ConntrackTrafficTest, TellsTheBytesOfBothDirections) {
  Send(7, 7);
  const std::vector<Connection> connections = List({1, 0xff});
  ASSERT_THAT(connections, SizeIs(1));
  EXPECT_EQ(connections[0].destination_port, 7);
  EXPECT_FALSE(connections[0].replied);
  EXPECT_EQ(connections[0].bytes, 128U);  // with the headers of IP and UDP
}

TEST_F(ConntrackTrafficTest, CutsTensOfThousandsInOneRequest) {
  Send(1, 60000);
  const std::map<std::uint32_t, std::uint64_t> before = Marks();
  ASSERT_GT(before.at(1), 20000U);
  ASSERT_GT(before.at(2), 20000U);
  const auto began = std::chrono::steady_clock::now();
  const Result<std::uint64_t> cut = conntrack_->Cut({1, 0xff}, Family::kIpv4);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(*cut, before.at(1));
  RecordProperty("connections", std::to_string(*cut));
  RecordProperty("milliseconds", std::to_string(took.count()));
  const std::map<std::uint32_t, std::uint64_t> after = Marks();
  EXPECT_FALSE(after.contains(1));
  EXPECT_EQ(after.at(2), before.at(2));
}

TEST_F(ConntrackTrafficTest, TheNextPacketStartsANewConnection) {
  Send(7, 7);
  ASSERT_EQ(conntrack_->Cut({1, 0xff}, Family::kIpv4).value(), 1U);
  EXPECT_THAT(List({1, 0xff}), IsEmpty());
  uplinkd::Run(
      "iptables-legacy -t mangle -I OUTPUT -p udp --dport 7"
      " -j CONNMARK --set-mark 3;"
      "iptables-legacy -t mangle -D OUTPUT 2");
  Send(7, 7);
  EXPECT_THAT(List({3, 0xff}), SizeIs(1));
}

}  // namespace
}  // namespace uplinkd
