// Ipsets: names above the edge, numbers in the kernel's rules.
#include "reconciler/linux/ipset.h"

#include <gmock/gmock.h>

#include <chrono>
#include <string>

#include "reconciler/linux/linux_kernel.h"
#include "reconciler/linux/xtables.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Side = IpsetMatch::Side;

class IpsetTest : public NetnsTest {
 protected:
  static ChainRule Asking(const std::string& set, Side side, bool invert) {
    ChainRule rule;
    rule.matches = {IpsetMatch{set, side, invert}};
    rule.target = ReturnTarget{};
    return rule;
  }

  // One chain, hooked into OUTPUT.
  static XtTableState Hooked(Chain chain) {
    XtTableState state;
    state.chains["UPL-A"] = std::move(chain);
    state.jumps[XtHook::kOutput] = {{0, JumpTo("UPL-A")}};
    return state;
  }

  XtTableState Observed() {
    const auto tables = xtables_.Observe();
    EXPECT_TRUE(tables) << tables.error().message;
    return tables ? *tables->at(XtTable::kMangle) : XtTableState{};
  }

  Outcome Write(const XtTableState& wanted) {
    return xtables_.Execute(Rebuild(XtTable::kMangle, Observed(), wanted));
  }

  Xtables xtables_{5s};
};

TEST_F(IpsetTest, HasANumberForEachName) {
  uplinkd::Run("ipset create phones hash:ip");
  uplinkd::Run("ipset create " + std::string(31, 'n') + " hash:net");
  for (const std::string& name :
       {std::string("phones"), std::string(31, 'n')}) {
    const Result<std::uint16_t> number = FindIpset(name);
    ASSERT_TRUE(number) << number.error().message;
    EXPECT_EQ(NameOfIpset(*number), name);
  }
  for (const std::string& name :
       {std::string("phone"), std::string(), std::string(32, 'n')}) {
    const Result<std::uint16_t> number = FindIpset(name);
    ASSERT_FALSE(number);
    EXPECT_EQ(number.error().code, ErrorCode::kNotFound);
  }
  EXPECT_EQ(NameOfIpset(200).error().code, ErrorCode::kNotFound);
}

TEST_F(IpsetTest, WhichExistIsAFact) {
  uplinkd::Run("ipset create phones hash:ip; ipset create group list:set");
  uplinkd::Run("ipset create six hash:ip family inet6");
  const auto kernel = OpenLinuxKernel({});
  ASSERT_TRUE(kernel) << kernel.error().message;
  FactsScope scope;
  scope.ipsets = {"phones", "group", "six", "carriers"};
  const Result<Facts> facts = (*kernel)->ReadFacts(scope);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->ipsets, (std::set<std::string>{"group", "phones"}));
}

TEST_F(IpsetTest, SurvivesEncodeKernelDecode) {
  uplinkd::Run("ipset create other hash:ip; ipset create phones hash:ip");
  uplinkd::Run("ipset create nets hash:net");
  Chain chain;
  for (const char* set : {"phones", "nets"}) {
    for (const Side side : {Side::kSource, Side::kDestination}) {
      for (const bool invert : {false, true}) {
        chain.push_back(Asking(set, side, invert));
      }
    }
  }
  const XtTableState wanted = Hooked(chain);
  const Outcome outcome = Write(wanted);
  ASSERT_EQ(outcome.result, StepResult::kDone) << outcome.error.message;
  EXPECT_EQ(Observed(), wanted);
  // The program sees the same rules as its own.
  for (const char* words :
       {"--match-set phones src", "! --match-set phones src",
        "--match-set nets dst", "! --match-set nets dst"}) {
    const std::string text(words);
    const bool invert = text.starts_with("!");
    uplinkd::Run("iptables-legacy -t mangle -C UPL-A -m set " +
                 std::string(invert ? "! " : "") + text.substr(invert ? 2 : 0) +
                 " -j RETURN");
  }
}

TEST_F(IpsetTest, ASetInARuleKeepsItsNumberThroughASwap) {
  uplinkd::Run("ipset create phones hash:ip; ipset create next hash:ip");
  const XtTableState wanted = Hooked({Asking("phones", Side::kSource, false)});
  ASSERT_EQ(Write(wanted).result, StepResult::kDone);
  EXPECT_NE(RunCommand("ipset destroy phones").status, 0);
  EXPECT_NE(RunCommand("ipset rename phones old").status, 0);
  uplinkd::Run("ipset swap phones next");
  EXPECT_EQ(Observed(), wanted);
  // Free again with the last rule.
  ASSERT_EQ(Write({}).result, StepResult::kDone);
  uplinkd::Run("ipset destroy phones");
}

TEST_F(IpsetTest, ASetThatIsMissingIsARefusalWithItsName) {
  const Outcome outcome =
      Write(Hooked({Asking("phones", Side::kSource, false)}));
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.code, ErrorCode::kNotFound);
  EXPECT_THAT(outcome.error.message, HasSubstr("there is no ipset 'phones'"));
  EXPECT_TRUE(Observed().Empty());
}

}  // namespace
}  // namespace uplinkd
