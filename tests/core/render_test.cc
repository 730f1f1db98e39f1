#include "reconciler/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::Ip;
using testing::Net;

Route Wan1RouteVia(std::string_view gateway) {
  Route route;
  route.key.table = 11;
  route.next_hops.push_back({"wan1", Ip(gateway), 1, false});
  return route;
}

ChainRule RuleWith(Match match) {
  ChainRule rule;
  rule.matches = {std::move(match)};
  return rule;
}

ChainRule RuleTo(Target target) {
  ChainRule rule;
  rule.target = std::move(target);
  return rule;
}

Step StepOf(Change change, std::string reason = "because") {
  Step step;
  step.change = std::move(change);
  step.cause = Cause::kModified;
  step.reason = std::move(reason);
  return step;
}

std::string OneCommand(Change change) {
  const std::vector<PlanLine> lines = RenderStep(StepOf(std::move(change)));
  EXPECT_EQ(lines.size(), 1U);
  return lines.at(0).sign + (" " + lines.at(0).command);
}

// ---- routes ----

TEST(Render, SaysRoutesAsIpDoes) {
  Route route = Wan1RouteVia("198.51.100.1");
  EXPECT_EQ(RenderRoute(route),
            "default via 198.51.100.1 dev wan1 table 11 proto 117");
  route.next_hops[0].onlink = true;
  route.preferred_source = Ip("198.51.100.2");
  route.key.metric = 7;
  route.key.tos = 0x10;
  route.key.table = kMainTable;
  EXPECT_EQ(RenderRoute(route),
            "default via 198.51.100.1 dev wan1 onlink src 198.51.100.2"
            " tos 0x10 metric 7 table main proto 117");
}

TEST(Render, SaysTheScopeOfARouteWithoutGateway) {
  Route route = Wan1RouteVia("198.51.100.1");
  route.next_hops[0].gateway.reset();
  EXPECT_EQ(RenderRoute(route),
            "default dev wan1 scope global table 11 proto 117");
  route.link_scope = true;
  EXPECT_EQ(RenderRoute(route),
            "default dev wan1 scope link table 11 proto 117");
}

TEST(Render, SaysRoutesThatLeadNowhere) {
  Route route;
  route.key.table = 11;
  route.type = RouteType::kBlackhole;
  route.key.destination = Net("10.0.0.0/8");
  EXPECT_EQ(RenderRoute(route), "blackhole 10.0.0.0/8 table 11 proto 117");
}

TEST(Render, SaysNextHopsLast) {
  Route route = Wan1RouteVia("198.51.100.1");
  route.next_hops[0].weight = 4;
  route.next_hops.push_back({"ppp0", std::nullopt, 1, false});
  EXPECT_EQ(RenderRoute(route),
            "default table 11 proto 117"
            " nexthop via 198.51.100.1 dev wan1 weight 4"
            " nexthop dev ppp0 weight 1");
}

TEST(Render, ShowsWhatItHasNoWordsForButKeepsCommandsClean) {
  Route route = Wan1RouteVia("198.51.100.1");
  route.extra = "realm 5";
  EXPECT_EQ(RenderRoute(route),
            "default via 198.51.100.1 dev wan1 table 11 proto 117 (realm 5)");
  EXPECT_EQ(OneCommand(RemoveRoute{route}),
            "- ip route del default via 198.51.100.1 dev wan1 table 11"
            " proto 117");
}

TEST(Render, SaysIpv6) {
  Route route;
  route.key.table = 11;
  route.key.destination = Net("2001:db8::/32");
  route.next_hops.push_back({"wan1", std::nullopt, 1, false});
  EXPECT_EQ(OneCommand(PutRoute{route, std::nullopt}),
            "+ ip -6 route replace 2001:db8::/32 dev wan1 table 11 proto 117");
}

