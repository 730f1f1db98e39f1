// The fake must have the kernel's manners, or the laws prove nothing.
#include "tests/core/fake_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "tests/core/builders.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using testing::Ip;
using ::testing::IsEmpty;
using testing::Net;
using ::testing::SizeIs;
using testing::TwoUplinkFacts;
using Kind = ChainEdit::Kind;

FakeKernel OnHost() {
  FakeKernel kernel;
  kernel.SetHost(TwoUplinkFacts());
  return kernel;
}

Outcome Do(FakeKernel& kernel, const Change& change) {
  Step step;
  step.change = change;
  return kernel.Execute(std::vector<Step>{step}).at(0);
}

Route DefaultRouteVia(const char* gateway) {
  Route route;
  route.key = {.table = 11, .destination = Prefix::Default(Family::kIpv4)};
  route.next_hops = {{.link = "wan1", .gateway = Ip(gateway)}};
  return route;
}

PolicyRule MarkRule() {
  PolicyRule rule;
  rule.priority = 20101;
  rule.mark = Mark{1, 0xff};
  rule.table = 11;
  return rule;
}

ChainRule Rule(Target target) {
  ChainRule rule;
  rule.target = std::move(target);
  return rule;
}

ChainEdit Edit(Kind kind, std::string chain, std::size_t position = 0,
               ChainRule rule = {}) {
  ChainEdit edit;
  edit.kind = kind;
  edit.chain = std::move(chain);
  edit.position = position;
  edit.rule = std::move(rule);
  return edit;
}

// One commit that expects the table as it is.
Outcome Commit(FakeKernel& kernel, std::vector<ChainEdit> edits) {
  const XtTableState now = kernel.tables.at(XtTable::kMangle).Ours();
  return Do(kernel, EditXtTable{XtTable::kMangle, now, std::move(edits)});
}

TEST(FakeKernel, StartsWithTheDefaultRules) {
  const FakeKernel kernel;
  std::vector<std::uint32_t> priorities;
  for (const PolicyRule& rule : kernel.rules) {
    priorities.push_back(rule.priority);
  }
  EXPECT_THAT(priorities, ElementsAre(0u, 32766u, 32767u));
  EXPECT_THAT(kernel.Ours().rules, IsEmpty());
}

TEST(FakeKernel, ReadsOnlyWhatWasAskedFor) {
  FakeKernel kernel = OnHost();
  const Result<Facts> facts =
      kernel.ReadFacts({.links = {"wan1", "wan2", "wan9"},
                        .default_routes = {"wan1"},
                        .ipsets = {}});
  ASSERT_TRUE(facts.has_value());
  EXPECT_THAT(facts->links, SizeIs(2));
  EXPECT_TRUE(facts->links.at("wan1").default_route);
  EXPECT_FALSE(facts->links.at("wan2").default_route);
}

TEST(FakeKernel, SeesRoutesOfOtherTablesOnlyInASweep) {
  FakeKernel kernel = OnHost();
  ASSERT_EQ(Do(kernel, PutRoute{DefaultRouteVia("198.51.100.1"), {}}).result,
            StepResult::kDone);
  EXPECT_THAT(kernel.Observe({{12}, false})->routes, IsEmpty());
  EXPECT_THAT(kernel.Observe({{11}, false})->routes, SizeIs(1));
  EXPECT_THAT(kernel.Observe({{12}, true})->routes, SizeIs(1));
}

TEST(FakeKernel, RefusesRoutesThatTheKernelRefuses) {
  FakeKernel kernel = OnHost();
  const auto error = [&kernel](const Route& route) {
    kernel.routes.clear();
    return Do(kernel, PutRoute{route, {}}).error.system_errno;
  };
  EXPECT_EQ(error(DefaultRouteVia("192.0.2.1")), ENETUNREACH);
  Route route = DefaultRouteVia("192.0.2.1");
  route.next_hops[0].onlink = true;
  EXPECT_EQ(error(route), 0);
  route.next_hops[0].link = "wan9";
  EXPECT_EQ(error(route), ENODEV);
  route = DefaultRouteVia("198.51.100.1");
  route.preferred_source = Ip("192.0.2.7");
  EXPECT_EQ(error(route), EINVAL);
  Facts down = kernel.host();
  down.links["wan1"].up = false;
  kernel.SetHost(down);
  EXPECT_EQ(error(DefaultRouteVia("198.51.100.1")), ENETDOWN);
}

