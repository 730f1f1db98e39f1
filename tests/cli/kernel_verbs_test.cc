// The verbs that look at this kernel, and explain's script run by hand, in
// network namespaces of the tests' own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "reconciler/linux/instance.h"
#include "tests/cli/program.h"
#include "tests/linux/netns.h"

namespace uplinkd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class KernelVerbsTest : public ProgramTest {
 protected:
  KernelVerbsTest() : inside_(netns_) {
    setenv("XTABLES_LOCKFILE", (directory() / "lock").c_str(), 1);
    Write("lock", "");
    Write("office.yaml", kGoodSpec);
  }
  ~KernelVerbsTest() override { unsetenv("XTABLES_LOCKFILE"); }

  // The router of kGoodSpec, as DHCP would have left it.
  static void MakeRouter() {
    AddLink("lan0", "192.168.10.1/24");
    AddLink("wan1", "198.51.100.2/24");
    AddLink("wan2", "203.0.113.2/24");
    uplinkd::Run("ip route add default via 198.51.100.1 dev wan1");
    uplinkd::Run("ip route add default via 203.0.113.1 dev wan2 metric 100");
    uplinkd::Run("echo 1 > /proc/sys/net/ipv4/ip_forward");
    for (const char* link : {"all", "wan1", "wan2"}) {
      uplinkd::Run(std::string("echo 0 > /proc/sys/net/ipv4/conf/") + link +
                   "/rp_filter");
    }
  }

  static std::string Everything() {
    return ShowRouting() +
           uplinkd::Run("iptables-legacy-save | grep -v '^#'; true");
  }

 private:
  const Netns netns_;
  const InNetns inside_;
};

// ---- explain ----

TEST_F(KernelVerbsTest, EveryCommandOfExplainWorksByHand) {
  MakeRouter();
  for (const char* algorithm : {"least-loaded", "weighted-random",
                                "round-robin", "source-hash", "multipath"}) {
    Write("spec.yaml", std::string(kGoodSpec) +
                           "  balance: {algorithm: " + algorithm + "}\n");
    const auto run = Sh("\"$UPLINKCTL\" explain -f spec.yaml > s && sh s");
    EXPECT_EQ(run.exit_code, 0) << algorithm << "\n" << run.err << Read("s");
    EXPECT_THAT(run.err, Not(HasSubstr("Error"))) << algorithm;
    EXPECT_THAT(uplinkd::Run("ip route show table 12"),
                HasSubstr("default via 203.0.113.1 dev wan2"));
    EXPECT_THAT(uplinkd::Run("ip rule"),
                HasSubstr("fwmark 0x2/0xff lookup 12"));
    EXPECT_THAT(uplinkd::Run("iptables-legacy -t mangle -S PREROUTING"),
                HasSubstr("-j UPL-PREROUTING"));
    EXPECT_THAT(uplinkd::Run("iptables-legacy -t nat -S UPL-SNAT"),
                HasSubstr("--to-source 198.51.100.2"));
    // What the script made is ours by its own looks.
    const auto cleanup = Ctl("cleanup --offline");
    EXPECT_EQ(cleanup.exit_code, 0) << cleanup.out << cleanup.err;
  }
}

TEST_F(KernelVerbsTest, ExplainStopsWhereNothingCanBeLearned) {
  AddLink("lan0", "192.168.10.1/24");
  AddLink("wan1", "198.51.100.2/24");
  const auto run = Sh("\"$UPLINKCTL\" explain -f office.yaml > s && sh s");
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("WAN1_GATEWAY: wan1 has none, so set it"));
  EXPECT_THAT(uplinkd::Run("ip rule"), Not(HasSubstr("117")));
}

TEST_F(KernelVerbsTest, ExplainTakesVariablesFromTheEnvironment) {
  MakeRouter();
  const auto run =
      Sh("\"$UPLINKCTL\" explain -f office.yaml > s && "
         "WAN2_GATEWAY=203.0.113.77 sh s");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(uplinkd::Run("ip route show table 12"),
              HasSubstr("default via 203.0.113.77 dev wan2"));
}

// ---- cleanup --offline ----

TEST_F(KernelVerbsTest, CleanupOfflineRemovesOursAndNothingElse) {
  MakeRouter();
  uplinkd::Run(
      "iptables-legacy -t mangle -A FORWARD -j MARK --set-mark 0x1000");
  uplinkd::Run("iptables-legacy -t nat -A POSTROUTING -o wan9 -j MASQUERADE");
  uplinkd::Run("ip rule add priority 100 from 10.9.0.0/16 lookup 99");
  uplinkd::Run("ip route add 10.9.0.0/16 dev wan1 table 11");
  uplinkd::Run("ip route add 192.0.2.7 via 198.51.100.1");
  const std::string before = Everything();
  const auto made = Sh("\"$UPLINKCTL\" explain -f office.yaml | sh");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(Everything(), before);

  const auto dry = Ctl("cleanup --offline --dry-run");
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_THAT(dry.out,
              AllOf(HasSubstr("- ip rule del priority 20101"),
                    HasSubstr("dry run, nothing was done; it would be: ")));
  EXPECT_NE(Everything(), before);

  const auto cleanup = Ctl("cleanup --offline");
  EXPECT_EQ(cleanup.exit_code, 0) << cleanup.out << cleanup.err;
  EXPECT_THAT(cleanup.out, HasSubstr("nothing of ours is in the kernel: "));
  EXPECT_EQ(Everything(), before);
}