TEST(Render, TellsNewRoutesFromReplacedOnes) {
  const Route route = Wan1RouteVia("198.51.100.1");
  EXPECT_EQ(OneCommand(PutRoute{route, std::nullopt}),
            "+ ip route replace default via 198.51.100.1 dev wan1 table 11"
            " proto 117");
  EXPECT_EQ(OneCommand(PutRoute{route, Wan1RouteVia("198.51.100.9")}),
            "~ ip route replace default via 198.51.100.1 dev wan1 table 11"
            " proto 117");
}

// ---- ip rules ----

TEST(Render, SaysPolicyRules) {
  PolicyRule rule;
  rule.priority = 20101;
  rule.table = 11;
  rule.mark = Mark{0x1, 0xff};
  EXPECT_EQ(RenderRule(rule),
            "priority 20101 fwmark 0x1/0xff lookup 11 proto 117");
  rule.source = Net("198.51.100.2/32");
  rule.in_interface = "lan0";
  rule.suppress_prefix_length = 0;
  EXPECT_EQ(RenderRule(rule),
            "priority 20101 from 198.51.100.2/32 iif lan0 fwmark 0x1/0xff"
            " lookup 11 suppress_prefixlength 0 proto 117");
  EXPECT_EQ(OneCommand(AddRule{rule}), "+ ip rule add " + RenderRule(rule));
  EXPECT_EQ(OneCommand(RemoveRule{rule}), "- ip rule del " + RenderRule(rule));
}

TEST(Render, SaysThatARuleIsAboutEverything) {
  PolicyRule rule;
  rule.priority = 20000;
  rule.suppress_prefix_length = 0;
  EXPECT_EQ(RenderRule(rule),
            "priority 20000 from all lookup main suppress_prefixlength 0"
            " proto 117");
}

// ---- chain rules ----

TEST(Render, SaysTheHeaderOfAChainRule) {
  ChainRule rule;
  rule.in_interface = "lan0";
  rule.out_interface = "wan1";
  rule.source = PrefixMatch{Net("192.168.10.0/24"), false};
  rule.destination = PrefixMatch{Net("10.0.0.0/8"), true};
  rule.target = ReturnTarget{};
  EXPECT_EQ(RenderChainRule(rule),
            "-i lan0 -o wan1 -s 192.168.10.0/24 ! -d 10.0.0.0/8 -j RETURN");
}

TEST(Render, SaysEveryMatch) {
  const auto words = [](Match match) {
    return RenderChainRule(RuleWith(std::move(match)));
  };
  EXPECT_EQ(words(MarkMatch{{0, 0xff}, true}), "-m mark ! --mark 0x0/0xff");
  EXPECT_EQ(words(ConnmarkMatch{{0x200, 0xff00}, false}),
            "-m connmark --mark 0x200/0xff00");
  EXPECT_EQ(words(NewConnectionMatch{}), "-m conntrack --ctstate NEW");
  EXPECT_EQ(words(RandomMatch{0x40000000}),
            "-m statistic --mode random --probability 0.50000000000");
  EXPECT_EQ(words(SourceCoinMatch{0xbeef, true}),
            "-m cluster --cluster-total-nodes 2 ! --cluster-local-nodemask 1"
            " --cluster-hash-seed 0xbeef");
  EXPECT_EQ(
      words(CounterMatch{"UPL-TURN", CounterMatch::Operation::kAtLeast, 3}),
      "-m recent --name UPL-TURN --mask 0.0.0.0 --rsource --rcheck"
      " --hitcount 3");
  EXPECT_EQ(
      words(CounterMatch{"UPL-TURN", CounterMatch::Operation::kIncrement, 0}),
      "-m recent --name UPL-TURN --mask 0.0.0.0 --rsource --set");
  EXPECT_EQ(words(ClientListMatch{"UPL-SAME.1",
                                  ClientListMatch::Operation::kHolds, 600}),
            "-m recent --name UPL-SAME.1 --mask 255.255.255.255 --rsource "
            "--rcheck --seconds 600");
  EXPECT_EQ(
      words(ClientListMatch{"UPL-SAME.1", ClientListMatch::Operation::kAdd, 0}),
      "-m recent --name UPL-SAME.1 --mask 255.255.255.255 --rsource "
      "--set");
  EXPECT_EQ(words(ClientListMatch{"UPL-SAME.1",
                                  ClientListMatch::Operation::kRemove, 0}),
            "-m recent --name UPL-SAME.1 --mask 255.255.255.255 --rsource "
            "--remove");
  EXPECT_EQ(words(CounterMatch{"UPL-TURN", CounterMatch::Operation::kReset, 0}),
            "-m recent --name UPL-TURN --mask 0.0.0.0 --rsource --remove");
}

