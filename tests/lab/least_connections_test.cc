// What least-connections is for: a line that is up but bad.
//
// Two lines of 40 and 10 Mbit/s, and downloads that ask for 12 Mbit/s of them.
// In some runs the first line silently drops to 8. Runs of the two algorithms
// take turns, with the same arrivals, and their medians are compared.
#include <algorithm>
#include <cstdio>

#include "tests/lab/agent_lab.h"
#include "tests/lab/arrivals.h"

namespace uplinkd::lab {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

class LeastConnections : public AgentLab {
 protected:
  void SetUp() override {
    AgentLab::SetUp();
    if (IsSkipped()) return;
    ASSERT_NO_FATAL_FAILURE(BuildLab({.lines = {{40, 40}, {10, 10}}}));
    ASSERT_NO_FATAL_FAILURE(StartAgent({.log_level = "info"}));
  }

  void SetDownload(int mbit) {
    ASSERT_TRUE(Shell(lab_->provider(1),
                      "tc qdisc change dev cust0 root tbf rate " +
                          std::to_string(mbit) + "mbit burst 16k latency 50ms")
                    .Ok());
  }

  // The mean download time of one run.
  void Run(const std::string& algorithm, const ArrivalOptions& options,
           bool fault, Seconds* mean) {
    ASSERT_NO_FATAL_FAILURE(SetDownload(40));
    ASSERT_NO_FATAL_FAILURE(
        Apply({.algorithm = algorithm, .capacities = {40, 10}}));
    const auto took = RunArrivals(lab_->client(), options, milliseconds(200),
                                  [&] { SetDownload(fault ? 8 : 40); });
    ASSERT_GT(took.size(), 50U);
    *mean = Mean(took);
  }

  // The median of each algorithm's means, its name before it.
  void Compare(std::size_t runs, const ArrivalOptions& options, bool fault,
               Seconds* random, Seconds* least) {
    std::vector<Seconds> of_random(runs);
    std::vector<Seconds> of_least(runs);
    ArrivalOptions run = options;
    for (std::size_t i = 0; i < runs; ++i) {
      run.seed = static_cast<std::uint32_t>(i) + 1;
      ASSERT_NO_FATAL_FAILURE(
          Run("weighted-random", run, fault, &of_random[i]));
      ASSERT_NO_FATAL_FAILURE(
          Run("least-connections", run, fault, &of_least[i]));
      std::printf("run %zu: weighted-random %.3f s, least-connections %.3f s\n",
                  i + 1, of_random[i].count(), of_least[i].count());
    }
    std::ranges::sort(of_random);
    std::ranges::sort(of_least);
    *random = of_random[runs / 2];
    *least = of_least[runs / 2];
    std::printf("median: weighted-random %.3f s, least-connections %.3f s\n",
                random->count(), least->count());
  }
};

TEST_F(LeastConnections, AvoidsALineThatIsUpButBad) {
  Seconds random{};
  Seconds least{};
  // A line that is asked for more than it has falls behind further and further,
  // so few long runs say more than many short ones.
  ASSERT_NO_FATAL_FAILURE(Compare(3, {.duration = std::chrono::seconds(10)},
                                  true, &random, &least));
  EXPECT_LE(least, random / 2);
  // It is the agent's usual business: no word about it.
  EXPECT_EQ(agent_->Log().find("trigger load"), std::string::npos)
      << agent_->Log();
  const Result<v1::Status> status = agent_->Status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->corrections(), 0U);
}

TEST_F(LeastConnections, IsAsGoodAsAnyWhileAllIsWell) {
  Seconds random{};
  Seconds least{};
  ASSERT_NO_FATAL_FAILURE(
      Compare(5, {.per_second = 60, .duration = milliseconds(1600)}, false,
              &random, &least));
  // A download takes about five ticks of a kernel that has 250 in a second: one
  // more or less is noise.
  constexpr Seconds kTick(0.004);
  EXPECT_LE(least, random * 1.15 + kTick);
  EXPECT_GE(least, random * 0.5);
}

}  // namespace
}  // namespace uplinkd::lab
