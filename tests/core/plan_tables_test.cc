#include "reconciler/plan_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "reconciler/common_rules.h"
#include "tests/core/generators.h"

namespace uplinkd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Random;
using ::testing::SizeIs;
using Kind = ChainEdit::Kind;

// A rule that is told apart by its interface.
ChainRule Rule(const std::string& interface) {
  ChainRule rule;
  rule.in_interface = interface;
  rule.target = ReturnTarget{};
  return rule;
}

ChainRule Jump(const std::string& chain) {
  ChainRule rule;
  rule.target = JumpTarget{chain, false};
  return rule;
}

Chain Rules(const std::string& letters) {
  Chain chain;
  for (const char letter : letters) chain.push_back(Rule({letter}));
  return chain;
}

std::vector<Kind> Kinds(const std::vector<ChainEdit>& edits) {
  std::vector<Kind> kinds;
  kinds.reserve(edits.size());
  for (const ChainEdit& edit : edits) kinds.push_back(edit.kind);
  return kinds;
}

// The number of edits between two chains; also proves that they are right.
std::size_t EditsBetween(const Chain& have, const Chain& want) {
  const XtTableState before{{{"UPL-A", have}}, {}};
  const XtTableState after{{{"UPL-A", want}}, {}};
  const std::vector<ChainEdit> edits = DiffTables(before, after);
  EXPECT_EQ(ApplyEdits(before, edits), after);
  return edits.size();
}

// ---- chains ----

TEST(DiffTables, FindsTheLeastEdits) {
  EXPECT_EQ(EditsBetween(Rules("abcd"), Rules("abcd")), 0u);
  EXPECT_EQ(EditsBetween(Rules("abcd"), Rules("abd")), 1u);
  EXPECT_EQ(EditsBetween(Rules("abd"), Rules("abcd")), 1u);
  EXPECT_EQ(EditsBetween(Rules("abcd"), Rules("abxd")), 2u);
  EXPECT_EQ(EditsBetween(Rules("abcd"), Rules("dabc")), 2u);
  EXPECT_EQ(EditsBetween(Rules("aabb"), Rules("ab")), 2u);
  EXPECT_EQ(EditsBetween(Rules("abcabba"), Rules("cbabac")), 5u);
}