TEST(Render, SaysCapacitiesInBitsOfWhichTheKernelKeepsBytes) {
  FreeCapacityMatch match{{"u1", 5'000'000}, {{"u2", 0xffffffff}}};
  EXPECT_EQ(RenderChainRule(RuleWith(match)),
            "-m rateest --rateest-delta --rateest1 u1"
            " --rateest-bps1 40000000bit --rateest-gt --rateest2 u2"
            " --rateest-bps2 34359738360bit");
  match.right.reset();
  EXPECT_EQ(RenderChainRule(RuleWith(match)),
            "-m rateest --rateest-delta --rateest u1"
            " --rateest-bps1 40000000bit --rateest-eq --rateest-bps2 0bit");
}

TEST(Render, SaysProbabilitiesThatAreReadBackTheSame) {
  for (const std::uint32_t threshold :
       {1U, 2U, 1717986918U, 1073741825U, 0x7ffffffeU, 0x7fffffffU}) {
    const std::string text = RenderChainRule(RuleWith(RandomMatch{threshold}));
    const double probability = std::stod(text.substr(text.rfind(' ')));
    // As libxt_statistic does.
    EXPECT_EQ(std::lround(2147483648.0 * probability), threshold);
  }
}

TEST(Render, SaysEveryTarget) {
  const auto words = [](Target target) {
    return RenderChainRule(RuleTo(std::move(target)));
  };
  EXPECT_EQ(words(ContinueTarget{}), "");
  EXPECT_EQ(words(ReturnTarget{}), "-j RETURN");
  EXPECT_EQ(words(JumpTarget{"UPL-NEW", false}), "-j UPL-NEW");
  EXPECT_EQ(words(JumpTarget{"UPL-NEW", true}), "-g UPL-NEW");
  EXPECT_EQ(words(SetMarkTarget{{1, 0xff}}), "-j MARK --set-xmark 0x1/0xff");
  EXPECT_EQ(words(SaveMarkTarget{0xff}),
            "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff");
  EXPECT_EQ(words(RestoreMarkTarget{0xff}),
            "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff");
  EXPECT_EQ(words(EstimateTarget{"u1-1", -2, 1}),
            "-j RATEEST --rateest-name u1-1 --rateest-interval 250ms"
            " --rateest-ewmalog 500ms");
  EXPECT_EQ(words(EstimateTarget{"u1-1", 3, 2}),
            "-j RATEEST --rateest-name u1-1 --rateest-interval 8000ms"
            " --rateest-ewmalog 32000ms");
  EXPECT_EQ(words(SnatTarget{Ip("198.51.100.2")}),
            "-j SNAT --to-source 198.51.100.2");
  EXPECT_EQ(words(MasqueradeTarget{}), "-j MASQUERADE");
}

// ---- steps ----

using Kind = ChainEdit::Kind;

ChainEdit EditOf(ChainEdit::Kind kind, std::string chain, ChainRule rule = {},
                 std::size_t position = 0) {
  ChainEdit edit;
  edit.kind = kind;
  edit.chain = std::move(chain);
  edit.rule = std::move(rule);
  edit.position = position;
  edit.reason = "reason of its own";
  return edit;
}

