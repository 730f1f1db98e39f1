// Live connections when uplinks fail, return, and are drained: only those end
// that have to, at once, and only where something better is at hand.
#include <sys/resource.h>

#include <cerrno>
#include <iostream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Pair;

class Failover : public AgentLab {
 protected:
  void SetUp() override {
    AgentLab::SetUp();
    // Both ends of each connection are in this process.
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }

  void Open(int count) {
    ASSERT_NO_FATAL_FAILURE(Connect(count, 1, &connections_, &answers_));
  }
  // Those of that uplink.
  std::vector<Connection*> Of(std::size_t uplink) {
    std::vector<Connection*> of;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (answers_[i] == UplinkAddress(uplink)) of.push_back(&connections_[i]);
    }
    return of;
  }
  // They are as they were.
  void ExpectAlive(std::size_t uplink) {
    for (Connection* connection : Of(uplink)) {
      const Result<std::string> answer = connection->Ask();
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(*answer, UplinkAddress(uplink));
    }
  }
  // Their clients learn of the end as soon as they say something.
  void ExpectEnded(std::size_t uplink) {
    const auto began = steady_clock::now();
    milliseconds slowest{0};
    for (Connection* connection : Of(uplink)) {
      const auto asked = steady_clock::now();
      const Result<std::string> answer = connection->Ask();
      ASSERT_FALSE(answer) << "still goes by " << *answer;
      EXPECT_THAT(answer.error().system_errno, AnyOf(ECONNRESET, EPIPE))
          << answer.error().message;
      slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(
                                      steady_clock::now() - asked));
    }
    EXPECT_LT(slowest, milliseconds(500));
    std::cout << Of(uplink).size() << " connections ended within "
              << std::chrono::duration_cast<milliseconds>(steady_clock::now() -
                                                          began)
                     .count()
              << " ms, the slowest within " << slowest.count() << " ms\n";
  }
  // How many the kernel tracks with the uplink's mark.
  int Tracked(std::size_t uplink) {
    return std::stoi(OnRouter("conntrack -L -m " + std::to_string(uplink) +
                              "/0xff 2>/dev/null | wc -l")
                         .output);
  }
  void WaitUntilCut(std::size_t uplink) {
    ASSERT_TRUE(Eventually([&] { return Tracked(uplink) == 0; }, seconds(10)))
        << agent_->Log();
  }
  void SetLine(std::size_t uplink, bool up) {
    const std::string name = UplinkInterface(uplink);
    std::string script = "ip link set " + name + (up ? " up" : " down");
    if (up) {
      // Main's default route went with the link; a DHCP client brings it back.
      script += "\nip route replace default via " + GatewayAddress(uplink) +
                " dev " + name + " metric " + std::to_string(100 * uplink);
    }
    ASSERT_TRUE(OnRouter(script).Ok());
    ASSERT_NO_FATAL_FAILURE(WaitForPhase(name, up ? "Ready" : "Waiting"));
  }

  std::vector<Connection> connections_;
  std::vector<std::string> answers_;
};

