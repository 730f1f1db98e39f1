// docs/design.md shows what two uplinks compile to; this is that, whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconciler/compile.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::RouteLines;
using testing::RuleLines;
using testing::TableText;
using testing::TwoUplinkFacts;
using testing::TwoUplinkSpec;

TEST(CompileDesign, MakesTheRoutesOfTheDesign) {
  const Desired desired = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  EXPECT_THAT(
      RouteLines(desired, 11),
      ElementsAre(
          "default via 198.51.100.1 dev wan1 src 198.51.100.2 table 11"
          " proto 117",
          "unreachable default metric 4294967295 table 11 proto 117",
          "192.168.10.0/24 dev lan0 scope link table 11 proto 117",
          "198.51.100.0/24 dev wan1 scope link src 198.51.100.2 table 11"
          " proto 117"));
  EXPECT_THAT(
      RouteLines(desired, 12),
      ElementsAre("default via 203.0.113.1 dev wan2 src 203.0.113.2 table 12"
                  " proto 117",
                  "unreachable default metric 4294967295 table 12 proto 117",
                  "192.168.10.0/24 dev lan0 scope link table 12 proto 117",
                  "203.0.113.0/24 dev wan2 scope link src 203.0.113.2 table 12"
                  " proto 117"));
  EXPECT_EQ(desired.state.routes.size(), 8U);
}

TEST(CompileDesign, MakesTheRulesOfTheDesign) {
  EXPECT_THAT(
      RuleLines(Compile(TwoUplinkSpec(), TwoUplinkFacts())),
      ElementsAre("priority 20000 from all lookup main suppress_prefixlength 0"
                  " proto 117",
                  "priority 20101 fwmark 0x1/0xff lookup 11 proto 117",
                  "priority 20102 fwmark 0x2/0xff lookup 12 proto 117",
                  "priority 20401 from 198.51.100.2/32 lookup 11 proto 117",
                  "priority 20402 from 203.0.113.2/32 lookup 12 proto 117"));
}

TEST(CompileDesign, MakesTheChainsOfTheDesign) {
  const Desired desired = Compile(TwoUplinkSpec(), TwoUplinkFacts());
  EXPECT_EQ(
      TableText(desired, XtTable::kMangle),
      "-I PREROUTING 1 -j UPL-PREROUTING\n"
      "-I OUTPUT 1 -j UPL-OUTPUT\n"
      "-A UPL-ESTIMATE-IN -i wan1 -j RATEEST --rateest-name u1-377e22de"
      " --rateest-interval 250ms --rateest-ewmalog 500ms\n"
      "-A UPL-ESTIMATE-IN -i wan2 -j RATEEST --rateest-name u2-b7769d99"
      " --rateest-interval 250ms --rateest-ewmalog 500ms\n"
      "-A UPL-FATE -m rateest --rateest-delta --rateest1 u2-b7769d99"
      " --rateest-bps1 10000000bit --rateest-gt --rateest2 u1-377e22de"
      " --rateest-bps2 40000000bit -g UPL-FATE.2\n"
      "-A UPL-FATE -m rateest --rateest-delta --rateest u1-377e22de"
      " --rateest-bps1 40000000bit --rateest-eq --rateest-bps2 0bit"
      " -g UPL-FULL\n"
      "-A UPL-FATE -g UPL-MARK-1\n"
      "-A UPL-FATE.2 -g UPL-MARK-2\n"
      "-A UPL-FULL -m statistic --mode random"
      " --probability 0.79999999981 -g UPL-MARK-1\n"
      "-A UPL-FULL -g UPL-MARK-2\n"
      "-A UPL-MARK-1 -j MARK --set-xmark 0x1/0xff\n"
      "-A UPL-MARK-1 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff\n"
      "-A UPL-MARK-2 -j MARK --set-xmark 0x2/0xff\n"
      "-A UPL-MARK-2 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff\n"
      "-A UPL-NEW -i lan0 -s 192.168.10.0/24 -g UPL-TRAFFIC\n"
      "-A UPL-NEW -i wan1 -g UPL-MARK-1\n"
      "-A UPL-NEW -i wan2 -g UPL-MARK-2\n"
      "-A UPL-OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff\n"
      "-A UPL-PREROUTING -j UPL-ESTIMATE-IN\n"
      "-A UPL-PREROUTING -j CONNMARK --restore-mark --nfmask 0xff"
      " --ctmask 0xff\n"
      "-A UPL-PREROUTING -m mark ! --mark 0x0/0xff -j RETURN\n"
      "-A UPL-PREROUTING -m conntrack --ctstate NEW -g UPL-NEW\n"
      "-A UPL-TRAFFIC -d 192.168.10.0/24 -j RETURN\n"
      "-A UPL-TRAFFIC -d 198.51.100.0/24 -j RETURN\n"
      "-A UPL-TRAFFIC -d 203.0.113.0/24 -j RETURN\n"
      "-A UPL-TRAFFIC -d 224.0.0.0/3 -j RETURN\n"
      "-A UPL-TRAFFIC -g UPL-FATE\n");
  EXPECT_EQ(TableText(desired, XtTable::kNat),
            "-I POSTROUTING 1 -j UPL-POSTROUTING\n"
            "-A UPL-POSTROUTING -s 192.168.10.0/24 -g UPL-SNAT\n"
            "-A UPL-POSTROUTING -s 198.51.100.2/32 -g UPL-SNAT\n"
            "-A UPL-POSTROUTING -s 203.0.113.2/32 -g UPL-SNAT\n"
            "-A UPL-SNAT -o wan1 ! -s 198.51.100.2/32 -j SNAT"
            " --to-source 198.51.100.2\n"
            "-A UPL-SNAT -o wan2 ! -s 203.0.113.2/32 -j SNAT"
            " --to-source 203.0.113.2\n");
}

}  // namespace
}  // namespace uplinkd
