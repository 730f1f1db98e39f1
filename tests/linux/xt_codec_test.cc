// Every kind of rule through encode -> kernel -> decode, and past the eyes of
// the iptables program.
#include "reconciler/linux/xt_codec.h"

#include <gmock/gmock.h>

#include <array>
#include <chrono>
#include <random>
#include <set>
#include <string>

#include "reconciler/linux/xtables.h"
#include "reconciler/render.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using std::chrono_literals::operator""s;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::array kTables = {XtTable::kMangle, XtTable::kNat,
                                XtTable::kMangle6, XtTable::kNat6};

// "iptables-legacy", "ip6tables-legacy-save"
std::string Program(XtTable table, const std::string& suffix = "") {
  const bool ipv6 = FamilyOf(table) == Family::kIpv6;
  return (ipv6 ? "ip6tables-legacy" : "iptables-legacy") + suffix;
}

class XtCodec : public NetnsTest {
 protected:
  static std::string Iptables(XtTable table, const std::string& words) {
    return Program(table) + " -t " + std::string(XtTableName(table)) + " " +
           words;
  }

  XtTableState Observed(XtTable table) {
    auto tables = xtables_.Observe(true);
    EXPECT_TRUE(tables) << tables.error().message;
    return tables ? *tables->at(table) : XtTableState{};
  }

  void Write(XtTable table, const XtTableState& wanted) {
    const Outcome outcome =
        xtables_.Execute(Rebuild(table, Observed(table), wanted));
    ASSERT_EQ(outcome.result, StepResult::kDone) << outcome.error.message;
  }

  Xtables xtables_{5s};
};

TEST_F(XtCodec, WritesEveryKindAsTheProgramWritesIt) {
  for (const XtTable table : kTables) {
    XtTableState state;
    state.chains["UPL-00"] = SampleEstimators();
    state.chains["UPL-X"];
    Chain& chain = state.chains["UPL-OURS"];
    for (const SampleRule& sample : SampleRules(table)) {
      chain.push_back(sample.rule);
    }
    Write(table, state);
    EXPECT_EQ(Observed(table), state);
    for (const SampleRule& sample : SampleRules(table)) {
      uplinkd::Run(Iptables(table, "-C UPL-OURS " + sample.words));
    }
  }
}

TEST_F(XtCodec, ReadsEveryKindThatTheProgramWrote) {
  for (const XtTable table : kTables) {
    XtTableState state;
    state.chains["UPL-00"] = SampleEstimators();
    state.chains["UPL-X"];
    Chain& chain = state.chains["UPL-THEIRS"];
    Write(table, state);
    for (const SampleRule& sample : SampleRules(table)) {
      uplinkd::Run(Iptables(table, "-A UPL-THEIRS " + sample.words));
      chain.push_back(sample.rule);
    }
    EXPECT_EQ(Observed(table), state);
  }
}

TEST_F(XtCodec, SurvivesKernelSaveAndRestoreInAnyCombination) {
  std::mt19937 random(20261122);
  for (const XtTable table : kTables) {
    const XtTableState state = RandomState(table, 1000, random);
    Write(table, state);
    ASSERT_EQ(Observed(table), state);

    const std::string save =
        Program(table, "-save") + " -t " + std::string(XtTableName(table));
    EXPECT_THAT(uplinkd::Run(save), Not(HasSubstr("nsupported")));
    uplinkd::Run(save + " | " + Program(table, "-restore"));
    EXPECT_EQ(Observed(table), state);
  }
}

TEST_F(XtCodec, IsFoundByTheWordsThatWeRender) {
  std::mt19937 random(99);
  for (const XtTable table : kTables) {
    const XtTableState state = RandomState(table, 150, random);
    Write(table, state);
    std::string commands = "set -e\n";
    for (const auto& [name, rules] : state.chains) {
      for (const ChainRule& rule : rules) {
        commands += Iptables(table, "-C " + name + " ") +
                    RenderChainRule(rule, FamilyOf(table)) + "\n";
      }
    }
    uplinkd::Run(commands);
  }
}

