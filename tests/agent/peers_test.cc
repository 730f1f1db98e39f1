// Who has room for a connection, and who is in whose way.
#include "agent/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace uplinkd {
namespace {

using ::testing::HasSubstr;

// Neither root nor whoever runs this.
Caller UserOf(int number, Role role = Role::kOperator) {
  const std::string key = "uid " + std::to_string(4'000'000 + number);
  return {key + " (pid 1)", key, role};
}
const Caller kRootPeer{"root (uid 0, pid 1)", "uid 0", Role::kOperator};

class PeersTest : public ::testing::Test {
 protected:
  ~PeersTest() override {
    for (const auto& [number, client] : open_) close(number);
  }

  // A connection and its other end.
  std::array<UniqueFd, 2> Pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()),
              0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
  // The number, which is closed at the end; or -1, with the words in fault_.
  int Note(const Result<int>& number, UniqueFd client) {
    if (!number) {
      fault_ = number.error().message;
      return -1;
    }
    open_[*number] = std::move(client);
    return *number;
  }
  int Unix(const Caller& caller) {
    auto [ours, theirs] = Pair();
    return Note(peers_.EnterUnix(std::move(ours), caller), std::move(theirs));
  }
  int Tcp(const std::string& host) {
    auto [ours, theirs] = Pair();
    last_end_ = {host, ++port_};
    return Note(peers_.EnterTcp(std::move(ours), last_end_), std::move(theirs));
  }
  // As gRPC calls the last one.
  std::string LastPeer() const {
    const bool six = last_end_.host.find(':') != std::string::npos;
    return (six ? "ipv6:%5B" + last_end_.host + "%5D"
                : "ipv4:" + last_end_.host) +
           ":" + std::to_string(last_end_.port);
  }
  int Admitted(const std::string& host) {
    const int number = Tcp(host);
    peers_.NoteAdmitted(LastPeer());
    return number;
  }
  bool IsCutOff(int number) {
    pollfd polled{open_.at(number).get(), POLLIN, 0};
    return poll(&polled, 1, 0) == 1;
  }
  // As gRPC does, without a word.
  void Close(int number) {
    close(number);
    open_.erase(number);
  }
  int CountCutOff() {
    int count = 0;
    for (const auto& [number, client] : open_) count += IsCutOff(number);
    return count;
  }

  Peers peers_;
  std::map<int, UniqueFd> open_;  // the client's end, by number
  std::string fault_;
  TcpEnd last_end_;
  std::uint16_t port_ = 1000;
};

TEST_F(PeersTest, LeadsFromANumberToItsCaller) {
  const int number = Unix(UserOf(1));
  EXPECT_EQ(peers_.Find("fd:" + std::to_string(number)).key, UserOf(1).key);
  const std::vector<std::string> others = {
      "fd:" + std::to_string(number) + "x",
      "fd:",
      "fd:-1",
      "unix:" + std::to_string(number),
      "fd:" + std::to_string(number + 1),
      "fd:" + std::to_string(Tcp("192.0.2.1")),
      LastPeer()};
  for (const std::string& peer : others) {
    EXPECT_EQ(peers_.Find(peer).role, Role::kNone) << peer;
  }
}

TEST_F(PeersTest, NobodyKeepsRootOut) {
  const int half = Peers::kMaxOfARole / 2;
  for (int i = 0; i < half; ++i) {
    ASSERT_GE(Unix(UserOf(1)), 0);
    ASSERT_GE(Unix(UserOf(2)), 0);
  }
  EXPECT_LT(Unix(UserOf(3)), 0);
  EXPECT_THAT(fault_, HasSubstr("1200 connections of its kind"));
  EXPECT_GE(Unix(kRootPeer), 0);
  EXPECT_GE(Unix(UserOf(3, Role::kReader)), 0);
  EXPECT_GE(Unix(UserOf(3, Role::kNone)), 0);
}

TEST_F(PeersTest, OneUserLeavesRoomForTheNext) {
  for (int i = 0; i < Peers::kMaxOfAUser; ++i) {
    ASSERT_GE(Unix(UserOf(1)), 0);
  }
  const int last = open_.rbegin()->first;
  EXPECT_LT(Unix(UserOf(1)), 0);
  EXPECT_THAT(fault_, HasSubstr("1024 connections of uid 4000001"));
  EXPECT_GE(Unix(UserOf(2)), 0);
  Close(last);
  EXPECT_GE(Unix(UserOf(1)), 0);
}

