// What `uplinkctl trace` says is what the kernel does.
#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TraceVerb : public AgentLab {
 protected:
  std::string Trace(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words = {"trace", "--to", kServerAddress};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const CommandResult result = agent_->Ctl(words);
    return result.output;
  }
};

constexpr const char* kPolicies = R"(
    tiers: [[wan1]]
  traffic:
    - {name: echo, match: {protocol: udp, destinationPorts: [7003]}, use: wan2}
  local: {use: wan2}
)";

TEST_F(TraceVerb, AgreesWithTheKernel) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.algorithm = "failover", .more = kPolicies}));
  const std::vector<std::string> from = {"--in", "lan0", "--from",
                                         ClientAddress()};
  std::vector<std::string> tcp = from;
  tcp.insert(tcp.end(), {"--dport", "7000"});
  EXPECT_THAT(
      Trace(tcp),
      HasSubstr("wan1: 203.0.113.10/32 via 198.18.1.1 dev wan1 table 11"));
  EXPECT_THAT(Trace(tcp), HasSubstr("SNAT --to-source 198.18.1.2"));
  std::vector<std::string> udp = from;
  udp.insert(udp.end(), {"--proto", "udp", "--dport", "7003"});
  EXPECT_THAT(Trace(udp), HasSubstr("UPL-TRAFFIC 5"));
  EXPECT_THAT(
      Trace(udp),
      HasSubstr("wan2: 203.0.113.10/32 via 198.18.2.1 dev wan2 table 12"));
  // The router's own: from the first uplink's address, by the second.
  EXPECT_THAT(Trace({}), HasSubstr("mangle UPL-LOCAL"));
  EXPECT_THAT(
      Trace({}),
      HasSubstr("wan2: 203.0.113.10/32 via 198.18.2.1 dev wan2 table 12"));
  EXPECT_THAT(Trace({}), HasSubstr("SNAT --to-source 198.18.2.2"));
}

TEST_F(TraceVerb, AnswersFromTheKernelNotFromTheSpec) {
  ASSERT_NO_FATAL_FAILURE(
      Begin({}, {.algorithm = "failover", .more = kPolicies}));
  // What the agent cannot repair while it stands still.
  ASSERT_TRUE(OnRouter("ip link set wan1 down").Ok());
  ASSERT_NO_FATAL_FAILURE(WaitForPhase("wan1", "Waiting"));
  const std::string trace = Trace({"--in", "lan0", "--from", ClientAddress()});
  EXPECT_THAT(trace, Not(HasSubstr("wan1:")));
  EXPECT_THAT(trace, HasSubstr("no uplink of ours"));
}

}  // namespace
}  // namespace uplinkd::lab
