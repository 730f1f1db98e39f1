// The fate of a connection, for every algorithm: decided once, by the weights,
// and kept for as long as the connection lives.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::Key;
using ::testing::Le;
using ::testing::Pair;

constexpr int kClients = 100;

// Any program's commit of the mangle table.
constexpr char kForeignCommit[] =
    "iptables-legacy -t mangle -A FORWARD -m comment --comment foreign\n"
    "iptables-legacy -t mangle -D FORWARD -m comment --comment foreign\n";

class Fate : public AgentLab,
             public testing::WithParamInterface<const char*> {};

TEST_P(Fate, LastsAsLongAsTheConnection) {
  LabSpec spec{.algorithm = GetParam(), .capacities = {30, 10}};
  ASSERT_NO_FATAL_FAILURE(Begin({.client_addresses = kClients}, spec));
  std::vector<Connection> connections;
  std::vector<std::string> first;
  ASSERT_NO_FATAL_FAILURE(Connect(300, kClients, &connections, &first));
  for (int round = 2; round < 7; ++round) {
    ASSERT_TRUE(OnRouter(kForeignCommit).Ok());
    // Other weights, so that the choice itself is written anew.
    spec.capacities = {10, 10 * round};
    spec.revision = std::to_string(round);
    ASSERT_NO_FATAL_FAILURE(Apply(spec));
    const Result<std::vector<std::string>> again = AskAll(connections);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, first) << "round " << round;
  }
  // A packet that left by another uplink than its connection's would have
  // carried the wrong source address.
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

TEST_P(Fate, LastsThroughARestartOfTheAgent) {
  const LabSpec spec{.algorithm = GetParam()};
  ASSERT_NO_FATAL_FAILURE(Begin({.client_addresses = kClients}, spec));
  std::vector<Connection> connections;
  std::vector<std::string> first;
  ASSERT_NO_FATAL_FAILURE(Connect(100, kClients, &connections, &first));
  ASSERT_NO_FATAL_FAILURE(StopAgent());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(WaitFor(InSync));
  const Result<std::vector<std::string>> again = AskAll(connections);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, first);
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Fate,
                         testing::Values("least-loaded", "weighted-random",
                                         "round-robin", "source-hash",
                                         "least-connections", "multipath"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::erase(name, '-');
                           return name;
                         });

class Shares : public AgentLab {};

// 400 connections at 3:1 spread with a standard deviation of 8.7; five of them
// are too rare to see.
TEST_F(Shares, OfWeightedRandomFollowTheWeights) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.algorithm = "weighted-random", .capacities = {30, 10}}));
  EXPECT_THAT(AgentLab::Shares(400),
              ElementsAre(Pair(UplinkAddress(1), AllOf(Ge(257), Le(343))),
                          Pair(UplinkAddress(2), AllOf(Ge(57), Le(143)))));
}

TEST_F(Shares, OfRoundRobinAreExactWhileOthersCommit) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.algorithm = "round-robin", .capacities = {30, 10}}));
  for (int turn = 0; turn < 10; ++turn) {
    std::vector<Connection> connections;
    std::vector<std::string> answers;
    for (int i = 0; i < 4; ++i) {
      ASSERT_NO_FATAL_FAILURE(Connect(1, 1, &connections, &answers));
      if (i % 2 == turn % 2) {
        ASSERT_TRUE(OnRouter(kForeignCommit).Ok());
      }
    }
    EXPECT_THAT(Tally(answers), ElementsAre(Pair(UplinkAddress(1), 3),
                                            Pair(UplinkAddress(2), 1)))
        << "turn " << turn;
  }
}

TEST_F(Shares, OfSourceHashKeepAClientOnItsUplink) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({.client_addresses = kClients},
            {.algorithm = "source-hash", .capacities = {30, 10}}));
  std::vector<Connection> connections;
  std::vector<std::string> answers;
  ASSERT_NO_FATAL_FAILURE(
      Connect(3 * kClients, kClients, &connections, &answers));
  for (std::size_t i = 0; i < kClients; ++i) {
    EXPECT_EQ(answers[i + kClients], answers[i])
        << ClientAddress(static_cast<int>(i));
    EXPECT_EQ(answers[i + 2 * kClients], answers[i])
        << ClientAddress(static_cast<int>(i));
  }
  // 100 clients at 3:1 spread with a standard deviation of 4.3.
  answers.resize(kClients);
  EXPECT_THAT(Tally(answers),
              ElementsAre(Pair(UplinkAddress(1), AllOf(Ge(54), Le(96))),
                          Pair(UplinkAddress(2), AllOf(Ge(4), Le(46)))));
}

TEST_F(Shares, OfMultipathFollowTheWeights) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({.client_addresses = kClients},
            {.algorithm = "multipath", .capacities = {30, 10}}));
  EXPECT_THAT(AgentLab::Shares(kClients, kClients),
              ElementsAre(Pair(UplinkAddress(1), AllOf(Ge(54), Le(96))),
                          Pair(UplinkAddress(2), AllOf(Ge(4), Le(46)))));
}

TEST_F(Shares, OfLeastLoadedGoWhereTheFreeCapacityIs) {
  ASSERT_NO_FATAL_FAILURE(
      // The lines count frames, the kernel's estimators packets without their
      // link headers: a capacity is a little less than the line.
      Begin({.lines = {{12, 12}, {4, 4}}},
            {.algorithm = "least-loaded", .capacities = {10, 3}}));
  // Idle: the first has more.
  EXPECT_THAT(AgentLab::Shares(20), ElementsAre(Pair(UplinkAddress(1), 20)));
  // The first is full: the second.
  std::vector<std::unique_ptr<Downloads>> downloads;
  downloads.push_back(std::make_unique<Downloads>(
      lab_->client(), Endpoint{.port = kSourcePort}, 4));
  EXPECT_TRUE(
      Eventually([&] { return AgentLab::Shares(5).contains(UplinkAddress(2)); },
                 std::chrono::seconds(5)));
  // Both are full: by capacity, so both get some.
  downloads.push_back(std::make_unique<Downloads>(
      lab_->client(), Endpoint{.port = kSourcePort}, 4));
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_THAT(AgentLab::Shares(40),
              ElementsAre(Key(UplinkAddress(1)), Key(UplinkAddress(2))));
}

TEST_F(Shares, AreSpreadOverEightUplinks) {
  ASSERT_NO_FATAL_FAILURE(Begin({.lines = std::vector<Line>(8)},
                                {.uplinks = 8, .algorithm = "round-robin"}));
  const std::map<std::string, int> shares = AgentLab::Shares(80);
  EXPECT_EQ(shares.size(), 8U);
  for (const auto& [source, count] : shares) EXPECT_EQ(count, 10) << source;
  EXPECT_EQ(lab_->WrongSources(), 0U);
}

}  // namespace
}  // namespace uplinkd::lab