TEST_F(PeersTest, UsersWhoseNumbersBeginAlikeAreApart) {
  for (int i = 0; i < Peers::kMaxOfAUser; ++i) {
    ASSERT_GE(Unix({"", "uid 40000011", Role::kOperator}), 0);
  }
  EXPECT_GE(Unix({"", "uid 4000001", Role::kOperator}), 0);
}

TEST_F(PeersTest, RootHasNumbersWhereFewFilesMayBeOpened) {
  Peers peers(1024);
  std::vector<UniqueFd> numbers;
  const auto enter = [&](const Caller& caller) {
    UniqueFd end(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Result<int> number = peers.EnterUnix(std::move(end), caller);
    if (number) numbers.emplace_back(*number);
    return number.has_value();
  };
  int entered = 0;
  while (entered < 1024 && enter(UserOf(1))) ++entered;
  EXPECT_EQ(entered, 384);
  for (int i = 0; i < 128; ++i) EXPECT_TRUE(enter(kRootPeer));
}

TEST_F(PeersTest, HostsWhoseAddressesBeginAlikeAreApart) {
  for (int i = 0; i < Peers::kMaxOfANetwork; ++i) {
    ASSERT_GE(Admitted("192.0.2.10"), 0);
  }
  // Else it would stay a stranger, and the oldest of its own.
  const int admitted = Admitted("192.0.2.1");
  for (int i = 0; i < Peers::kMaxTcpStrangersOfANetwork; ++i) Tcp("192.0.2.1");
  EXPECT_FALSE(IsCutOff(admitted));
  EXPECT_EQ(CountCutOff(), 0);
}

TEST_F(PeersTest, WhoHasNoCertificateIsInTheWayOfNoOtherHost) {
  const int admitted = Admitted("192.0.2.1");
  std::vector<int> mute;
  for (int i = 0; i < 300; ++i) mute.push_back(Tcp("198.51.100.7"));
  EXPECT_EQ(CountCutOff(), 300 - Peers::kMaxTcpStrangersOfANetwork);
  EXPECT_TRUE(IsCutOff(mute.front()));  // the oldest
  EXPECT_FALSE(IsCutOff(mute.back()));
  EXPECT_FALSE(IsCutOff(admitted));
  EXPECT_FALSE(IsCutOff(Admitted("192.0.2.2")));
}

TEST_F(PeersTest, AFullPoolOfStrangersLosesTheOldestOfTheFullestNetwork) {
  const int lone = Tcp("192.0.2.1");
  std::vector<int> crowd;
  for (int i = 0; i < 100; ++i) {
    crowd.push_back(Tcp("198.51.100." + std::to_string(i % 10)));
  }
  EXPECT_FALSE(IsCutOff(lone));
  EXPECT_TRUE(IsCutOff(crowd.front()));
  EXPECT_EQ(CountCutOff(), 101 - Peers::kMaxTcpStrangers);
  // Those that gRPC closed take no place.
  const int cut_off = CountCutOff();
  for (std::size_t i = 90; i < 100; ++i) Close(crowd[i]);
  for (int i = 0; i < 10; ++i) Tcp("203.0.113.1");
  EXPECT_EQ(CountCutOff(), cut_off);
}

TEST_F(PeersTest, ANetworkOfIpv6IsOneHost) {
  for (int i = 0; i < 100; ++i) Tcp("2001:db8::" + std::to_string(i + 1));
  EXPECT_EQ(CountCutOff(), 100 - Peers::kMaxTcpStrangersOfANetwork);
  const int admitted = Admitted("2001:db8:0:1::7");
  for (int i = 0; i < 100; ++i) Tcp("2001:db8:0:1::8");
  EXPECT_FALSE(IsCutOff(admitted));
  EXPECT_EQ(NetworkOf("2001:db8::1:2:3:4"), "2001:db8::/64");
  EXPECT_EQ(NetworkOf("192.0.2.7"), "192.0.2.7");
}

TEST_F(PeersTest, BeyondTheLimitTheAdmittedStayStrangers) {
  for (int i = 0; i < Peers::kMaxOfANetwork; ++i) Admitted("192.0.2.1");
  const int one_more = Admitted("192.0.2.1");
  EXPECT_GE(one_more, 0);
  for (int i = 0; i < Peers::kMaxTcpStrangersOfANetwork; ++i) Tcp("192.0.2.1");
  EXPECT_TRUE(IsCutOff(one_more));
  EXPECT_EQ(CountCutOff(), 1);
}

}  // namespace
}  // namespace uplinkd