TEST_F(XtCodec, NeverTakesAForeignRuleForOneOfOurs) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-T");
  const auto words = std::to_array<const char*>({
      "! -p tcp -j RETURN",
      "-p tcp --dport 80 -j RETURN",
      "-f -j RETURN",
      "-i wan+ -j RETURN",
      "! -i wan1 -j RETURN",
      "! -o wan1 -j RETURN",
      "-s 10.0.0.1/255.0.0.255 -j RETURN",
      "-m comment --comment hello -j RETURN",
      "-m limit --limit 5/s -j RETURN",
      "-m owner --gid-owner 5 -j RETURN",
      "-m owner --socket-exists -j RETURN",
      "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-name x -j RETURN",
      "-m hashlimit --hashlimit-upto 5/s --hashlimit-name x "
      "--hashlimit-mode srcport -j RETURN",
      "-m hashlimit --hashlimit-upto 5/s --hashlimit-name x "
      "--hashlimit-mode srcip --hashlimit-srcmask 24 -j RETURN",
      "-m conntrack --ctstate NEW,RELATED -j RETURN",
      "-m conntrack ! --ctstate NEW -j RETURN",
      "-m conntrack --ctproto 6 -j RETURN",
      "-m statistic --mode nth --every 3 --packet 1 -j RETURN",
      "-m statistic --mode random ! --probability 0.5 -j RETURN",
      "-m recent --rcheck --name x --rsource -j RETURN",
      "-m recent --rcheck --name x --mask 0.0.0.0 --rdest -j RETURN",
      "-m recent --rcheck --seconds 5 --name x --mask 0.0.0.0 -j RETURN",
      "-m recent ! --set --name x --mask 0.0.0.0 --rsource -j RETURN",
      "-m cluster --cluster-total-nodes 3 --cluster-local-nodemask 1 "
      "--cluster-hash-seed 1 -j RETURN",
      "-m cluster --cluster-total-nodes 2 --cluster-local-nodemask 2 "
      "--cluster-hash-seed 1 -j RETURN",
      "-j ACCEPT",
      "-j DROP",
      "-j CONNMARK --set-mark 5",
      "-j CONNMARK --save-mark --nfmask 1 --ctmask 3",
      "-j TOS --set-tos 0x10",
      "-j CLASSIFY --set-class 1:1",
  });
  for (const char* word : words) {
    uplinkd::Run(std::string("iptables-legacy -t mangle -F UPL-T; "
                             "iptables-legacy -t mangle -A UPL-T ") +
                 word);
    const Chain chain = Observed(XtTable::kMangle).chains.at("UPL-T");
    ASSERT_EQ(chain.size(), 1U) << word;
    // What we cannot write equals nothing that we write.
    EXPECT_FALSE(EncodeRule(Family::kIpv4, chain[0])) << word;
  }
}

TEST_F(XtCodec, KnowsOurRuleInOtherWords) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-T");
  uplinkd::Run("iptables-legacy -t mangle -A UPL-T -j MARK --and-mark 1");
  uplinkd::Run(
      "iptables-legacy -t mangle -A UPL-T -j MARK --set-mark 0x5/0xff");
  Chain chain(2);
  chain[0].target = SetMarkTarget{{0, 0xfffffffe}};
  chain[1].target = SetMarkTarget{{0x5, 0xff}};
  EXPECT_EQ(Observed(XtTable::kMangle).chains.at("UPL-T"), chain);
}

TEST_F(XtCodec, TellsTwoForeignRulesApart) {
  uplinkd::Run("iptables-legacy -t mangle -N UPL-T");
  uplinkd::Run(
      "iptables-legacy -t mangle -A UPL-T -m limit --limit 5/s -j RETURN");
  uplinkd::Run(
      "iptables-legacy -t mangle -A UPL-T -m limit --limit 6/s -j RETURN");
  uplinkd::Run("iptables-legacy -t mangle -A UPL-T -p tcp -j RETURN");
  uplinkd::Run("iptables-legacy -t mangle -A UPL-T -p tcp -f -j RETURN");
  uplinkd::Run("iptables-legacy -t mangle -A UPL-T -j RETURN");
  const Chain chain = Observed(XtTable::kMangle).chains.at("UPL-T");
  EXPECT_EQ(std::set<ChainRule>(chain.begin(), chain.end()).size(), 5U);
}

TEST(XtCodecLimits, RefusesWhatItCannotWrite) {
  ChainRule rule;
  EXPECT_TRUE(EncodeRule(Family::kIpv4, rule));

  const auto refused = [](const ChainRule& bad) {
    const auto bytes = EncodeRule(Family::kIpv4, bad);
    return !bytes && bytes.error().code == ErrorCode::kInvalidArgument;
  };
  rule.in_interface = "sixteen-letters-";
  EXPECT_TRUE(refused(rule));
  rule.in_interface = "wan+";
  EXPECT_TRUE(refused(rule));

  rule = {};
  rule.source = PrefixMatch{Prefix::Default(Family::kIpv4), false};
  EXPECT_TRUE(refused(rule));
  rule.source = PrefixMatch{*Prefix::Parse("2001:db8::/32"), false};
  EXPECT_TRUE(refused(rule));

  rule = {};
  rule.extra = "-p 6";
  EXPECT_TRUE(refused(rule));

  rule = {};
  rule.matches = {OpaqueMatch{"tcp r0 00"}};
  EXPECT_TRUE(refused(rule));
  rule.matches = {CounterMatch{std::string(200, 'x'),
                               CounterMatch::Operation::kIncrement, 0}};
  EXPECT_TRUE(refused(rule));
  rule.matches = {FreeCapacityMatch{{"sixteen-letters-", 1}, std::nullopt}};
  EXPECT_TRUE(refused(rule));
  rule.matches = {FreeCapacityMatch{{"a", 1}, {{"sixteen-letters-", 1}}}};
  EXPECT_TRUE(refused(rule));

  rule = {};
  rule.target = OpaqueTarget{"ACCEPT"};
  EXPECT_TRUE(refused(rule));
  rule.target = EstimateTarget{"sixteen-letters-", -2, 1};
  EXPECT_TRUE(refused(rule));
  rule.target = SnatTarget{*Address::Parse("2001:db8::1")};
  EXPECT_TRUE(refused(rule));
  rule.target = JumpTarget{"UPL-" + std::string(25, 'X'), false};
  EXPECT_TRUE(refused(rule));
}

}  // namespace
}  // namespace uplinkd
