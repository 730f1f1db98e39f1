#include "reconciler/assume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconciler/compile.h"
#include "reconciler/sharers.h"
#include "tests/core/builders.h"
#include "tests/core/desired_text.h"
#include "tests/core/random_specs.h"

namespace uplinkd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Ip;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::RouteLines;
using testing::RuleLines;
using testing::TableText;
using testing::TwoUplinkSpec;

std::vector<std::string> Explained(const Assumed& assumed,
                                   std::vector<std::string> lines) {
  for (std::string& line : lines) line = SubstituteVariables(assumed, line);
  return lines;
}

TEST(Assume, TakesEveryUplinkForReady) {
  const Spec spec = TwoUplinkSpec();
  const Desired desired = Compile(spec, AssumeFacts(spec).facts);
  for (const UplinkState& uplink : desired.uplinks) {
    EXPECT_EQ(uplink.phase, UplinkPhase::kReady) << uplink.reason;
  }
  EXPECT_THAT(desired.warnings, IsEmpty());
}

TEST(Assume, NamesWhatIsLearnedLater) {
  const Spec spec = TwoUplinkSpec();
  const Assumed assumed = AssumeFacts(spec);
  const Desired desired = Compile(spec, assumed.facts);
  EXPECT_THAT(
      Explained(assumed, RouteLines(desired, 12)),
      ElementsAre("default via $WAN2_GATEWAY dev wan2 src $WAN2_ADDRESS"
                  " table 12 proto 117",
                  "unreachable default metric 4294967295 table 12 proto 117",
                  "$WAN2_NETWORK dev wan2 scope link src $WAN2_ADDRESS"
                  " table 12 proto 117",
                  "192.168.10.0/24 dev lan0 scope link table 12 proto 117"));
  EXPECT_THAT(Explained(assumed, RuleLines(desired)),
              Contains("priority 20402 from $WAN2_ADDRESS/32 lookup 12"
                       " proto 117"));
  const std::string mangle =
      SubstituteVariables(assumed, TableText(desired, XtTable::kMangle));
  EXPECT_THAT(mangle, HasSubstr("-A UPL-TRAFFIC -d $WAN2_NETWORK -j RETURN"));
  EXPECT_THAT(SubstituteVariables(assumed, TableText(desired, XtTable::kNat)),
              HasSubstr("-o wan2 ! -s $WAN2_ADDRESS/32 -j SNAT"
                        " --to-source $WAN2_ADDRESS\n"));
}

TEST(Assume, SaysWhatTheSpecSays) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].address = Ip("198.51.100.2");
  spec.uplinks[0].gateway = Ip("198.51.100.1");
  const Assumed assumed = AssumeFacts(spec);
  const Desired desired = Compile(spec, assumed.facts);
  EXPECT_THAT(
      Explained(assumed, RouteLines(desired, 11)),
      Contains("default via 198.51.100.1 dev wan1 src 198.51.100.2 table 11"
               " proto 117"));
  // How long the network is, nobody said.
  EXPECT_THAT(Explained(assumed, RouteLines(desired, 11)),
              Contains("$WAN1_NETWORK dev wan1 scope link src 198.51.100.2"
                       " table 11 proto 117"));
}

TEST(Assume, NamesTheNetworkOfALan) {
  Spec spec = TwoUplinkSpec();
  spec.lans[0].networks.clear();
  const Assumed assumed = AssumeFacts(spec);
  const Desired desired = Compile(spec, assumed.facts);
  EXPECT_THAT(
      SubstituteVariables(assumed, TableText(desired, XtTable::kMangle)),
      HasSubstr("-A UPL-NEW -i lan0 -s $LAN0_NETWORK -g UPL-TRAFFIC"));
}

TEST(Assume, MakesNamesThatAShellTakes) {
  Spec spec = TwoUplinkSpec();
  spec.uplinks[0].name = "4g-backup";
  spec.uplinks[1].name = "4g_backup";
  const Assumed assumed = AssumeFacts(spec);
  std::vector<std::string> names;
  for (const auto& [placeholder, name] : assumed.variables) {
    names.push_back(name);
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre(
                         "$_4G_BACKUP_ADDRESS", "$_4G_BACKUP_GATEWAY",
                         "$_4G_BACKUP_NETWORK", "$_4G_BACKUP__ADDRESS",
                         "$_4G_BACKUP__GATEWAY", "$_4G_BACKUP__NETWORK"));
}

TEST(Assume, ReplacesWholeAddressesOnly) {
  Assumed assumed;
  assumed.variables = {{"0.16.1.2", "$ADDRESS"}, {"0.16.1.0/24", "$NETWORK"}};
  EXPECT_EQ(SubstituteVariables(assumed,
                                "0.16.1.2 0.16.1.2/32 0.16.1.0/24 10.16.1.2"
                                " 0.16.1.23 0.16.1.2.3 0.16.1.0/240 0.16.1.2"),
            "$ADDRESS $ADDRESS/32 $NETWORK 10.16.1.2"
            " 0.16.1.23 0.16.1.2.3 0.16.1.0/240 $ADDRESS");
}

TEST(AssumeLaw, NoPlaceholderReachesTheReader) {
  testing::RandomSpecs random;
  for (int i = 0; i < 10'000; ++i) {
    Spec spec = random.MakeSpec();
    for (Lan& lan : spec.lans) {
      if (random.Draw(0, 1) == 0) lan.networks.clear();
    }
    for (Uplink& uplink : spec.uplinks) {
      uplink.mode = UplinkMode::kEnabled;
      // Those have an address and a gateway of their own each.
      if (SharesInterface(spec, uplink)) continue;
      if (random.Draw(0, 1) == 0) uplink.address = Ip("198.51.100.2");
      if (random.Draw(0, 1) == 0) uplink.gateway = Ip("198.51.100.77");
    }
    const Assumed assumed = AssumeFacts(spec);
    const Desired desired = Compile(spec, assumed.facts);
    for (const UplinkState& uplink : desired.uplinks) {
      ASSERT_EQ(uplink.phase, UplinkPhase::kReady) << uplink.reason;
    }
    std::string text = TableText(desired, XtTable::kNat);
    for (const std::string& line : RuleLines(desired)) text += line + "\n";
    for (const auto& [table, owner] : desired.table_owner) {
      for (const std::string& line : RouteLines(desired, table)) {
        text += line + "\n";
      }
    }
    text = SubstituteVariables(assumed, text);
    ASSERT_THAT(text, Not(HasSubstr(" 0.16."))) << text;
    ASSERT_THAT(text, Not(HasSubstr(" 0.32."))) << text;
    ASSERT_THAT(text, Not(HasSubstr("onlink"))) << text;
  }
}

}  // namespace
}  // namespace uplinkd