TEST(FakeKernel, DoesNotOverwriteAForeignRoute) {
  FakeKernel kernel = OnHost();
  Route foreign = DefaultRouteVia("198.51.100.1");
  foreign.protocol = 4;
  kernel.routes.emplace(foreign.key, foreign);
  const Outcome outcome =
      Do(kernel, PutRoute{DefaultRouteVia("198.51.100.9"), {}});
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.system_errno, EEXIST);
  EXPECT_EQ(kernel.routes.at(foreign.key), foreign);
}

TEST(FakeKernel, LetsRoutesDieWithTheirLinkOrSource) {
  Route sourced = DefaultRouteVia("198.51.100.1");
  sourced.preferred_source = Ip("198.51.100.2");
  Route floor;
  floor.key.table = 11;
  floor.key.metric = kFloorMetric;
  floor.type = RouteType::kUnreachable;
  for (const bool link_goes : {true, false}) {
    FakeKernel kernel = OnHost();
    Do(kernel, PutRoute{sourced, {}});
    Do(kernel, PutRoute{floor, {}});
    Facts host = kernel.host();
    if (link_goes) {
      host.links.erase("wan1");
    } else {
      host.links["wan1"].addresses.clear();
    }
    kernel.SetHost(host);
    EXPECT_FALSE(kernel.routes.contains(sourced.key));
    EXPECT_TRUE(kernel.routes.contains(floor.key));
  }
}

TEST(FakeKernel, TakesARuleOnceAndRemovesOne) {
  FakeKernel kernel = OnHost();
  EXPECT_EQ(Do(kernel, AddRule{MarkRule()}).result, StepResult::kDone);
  EXPECT_EQ(Do(kernel, AddRule{MarkRule()}).result, StepResult::kAlreadySo);
  kernel.InsertRule(MarkRule());
  EXPECT_THAT(kernel.Ours().rules, SizeIs(2));
  EXPECT_EQ(Do(kernel, RemoveRule{MarkRule()}).result, StepResult::kDone);
  EXPECT_THAT(kernel.Ours().rules, SizeIs(1));
  EXPECT_EQ(Do(kernel, RemoveRule{MarkRule()}).result, StepResult::kDone);
  EXPECT_EQ(Do(kernel, RemoveRule{MarkRule()}).result, StepResult::kAlreadySo);
}

// ---- tables ----

TEST(FakeKernel, CommitsAllEditsOrNone) {
  FakeKernel kernel = OnHost();
  EXPECT_EQ(Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A"),
                            Edit(Kind::kInsertRule, "UPL-A", 5)})
                .result,
            StepResult::kFailed);
  EXPECT_TRUE(kernel.tables.at(XtTable::kMangle).Ours().Empty());
}

TEST(FakeKernel, RefusesAPlanMadeFromAnotherState) {
  FakeKernel kernel = OnHost();
  Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A")});
  const Outcome outcome =
      Do(kernel, EditXtTable{XtTable::kMangle,
                             XtTableState{},
                             {Edit(Kind::kCreateChain, "UPL-B")}});
  EXPECT_EQ(outcome.result, StepResult::kConflict);
  EXPECT_EQ(outcome.error.code, ErrorCode::kAborted);
}

TEST(FakeKernel, RefusesTablesThatTheKernelRefuses) {
  FakeKernel kernel = OnHost();
  const ChainRule jump_b = Rule(JumpTarget{"UPL-B", false});
  ASSERT_EQ(Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A"),
                            Edit(Kind::kCreateChain, "UPL-B"),
                            Edit(Kind::kInsertRule, "UPL-A", 0, jump_b)})
                .result,
            StepResult::kDone);
  const auto error = [&kernel](std::vector<ChainEdit> edits) {
    return Commit(kernel, std::move(edits)).error.system_errno;
  };
  EXPECT_EQ(error({Edit(Kind::kDeleteChain, "UPL-B")}), EBUSY);
  EXPECT_EQ(error({Edit(Kind::kDeleteChain, "UPL-A")}), ENOTEMPTY);
  EXPECT_EQ(error({Edit(Kind::kCreateChain, "UPL-A")}), EEXIST);
  EXPECT_EQ(error({Edit(Kind::kFlushChain, "UPL-C")}), ENOENT);
  EXPECT_EQ(error({Edit(Kind::kInsertRule, "UPL-A", 0,
                        Rule(JumpTarget{"UPL-C", false}))}),
            ENOENT);
  ChainEdit hook = Edit(Kind::kInsertJump, "", 0, jump_b);
  EXPECT_EQ(error({hook, Edit(Kind::kInsertRule, "UPL-B", 0,
                              Rule(JumpTarget{"UPL-A", false}))}),
            ELOOP);
  EXPECT_EQ(error({Edit(Kind::kCreateChain, std::string(29, 'x'))}), EPERM);
  EXPECT_EQ(error({Edit(Kind::kCreateChain, "UPL-" + std::string(25, 'x'))}),
            EINVAL);
}

