// The fate of a connection, for every algorithm: decided once, and kept for as
// long as the connection lives.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

constexpr int kFateClients = 100;

class Fate : public AgentLab,
             public testing::WithParamInterface<const char*> {};

TEST_P(Fate, LastsAsLongAsTheConnection) {
  LabSpec spec{.algorithm = GetParam(), .capacities = {30, 10}};
  ASSERT_NO_FATAL_FAILURE(Begin({.client_addresses = kFateClients}, spec));
  std::vector<Connection> connections;
  std::vector<std::string> first;
  ASSERT_NO_FATAL_FAILURE(Connect(300, kFateClients, &connections, &first));
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
  ASSERT_NO_FATAL_FAILURE(Begin({.client_addresses = kFateClients}, spec));
  std::vector<Connection> connections;
  std::vector<std::string> first;
  ASSERT_NO_FATAL_FAILURE(Connect(100, kFateClients, &connections, &first));
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

}  // namespace
}  // namespace uplinkd::lab
