// The verbs that need neither an agent nor root, and the command line itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cli/program.h"

namespace uplinkd {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using OfflineTest = ProgramTest;

constexpr const char* kBadSpec = R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  lans:
    - {interface: lan0, network: [192.168.10.0/24]}
  uplinks:
    - name: wan1
      interface: wan1
      capacity: {download: 40mbits}
    - name: wan1
      interface: wan2
)";

// As a user without any privilege, wherever the build directory is: the
// program comes in as a file descriptor.
constexpr const char* kAsNobody =
    "exec 9<\"$UPLINKCTL\"\n"
    "setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "
    "'exec /proc/self/fd/9 \"$@\"' uplinkctl ";

// ---- the command line ----

TEST_F(OfflineTest, HelpTeachesWithExamples) {
  const auto help = Ctl("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* verb : {"validate", "explain", "diff", "apply", "get",
                           "status", "watch", "cleanup", "doctor"}) {
    EXPECT_THAT(help.out, HasSubstr(verb));
    const auto verb_help = Ctl(std::string(verb) + " --help");
    EXPECT_EQ(verb_help.exit_code, 0) << verb;
    EXPECT_THAT(verb_help.out,
                AllOf(HasSubstr("Examples:\n"),
                      HasSubstr(std::string("uplinkctl ") + verb),
                      HasSubstr("Exit: 0")))
        << verb;
  }
}

TEST_F(OfflineTest, SaysItsVersion) {
  const auto version = Ctl("--version");
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, StartsWith("uplinkctl "));
}

TEST_F(OfflineTest, RefusesWhatItDoesNotKnow) {
  for (const char* arguments :
       {"", "frobnicate", "validate", "status --frobnicate", "status -o xml",
        "status --timeout 10", "status --timeout -1s", "apply -f x --wait soon",
        "--color sometimes status", "get -o table"}) {
    const auto result = Ctl(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_NE(result.err, "") << arguments;
  }
}

// ---- validate ----

TEST_F(OfflineTest, ValidateAcceptsAGoodSpec) {
  Write("good.yaml", kGoodSpec);
  const auto result = Ctl("validate -f good.yaml");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "good.yaml: valid\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(OfflineTest, ValidatePrintsEveryFaultWithItsPlace) {
  Write("bad.yaml", kBadSpec);
  const auto result = Ctl("validate -f bad.yaml");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:6:"));
  EXPECT_THAT(result.err, HasSubstr("networks"));
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:10:"));
  EXPECT_THAT(result.err, HasSubstr("spec.uplinks[0].capacity.download: "));
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:11:"));
}

TEST_F(OfflineTest, ValidateLooksAtEveryFile) {
  Write("good.yaml", kGoodSpec);
  Write("bad.yaml", kBadSpec);
  const auto result = Ctl("validate -f bad.yaml good.yaml missing.yaml");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "good.yaml: valid\n");
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:"));
  EXPECT_THAT(result.err, HasSubstr("missing.yaml"));
}

TEST_F(OfflineTest, ValidateReadsStandardInput) {
  Write("good.yaml", kGoodSpec);
  EXPECT_EQ(Ctl("validate -f - < good.yaml").exit_code, 0);
  EXPECT_EQ(Ctl("validate -f - < /dev/null").exit_code, 2);
}

// ---- explain ----

TEST_F(OfflineTest, ExplainPrintsAScriptThatAShellAccepts) {
  Write("good.yaml", kGoodSpec);
  const auto result = Sh("\"$UPLINKCTL\" explain -f good.yaml > s && sh -n s");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string script = Read("s");
  EXPECT_THAT(script, StartsWith("#!/bin/sh\n"));
  EXPECT_THAT(script, HasSubstr("WAN2_GATEWAY:=$(gateway_of wan2)"));
  EXPECT_THAT(script,
              HasSubstr("ip rule add priority 20101 fwmark 0x1/0xff lookup 11 "
                        "proto 117\n"));
  EXPECT_THAT(script, HasSubstr("iptables-legacy -t nat -N UPL-SNAT\n"));
  EXPECT_THAT(script, HasSubstr("\n# ---- mangle: "));
  EXPECT_THAT(script, HasSubstr("\n# The floor of wan1: "));
}

TEST_F(OfflineTest, ExplainGivesEveryCommandAPurpose) {
  for (const char* algorithm : {"least-loaded", "weighted-random",
                                "round-robin", "source-hash", "multipath"}) {
    Write("spec.yaml", std::string(kGoodSpec) +
                           "  balance: {algorithm: " + algorithm + "}\n");
    const auto result = Ctl("explain -f spec.yaml");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, Not(HasSubstr("# \n"))) << algorithm;
    EXPECT_THAT(result.out, Not(HasSubstr("is missing"))) << algorithm;
  }
}

TEST_F(OfflineTest, ExplainUsesNoVariablesWhereTheSpecSaysAll) {
  Write("full.yaml", R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  lans: [{interface: lan0, networks: [192.168.10.0/24]}]
  uplinks:
    - {name: wan1, interface: wan1, address: 198.51.100.2,
       gateway: 198.51.100.1, capacity: {download: 40mbit}}
)");
  const auto result = Ctl("explain -f full.yaml");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("--to-source 198.51.100.2\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("WAN1_ADDRESS")));
  EXPECT_THAT(result.out, Not(HasSubstr("WAN1_GATEWAY")));
}

TEST_F(OfflineTest, ExplainSaysIpv6InItsPrograms) {
  Write("six.yaml", R"(apiVersion: uplinkd/v1
kind: Router
metadata: {name: office}
spec:
  lans: [{interface: lan0}]
  uplinks:
    - {name: wan1, interface: wan1, family: both, nat6: prefix,
       prefix6Interface: pd0, capacity: {download: 40mbit}}
)");
  const auto result = Ctl("explain -f six.yaml");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nip -6 rule add priority 20101 "));
  EXPECT_THAT(result.out, HasSubstr("-j NETMAP --to $WAN1_PREFIX6\n"));
  EXPECT_THAT(result.out, HasSubstr("$(network6_of pd0)"));
  EXPECT_THAT(result.out, HasSubstr("via $WAN1_GATEWAY6 dev wan1 src "
                                    "$WAN1_ADDRESS6 metric 1024 table 11"));
  EXPECT_THAT(result.out, Not(HasSubstr(" 100:")));
}

TEST_F(OfflineTest, ExplainRefusesABadSpec) {
  Write("bad.yaml", kBadSpec);
  const auto result = Ctl("explain -f bad.yaml");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("bad.yaml:6:"));
}

TEST_F(OfflineTest, WorksForAUserWithoutPrivileges) {
  Write("good.yaml", kGoodSpec);
  const auto valid = Sh(std::string(kAsNobody) + "validate -f - < good.yaml");
  EXPECT_EQ(valid.exit_code, 0) << valid.err;
  EXPECT_THAT(valid.out, EndsWith(": valid\n"));
  const auto explained =
      Sh(std::string(kAsNobody) + "explain -f - < good.yaml");
  EXPECT_EQ(explained.exit_code, 0) << explained.err;
  EXPECT_THAT(explained.out, HasSubstr("iptables-legacy"));
}

}  // namespace
}  // namespace uplinkd