TEST(Render, SaysEveryEditAsACommand) {
  const ChainRule rule = RuleTo(JumpTarget{"UPL-MARK-1", true});
  const ChainRule jump = RuleTo(JumpTarget{"UPL-PREROUTING", false});
  EditXtTable edits;
  edits.edits = {EditOf(Kind::kCreateChain, "UPL-NEW"),
                 EditOf(Kind::kInsertRule, "UPL-NEW", rule, 2),
                 EditOf(Kind::kDeleteRule, "UPL-NEW", rule, 2),
                 EditOf(Kind::kInsertJump, "", jump),
                 EditOf(Kind::kDeleteJump, "", jump, 4),
                 EditOf(Kind::kFlushChain, "UPL-NEW"),
                 EditOf(Kind::kDeleteChain, "UPL-NEW")};
  std::vector<std::string> lines;
  for (const PlanLine& line : RenderStep(StepOf(edits))) {
    EXPECT_EQ(line.reason, "reason of its own");
    EXPECT_EQ(line.cause, Cause::kMissing);
    lines.push_back(line.sign + (" " + line.command) + " [" + line.object +
                    "]");
  }
  EXPECT_THAT(
      lines,
      ElementsAre(
          "+ iptables-legacy -t mangle -N UPL-NEW [chain]",
          "+ iptables-legacy -t mangle -I UPL-NEW 3 -g UPL-MARK-1"
          " [chain-rule]",
          "- iptables-legacy -t mangle -D UPL-NEW -g UPL-MARK-1 [chain-rule]",
          "+ iptables-legacy -t mangle -I PREROUTING 1 -j UPL-PREROUTING"
          " [jump]",
          "- iptables-legacy -t mangle -D PREROUTING -j UPL-PREROUTING [jump]",
          "- iptables-legacy -t mangle -F UPL-NEW [chain]",
          "- iptables-legacy -t mangle -X UPL-NEW [chain]"));
}

TEST(Render, InsertsARuleThatOnlyCounts) {
  ChainEdit edit =
      EditOf(ChainEdit::Kind::kInsertRule, "UPL-FATE",
             RuleWith(CounterMatch{"UPL-TURN",
                                   CounterMatch::Operation::kIncrement, 0}));
  EXPECT_EQ(RenderEdit(XtTable::kMangle, edit).command,
            "iptables-legacy -t mangle -I UPL-FATE 1 -m recent"
            " --name UPL-TURN --mask 0.0.0.0 --rsource --set");
}

TEST(Render, DeletesByNumberWhatItHasNoWordsFor) {
  const auto command = [](const ChainRule& rule) {
    return RenderEdit(XtTable::kNat,
                      EditOf(Kind::kDeleteRule, "UPL-SNAT", rule, 4))
        .command;
  };
  const std::string by_number = "iptables-legacy -t nat -D UPL-SNAT 5";
  EXPECT_EQ(command(RuleWith(OpaqueMatch{"tcp r0 #1234"})), by_number);
  EXPECT_EQ(command(RuleTo(OpaqueTarget{"DNAT r0 #1234"})), by_number);
  ChainRule header;
  header.extra = "-p tcp";
  EXPECT_EQ(command(header), by_number);
  EXPECT_EQ(RenderChainRule(RuleTo(OpaqueTarget{"DNAT r0 #1234"})),
            "-j DNAT r0 #1234");
}

TEST(Render, GivesTheReasonOfTheStepToItsLine) {
  const PlanLine line =
      RenderStep(StepOf(RemoveRule{}, "nobody wants it")).at(0);
  EXPECT_EQ(line.reason, "nobody wants it");
  EXPECT_EQ(line.object, "rule");
  EXPECT_EQ(line.cause, Cause::kModified);
}

TEST(Render, KeepsTheOrderOfThePlan) {
  Plan plan;
  plan.steps = {StepOf(PutRoute{Wan1RouteVia("192.0.2.1"), std::nullopt}),
                StepOf(AddRule{}),
                StepOf(RemoveRoute{Wan1RouteVia("192.0.2.1")})};
  std::string signs;
  for (const PlanLine& line : RenderPlan(plan)) {
    signs += line.object + line.sign;
  }
  EXPECT_EQ(signs, "route+rule+route-");
}

}  // namespace
}  // namespace uplinkd