TEST_F(Failover, EndsOnlyTheConnectionsOfTheUplinkThatFailed) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_NO_FATAL_FAILURE(Open(500));
  ASSERT_THAT(Tally(answers_),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  const std::size_t lost = Of(2).size();
  ASSERT_NO_FATAL_FAILURE(SetLine(2, false));
  // New ones at once, whatever becomes of the old ones.
  const auto began = steady_clock::now();
  EXPECT_THAT(Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
  EXPECT_LT(steady_clock::now() - began, seconds(2));
  ASSERT_NO_FATAL_FAILURE(WaitUntilCut(2));
  ExpectAlive(1);
  ExpectEnded(2);
  ExpectAlive(1);
  EXPECT_EQ(lab_->WrongSources(), 0U);
  EXPECT_THAT(agent_->Log(),
              HasSubstr("cut " + std::to_string(lost) +
                        " connections of wan2, which stopped carrying them"));
  EXPECT_TRUE(Eventually(
      [&] {
        return agent_->Metrics().find(
                   "uplinkd_connections_cut_total{uplink=\"wan2\",reason="
                   "\"failover\"} " +
                   std::to_string(lost)) != std::string::npos;
      },
      seconds(5)));

  // Failback: nothing is stranded, nothing is cut, and both get new ones.
  ASSERT_NO_FATAL_FAILURE(SetLine(2, true));
  EXPECT_THAT(Shares(40),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  ExpectAlive(1);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(Failover, CutsNothingWhenTheLastUplinkDies) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_NO_FATAL_FAILURE(SetLine(1, false));
  ASSERT_NO_FATAL_FAILURE(Open(20));
  ASSERT_EQ(Of(2).size(), 20U);
  const int tracked = Tracked(2);
  ASSERT_NO_FATAL_FAILURE(SetLine(2, false));
  std::this_thread::sleep_for(milliseconds(2500));  // and a second look
  EXPECT_EQ(Tracked(2), tracked);
  ASSERT_NO_FATAL_FAILURE(SetLine(2, true));
  ExpectAlive(2);
}

TEST_F(Failover, CutsTheLowerTierAtFailbackIfThePolicySaysSo) {
  ASSERT_NO_FATAL_FAILURE(Begin(
      {}, {.algorithm = "failover",
           .more = "    tiers: [[wan1], [wan2]]\n    onFailback: cut\n"}));
  ASSERT_NO_FATAL_FAILURE(SetLine(1, false));
  ASSERT_NO_FATAL_FAILURE(Open(20));
  ASSERT_EQ(Of(2).size(), 20U);
  ASSERT_NO_FATAL_FAILURE(SetLine(1, true));
  ASSERT_NO_FATAL_FAILURE(WaitUntilCut(2));
  ExpectEnded(2);
  EXPECT_THAT(Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
}

// Nothing would ever carry them again.
TEST_F(Failover, CutsWhatAnUplinkHadThatLeavesTheSpec) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_NO_FATAL_FAILURE(Open(40));
  const std::size_t left = Of(2).size();
  ASSERT_NO_FATAL_FAILURE(Apply({.uplinks = 1}));
  ASSERT_NO_FATAL_FAILURE(WaitUntilCut(2));
  ExpectEnded(2);
  ExpectAlive(1);
  EXPECT_THAT(agent_->Log(),
              HasSubstr("cut " + std::to_string(left) +
                        " connections of wan2, which the spec no longer has"));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

class Drain : public Failover {};

TEST_F(Drain, EmptiesAnUplinkUntilItsDeadline) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_NO_FATAL_FAILURE(Open(40));
  const CommandResult drained =
      agent_->Ctl({"drain", "wan2", "--deadline", "4s"});
  ASSERT_TRUE(drained.Ok()) << drained.output;
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Draining"));
  EXPECT_THAT(Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
  ExpectAlive(1);
  ExpectAlive(2);
  const CommandResult shown = agent_->Ctl({"connections", "--uplink", "wan2"});
  EXPECT_THAT(shown.output,
              HasSubstr("wan2    " + std::to_string(Of(2).size()) + " "));
  EXPECT_THAT(shown.output, HasSubstr(ClientAddress()));

  ASSERT_NO_FATAL_FAILURE(WaitUntilCut(2));
  ExpectEnded(2);
  ExpectAlive(1);
  // It goes on to get no new ones.
  EXPECT_THAT(Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
  ASSERT_TRUE(agent_->Ctl({"undrain", "wan2"}).Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Ready"));
  EXPECT_THAT(Shares(40),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_F(Drain, LastsThroughARestartAndLetsRequestsIn) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  Result<std::unique_ptr<TrafficServer>> on_router =
      TrafficServer::Start(lab_->router());
  ASSERT_TRUE(on_router);
  ASSERT_TRUE(agent_->Ctl({"drain", "wan2"}).Ok());
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan2", "Draining"));
  EXPECT_THAT(Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
  Result<Connection> request =
      Connection::Open(lab_->server(), {.destination = UplinkAddress(2)});
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->Ask());
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

}  // namespace
}  // namespace uplinkd::lab
