// What is broken behind the agent's back comes back, and nothing else moves.
#include <ostream>

#include "tests/lab/agent_lab.h"

namespace uplinkd::lab {
namespace {

using ::testing::HasSubstr;

struct Damage {
  const char* name;
  const char* script;
};

std::ostream& operator<<(std::ostream& stream, const Damage& damage) {
  return stream << damage.script;
}

class Repair : public AgentLab, public testing::WithParamInterface<Damage> {};

TEST_P(Repair, RestoresExactlyWhatWasDamaged) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({.algorithm = "least-loaded"}));
  const std::string whole = OwnState(lab_->router());
  ASSERT_NE(whole, "");

  const CommandResult damaged = OnRouter(GetParam().script);
  ASSERT_TRUE(damaged.Ok()) << damaged.output;
  const std::string foreign = ForeignState(lab_->router(), Counters::kIgnore);
  // The poll comes each second; a machine that is busy may take longer.
  EXPECT_TRUE(Eventually([&] { return OwnState(lab_->router()) == whole; },
                         std::chrono::seconds(5)))
      << whole << "\n---- became\n"
      << OwnState(lab_->router()) << agent_->Log();
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kIgnore), foreign);
  ASSERT_NO_FATAL_FAILURE(WaitFor([](const v1::Status& status) {
    return InSync(status) && status.corrections() > 0;
  }));
  ASSERT_NO_FATAL_FAILURE(AgentLab::Shares(5));
}

INSTANTIATE_TEST_SUITE_P(
    Of, Repair,
    testing::Values(
        Damage{"MarkRule", "ip rule del priority 20101"},
        Damage{"MainRule", "ip rule del priority 20000"},
        Damage{"SourceRule", "ip rule del priority 20402"},
        Damage{"AllRules",
               "for i in 1 2 3; do ip rule flush protocol 117; "
               "done"},
        Damage{"DefaultRoute", "ip route del default via 198.18.1.1 table 11"},
        Damage{"Floor",
               "ip route del unreachable default metric 4294967295 table 12"},
        Damage{"WholeTable", "ip route flush table 12"},
        Damage{"ChangedGateway",
               "ip route replace default via 198.18.1.9 dev wan1 src "
               "198.18.1.2 proto 117 table 11"},
        Damage{"Jump",
               "iptables-legacy -t mangle -D PREROUTING -j "
               "UPL-PREROUTING"},
        Damage{"NatJump",
               "iptables-legacy -t nat -D POSTROUTING -j "
               "UPL-POSTROUTING"},
        Damage{"ChainRule", "iptables-legacy -t mangle -D UPL-PREROUTING 2"},
        Damage{"WholeChain", "iptables-legacy -t mangle -F UPL-FATE"},
        Damage{"MangleTable",
               "iptables-legacy -t mangle -F; iptables-legacy -t mangle -X || "
               "true"},
        Damage{"NatTable",
               "iptables-legacy -t nat -F; iptables-legacy -t nat -X || true"},
        Damage{"AddedRule",
               "iptables-legacy -t mangle -I UPL-PREROUTING 2 "
               "-p icmp -j ACCEPT"},
        Damage{"AddedChain", "iptables-legacy -t mangle -N UPL-STRANGE"},
        Damage{"AddedPolicyRule",
               "ip rule add priority 20555 fwmark 0x77 lookup 11 protocol "
               "117"},
        Damage{"AddedRoute",
               "ip route add 10.55.0.0/16 via 198.18.1.1 table 11 proto 117"}),
    [](const auto& parameter) { return parameter.param.name; });

class Order : public AgentLab {};

TEST_F(Order, PutsTheJumpFirstAgain) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_TRUE(OnRouter("iptables-legacy -t mangle -I PREROUTING -i vpn0 "
                       "-j MARK --set-xmark 0x10000/0x10000")
                  .Ok());
  EXPECT_TRUE(Eventually(
      [&] {
        return OnRouter("iptables-legacy -t mangle -S PREROUTING 1").output ==
               "-A PREROUTING -j UPL-PREROUTING\n";
      },
      std::chrono::seconds(5)));
  EXPECT_THAT(OnRouter("iptables-legacy -t mangle -S PREROUTING 2").output,
              HasSubstr("vpn0"));
}

TEST_F(Order, KeepsTheCountersOfUntouchedRules) {
  ASSERT_NO_FATAL_FAILURE(BuildLab());
  ASSERT_NO_FATAL_FAILURE(AddForeign());
  ASSERT_NO_FATAL_FAILURE(StartAgent());
  ASSERT_NO_FATAL_FAILURE(Apply({}));
  EXPECT_EQ(AgentLab::Shares(20).size(), 2U);
  const auto counters = [&] {
    return OnRouter("iptables-legacy -t mangle -nvxL UPL-PREROUTING 1").output;
  };
  // Stragglers of the closed connections are counted, too.
  std::string before;
  ASSERT_TRUE(Eventually(
      [&] {
        const std::string last = std::exchange(before, counters());
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return last == before;
      },
      std::chrono::seconds(5)));
  const std::string foreign = ForeignState(lab_->router(), Counters::kCompare);
  ASSERT_TRUE(OnRouter("iptables-legacy -t mangle -F UPL-FATE").Ok());
  ASSERT_TRUE(Eventually(
      [&] {
        return OnRouter("iptables-legacy -t mangle -S UPL-FATE 1").output != "";
      },
      std::chrono::seconds(5)));
  EXPECT_EQ(counters(), before);
  EXPECT_EQ(ForeignState(lab_->router(), Counters::kCompare), foreign);
}

TEST_F(Order, CountsItsRepairsInTheMetrics) {
  ASSERT_NO_FATAL_FAILURE(Begin({}, {}));
  ASSERT_TRUE(OnRouter("ip rule del priority 20101").Ok());
  EXPECT_TRUE(Eventually(
      [&] {
        return agent_->Metrics().find(
                   "uplinkd_drift_corrections_total{object=\"rule\",cause="
                   "\"missing\"} 1\n") != std::string::npos;
      },
      std::chrono::seconds(5)))
      << agent_->Metrics();
}

}  // namespace
}  // namespace uplinkd::lab