TEST(FakeKernel, WantsEstimatorsBeforeTheirMatches) {
  ChainRule match = Rule(ReturnTarget{});
  match.matches = {FreeCapacityMatch{{"u1-abc", 1}, std::nullopt}};
  const ChainRule estimate = Rule(EstimateTarget{"u1-abc", -2, 1});
  const auto load = [&](const char* estimator_chain, const char* match_chain) {
    FakeKernel kernel = OnHost();
    return Commit(kernel,
                  {Edit(Kind::kCreateChain, estimator_chain),
                   Edit(Kind::kCreateChain, match_chain),
                   Edit(Kind::kInsertRule, estimator_chain, 0, estimate),
                   Edit(Kind::kInsertRule, match_chain, 0, match)})
        .error.system_errno;
  };
  EXPECT_EQ(load("UPL-A", "UPL-B"), 0);
  EXPECT_EQ(load("UPL-B", "UPL-A"), ENOENT);
}

TEST(FakeKernel, RefusesOtherParametersUnderAKnownEstimator) {
  FakeKernel kernel = OnHost();
  Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A"),
                  Edit(Kind::kInsertRule, "UPL-A", 0,
                       Rule(EstimateTarget{"u1-abc", -2, 1}))});
  EXPECT_EQ(Commit(kernel, {Edit(Kind::kInsertRule, "UPL-A", 0,
                                 Rule(EstimateTarget{"u1-abc", -1, 1}))})
                .error.system_errno,
            EINVAL);
}

TEST(FakeKernel, KeepsTheCountersOfUntouchedRules) {
  FakeKernel kernel = OnHost();
  FakeXtable& mangle = kernel.tables.at(XtTable::kMangle);
  mangle.hooks[XtHook::kOutput].push_back(mangle.NewRule(ChainRule{}));
  Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A"),
                  Edit(Kind::kInsertRule, "UPL-A", 0, Rule(ReturnTarget{}))});
  const FakeXtable before = mangle;
  Commit(kernel, {Edit(Kind::kInsertRule, "UPL-A", 0, Rule(ContinueTarget{}))});
  EXPECT_EQ(mangle.chains.at("UPL-A").at(1), before.chains.at("UPL-A").at(0));
  EXPECT_EQ(mangle.Foreign(), before.Foreign());
}

// ---- faults and promises ----

TEST(FakeKernel, FailsWithoutOrAfterTheChange) {
  const Error error{ErrorCode::kResourceExhausted, "no buffer", ENOBUFS};
  FakeKernel kernel = OnHost();
  kernel.FailNth(1, error);
  EXPECT_EQ(Do(kernel, AddRule{MarkRule()}).error, error);
  EXPECT_THAT(kernel.Ours().rules, IsEmpty());
  kernel.FailNthAfter(1, error);
  EXPECT_EQ(Do(kernel, AddRule{MarkRule()}).error, error);
  EXPECT_THAT(kernel.Ours().rules, SizeIs(1));
}

TEST(FakeKernel, DiesBeforeTheChange) {
  FakeKernel kernel = OnHost();
  kernel.InterruptNth(1);
  EXPECT_THROW(Do(kernel, AddRule{MarkRule()}), FakeKernel::Killed);
  EXPECT_THAT(kernel.Ours().rules, IsEmpty());
}

TEST(FakeKernel, NoticesAMarkThatLeadsNowhere) {
  FakeKernel kernel = OnHost();
  Commit(kernel, {Edit(Kind::kCreateChain, "UPL-A"),
                  Edit(Kind::kInsertRule, "UPL-A", 0,
                       Rule(SetMarkTarget{Mark{1, 0xff}}))});
  EXPECT_THAT(kernel.broken_promises, SizeIs(1));
  kernel.broken_promises.clear();

  // From here on the mark leads somewhere, until the route goes.
  Do(kernel, AddRule{MarkRule()});
  Do(kernel, PutRoute{DefaultRouteVia("198.51.100.1"), {}});
  EXPECT_THAT(kernel.broken_promises, IsEmpty());
  Do(kernel, RemoveRoute{DefaultRouteVia("198.51.100.1")});
  EXPECT_THAT(kernel.broken_promises, SizeIs(1));
}

}  // namespace
}  // namespace uplinkd