TEST_F(KernelVerbsTest, CleanupOfflineFindsNothingTheSecondTime) {
  const auto cleanup = Ctl("cleanup --offline");
  EXPECT_EQ(cleanup.exit_code, 0) << cleanup.err;
  EXPECT_EQ(cleanup.out, "nothing of ours is in the kernel: nothing to do\n");
}

TEST_F(KernelVerbsTest, CleanupOfflineRefusesWhileAnAgentRuns) {
  uplinkd::Run(
      "ip rule add priority 20000 lookup main suppress_prefixlength 0 "
      "proto 117");
  const std::string before = Everything();
  const auto agent = Instance::Take();
  ASSERT_TRUE(agent);
  const auto cleanup = Ctl("cleanup --offline");
  EXPECT_EQ(cleanup.exit_code, 2);
  EXPECT_EQ(cleanup.out, "");
  EXPECT_THAT(cleanup.err,
              AllOf(HasSubstr("runs in this network namespace"),
                    HasSubstr("ask it instead: uplinkctl cleanup")));
  EXPECT_EQ(Everything(), before);
}

TEST_F(KernelVerbsTest, CleanupOfflineNeedsPrivileges) {
  uplinkd::Run(
      "ip rule add priority 20000 lookup main suppress_prefixlength 0 "
      "proto 117");
  const auto cleanup =
      Ctl("cleanup --offline", "setpriv --bounding-set=-all --inh-caps=-all");
  EXPECT_NE(cleanup.exit_code, 0);
  EXPECT_THAT(cleanup.out + cleanup.err, HasSubstr("not permitted"));
  EXPECT_THAT(uplinkd::Run("ip rule"), HasSubstr("20000"));
}

// ---- doctor ----

// The ids of the findings. networkd, if this machine has it, is the machine's
// business, not the test's.
constexpr const char* kIds =
    "\"$UPLINKCTL\" doctor -f office.yaml | sed -n 's/.* \\[\\(.*\\)]$/\\1/p' "
    "| grep -v networkd-deletes | sort -u | tr '\\n' ' '";

TEST_F(KernelVerbsTest, DoctorFindsNothingOnAGoodRouter) {
  MakeRouter();
  const auto result = Sh(kIds);
  EXPECT_EQ(result.out, "");
}

TEST_F(KernelVerbsTest, DoctorFindsWhatIsWrongWithThisHost) {
  MakeRouter();
  uplinkd::Run("echo 0 > /proc/sys/net/ipv4/ip_forward");
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/conf/wan2/rp_filter");
  uplinkd::Run("iptables-legacy -t mangle -A FORWARD -j MARK --set-mark 0x1");
  uplinkd::Run("iptables-nft -t nat -A POSTROUTING -j ACCEPT");
  uplinkd::Run("ip rule add priority 20500 lookup 12");
  uplinkd::Run("ip route add 192.0.2.7 via 198.51.100.1");
  uplinkd::Run("ip link del lan0");
  const auto json = Sh(kIds);
  EXPECT_EQ(json.out,
            "bypass-route forwarding-off interface-missing mark-collision "
            "other-backend "
            "priority-collision rp-filter-strict table-collision ");
  const auto text = Ctl("doctor -f office.yaml");
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.out,
              AllOf(HasSubstr("error: net.ipv4.ip_forward is 0 "
                              "[forwarding-off]\n  why: "),
                    HasSubstr("  mend:\n    sysctl -w net.ipv4.ip_forward=1\n"),
                    HasSubstr("mangle FORWARD rule 1")));
}

TEST_F(KernelVerbsTest, DoctorsCommandsMend) {
  MakeRouter();
  uplinkd::Run("echo 0 > /proc/sys/net/ipv4/ip_forward");
  uplinkd::Run("echo 1 > /proc/sys/net/ipv4/conf/wan2/rp_filter");
  uplinkd::Run("ip rule add priority 100 lookup main");
  uplinkd::Run("ip route add 10.9.0.0/16 dev wan1 table 11");
  // All but what writes to the machine's files.
  const auto mended =
      Sh("\"$UPLINKCTL\" doctor -f office.yaml -o json | "
         "jq -r '.findings[].mend' | grep -v -e sysctl.d -e networkd > mend\n"
         "sh -e mend");
  EXPECT_EQ(mended.exit_code, 0) << mended.err << Read("mend");
  const auto again = Sh(kIds);
  EXPECT_EQ(again.out, "") << Read("mend");
}

TEST_F(KernelVerbsTest, DoctorNotesAnAgentWithoutComplaining) {
  MakeRouter();
  const auto agent = Instance::Take();
  ASSERT_TRUE(agent);
  const auto result = Sh(kIds);
  EXPECT_EQ(result.out, "agent-running ");
}

TEST_F(KernelVerbsTest, DoctorRefusesABadSpec) {
  Write("bad.yaml", "kind: Router\n");
  EXPECT_EQ(Ctl("doctor -f bad.yaml").exit_code, 2);
}

}  // namespace
}  // namespace uplinkd