// The textbook's table, against which the fast algorithm is checked.
std::size_t LongestCommonLength(const Chain& a, const Chain& b) {
  std::vector<std::size_t> row(b.size() + 1, 0);
  for (const ChainRule& rule : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = rule == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

TEST(CommonRules, AreALongestCommonSubsequence) {
  Random random(7);
  const auto chain = [&random] {
    Chain rules;
    for (std::uint64_t n = random.Below(12); n > 0; --n) {
      rules.push_back(Rule(std::string(1, "abcde"[random.Below(5)])));
    }
    return rules;
  };
  for (int i = 0; i < 10000; ++i) {
    const Chain have = chain();
    const Chain want = chain();
    const std::vector<CommonRule> common = CommonRules(have, want);
    ASSERT_EQ(common.size(), LongestCommonLength(have, want)) << i;
    for (std::size_t k = 0; k < common.size(); ++k) {
      ASSERT_EQ(have[common[k].have], want[common[k].want]);
      if (k == 0) continue;
      ASSERT_LT(common[k - 1].have, common[k].have);
      ASSERT_LT(common[k - 1].want, common[k].want);
    }
  }
}

TEST(CommonRules, AreFastInLongChains) {
  Chain have;
  Chain want;
  for (int i = 0; i < 5000; ++i) {
    have.push_back(Rule(std::to_string(i)));
    if (i % 3 != 0) want.push_back(Rule(std::to_string(i)));
    if (i % 7 == 0) want.push_back(Rule("new" + std::to_string(i)));
  }
  // 20 million comparisons of rules, if all pairs were compared.
  EXPECT_THAT(CommonRules(have, want), SizeIs(3333));
}

TEST(DiffTables, CreatesChainsBeforeTheirUseAndDeletesThemAfter) {
  const XtTableState one{{{"UPL-A", {Jump("UPL-B")}}, {"UPL-B", {}}},
                         {{XtHook::kOutput, {{0, Jump("UPL-A")}}}}};
  EXPECT_THAT(Kinds(DiffTables({}, one)),
              ElementsAre(Kind::kCreateChain, Kind::kCreateChain,
                          Kind::kInsertRule, Kind::kInsertJump));
  // UPL-B is empty: nothing to flush.
  EXPECT_THAT(Kinds(DiffTables(one, {})),
              ElementsAre(Kind::kDeleteJump, Kind::kFlushChain,
                          Kind::kDeleteChain, Kind::kDeleteChain));
}

TEST(DiffTables, TellsMissingModifiedAndExtraApart) {
  const auto causes = [](const char* have, const char* want) {
    std::vector<Cause> found;
    for (const ChainEdit& edit : DiffTables({{{"UPL-A", Rules(have)}}, {}},
                                            {{{"UPL-A", Rules(want)}}, {}})) {
      found.push_back(edit.cause);
    }
    return found;
  };
  EXPECT_THAT(causes("ac", "abc"), ElementsAre(Cause::kMissing));
  EXPECT_THAT(causes("abc", "ac"), ElementsAre(Cause::kExtra));
  EXPECT_THAT(causes("axc", "abc"),
              ElementsAre(Cause::kModified, Cause::kModified));
}

TEST(DiffTables, SaysThatARuleStandsTwice) {
  const std::vector<ChainEdit> edits = DiffTables(
      {{{"UPL-A", Rules("abb")}}, {}}, {{{"UPL-A", Rules("ab")}}, {}});
  ASSERT_THAT(edits, SizeIs(1));
  EXPECT_EQ(edits[0].reason,
            "the rule stands twice or in the wrong place in UPL-A");
}

// ---- jumps ----

XtTableState WithJumps(std::vector<HookJump> jumps) {
  XtTableState state{{{"UPL-A", {}}}, {}};
  if (!jumps.empty()) state.jumps[XtHook::kPrerouting] = std::move(jumps);
  return state;
}

std::vector<ChainEdit> JumpEdits(std::vector<HookJump> have) {
  const XtTableState before = WithJumps(std::move(have));
  const XtTableState after = WithJumps({{0, Jump("UPL-A")}});
  std::vector<ChainEdit> edits = DiffTables(before, after);
  EXPECT_EQ(ApplyEdits(before, edits), after);
  return edits;
}

TEST(DiffTables, InsertsAMissingJumpInFirstPlace) {
  const std::vector<ChainEdit> edits = JumpEdits({});
  ASSERT_THAT(Kinds(edits), ElementsAre(Kind::kInsertJump));
  EXPECT_EQ(edits[0].position, 0u);
  EXPECT_EQ(edits[0].reason, "PREROUTING does not jump to UPL-A");
}

TEST(DiffTables, LeavesAJumpInFirstPlaceAlone) {
  EXPECT_THAT(JumpEdits({{0, Jump("UPL-A")}}), IsEmpty());
}

TEST(DiffTables, MovesAJumpFromFurtherDown) {
  const std::vector<ChainEdit> edits = JumpEdits({{3, Jump("UPL-A")}});
  ASSERT_THAT(Kinds(edits), ElementsAre(Kind::kDeleteJump, Kind::kInsertJump));
  EXPECT_EQ(edits[0].position, 3u);
  EXPECT_EQ(edits[1].reason, "the jump to UPL-A must come first in PREROUTING");
}

TEST(DiffTables, DeletesSecondJumpsFromTheBottomUp) {
  const std::vector<ChainEdit> edits =
      JumpEdits({{0, Jump("UPL-A")}, {2, Jump("UPL-A")}, {5, Jump("UPL-A")}});
  ASSERT_THAT(Kinds(edits), ElementsAre(Kind::kDeleteJump, Kind::kDeleteJump));
  EXPECT_EQ(edits[0].position, 5u);
  EXPECT_EQ(edits[1].position, 2u);
}

TEST(DiffTables, ReplacesAJumpThatWasChanged) {
  ChainRule changed = Jump("UPL-A");
  changed.in_interface = "eth0";
  EXPECT_THAT(Kinds(JumpEdits({{0, changed}})),
              ElementsAre(Kind::kDeleteJump, Kind::kInsertJump));
}

// ---- ApplyEdits ----

ChainEdit TableEdit(Kind kind, std::string chain, std::size_t position = 0,
                    const ChainRule& rule = {}) {
  ChainEdit edit;
  edit.kind = kind;
  edit.chain = std::move(chain);
  edit.position = position;
  edit.rule = rule;
  return edit;
}

TEST(ApplyEdits, RefusesWhatDoesNotFit) {
  const XtTableState state{{{"UPL-A", Rules("ab")}},
                           {{XtHook::kPrerouting, {{1, Jump("UPL-A")}}}}};
  for (const ChainEdit& edit : {
           TableEdit(Kind::kCreateChain, "UPL-A"),
           TableEdit(Kind::kFlushChain, "UPL-B"),
           TableEdit(Kind::kDeleteChain, "UPL-A"),  // not empty
           TableEdit(Kind::kDeleteChain, "UPL-B"),
           TableEdit(Kind::kInsertRule, "UPL-A", 3),
           TableEdit(Kind::kInsertRule, "UPL-B", 0),
           TableEdit(Kind::kDeleteRule, "UPL-A", 2),
           TableEdit(Kind::kDeleteRule, "UPL-A", 0, Rule("b")),
           TableEdit(Kind::kDeleteJump, "", 0, Jump("UPL-A")),
           TableEdit(Kind::kDeleteJump, "", 1, Jump("UPL-B")),
       }) {
    const Result<XtTableState> edited = ApplyEdits(state, {edit});
    ASSERT_FALSE(edited.has_value());
    EXPECT_EQ(edited.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ApplyEdits, MovesTheOtherJumpsOfTheHook) {
  const XtTableState state =
      WithJumps({{1, Jump("UPL-A")}, {4, Jump("UPL-A")}});
  EXPECT_EQ(
      ApplyEdits(state, {TableEdit(Kind::kInsertJump, "", 2, Jump("UPL-A"))})
          .value(),
      WithJumps({{1, Jump("UPL-A")}, {2, Jump("UPL-A")}, {5, Jump("UPL-A")}}));
  EXPECT_EQ(
      ApplyEdits(state, {TableEdit(Kind::kDeleteJump, "", 1, Jump("UPL-A"))})
          .value(),
      WithJumps({{3, Jump("UPL-A")}}));
}

// ---- WithStillUsed ----

TEST(WithStillUsed, LeavesUsedRulesInTheirPlaces) {
  const XtTableState have{{{"UPL-A", Rules("xayb")}}, {}};
  const XtTableState want{{{"UPL-A", Rules("abc")}}, {}};
  const XtTableState merged = WithStillUsed(
      have, want,
      [](const ChainRule& rule) { return rule.in_interface == "y"; });
  EXPECT_EQ(merged.chains.at("UPL-A"), Rules("aybc"));
}

// Else the commit would fail for a missing chain, again and again.
TEST(WithStillUsed, DropsAUsedJumpToAChainThatGoes) {
  const XtTableState have{{{"UPL-A", {Jump("UPL-OLD"), Jump("UPL-B")}},
                           {"UPL-B", {}},
                           {"UPL-OLD", {}}},
                          {}};
  ChainRule other = Jump("UPL-B");
  other.in_interface = "new";
  const XtTableState want{{{"UPL-A", {other}}, {"UPL-B", {}}}, {}};
  const XtTableState merged =
      WithStillUsed(have, want, [](const ChainRule&) { return true; });
  EXPECT_EQ(merged.chains.at("UPL-A"), (Chain{Jump("UPL-B"), other}));
}

}  // namespace
}  // namespace uplinkd
