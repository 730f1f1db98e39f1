// Edits of real tables: what is ours changes, what is not stays, and every
// refusal says why.
#include "reconciler/linux/xtables.h"

#include <gmock/gmock.h>

#include <chrono>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "reconciler/linux/xtables_lock.h"
#include "tests/linux/netns.h"
#include "tests/linux/xt_rules.h"

namespace uplinkd {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr XtTable kMangle = XtTable::kMangle;
constexpr XtTable kNat = XtTable::kNat;

// The saved tables with counters, without dates.
std::string SaveAll() {
  std::istringstream saved(uplinkd::Run("iptables-legacy-save -c"));
  std::string text;
  for (std::string line; std::getline(saved, line);) {
    if (!line.starts_with("#")) text += line + "\n";
  }
  return text;
}

// What of it is not ours.
std::string SaveForeign() {
  std::istringstream saved(SaveAll());
  std::string text;
  for (std::string line; std::getline(saved, line);) {
    if (line.find("UPL-") == std::string::npos) text += line + "\n";
  }
  return text;
}

class XtablesTest : public NetnsTest {
 protected:
  static void Iptables(const std::string& words) {
    uplinkd::Run("iptables-legacy " + words);
  }

  XtTableState Observed(XtTable table) {
    const auto tables = xtables_.Observe();
    EXPECT_TRUE(tables) << tables.error().message;
    return tables ? *tables->at(table) : XtTableState{};
  }

  Outcome Apply(XtTable table, std::vector<ChainEdit> edits) {
    return xtables_.Execute({table, Observed(table), std::move(edits)});
  }

  void Write(XtTable table, const XtTableState& wanted) {
    const Outcome outcome =
        xtables_.Execute(Rebuild(table, Observed(table), wanted));
    ASSERT_EQ(outcome.result, StepResult::kDone) << outcome.error.message;
    EXPECT_EQ(Observed(table), wanted);
  }

  // UPL-A, hooked first into OUTPUT, with three different rules.
  static XtTableState ThreeRules() {
    XtTableState state;
    Chain& chain = state.chains["UPL-A"];
    for (const std::uint32_t value : {1, 2, 3}) {
      ChainRule rule;
      rule.target = SetMarkTarget{{value, 0xff}};
      chain.push_back(rule);
    }
    state.jumps[XtHook::kOutput] = {{0, JumpTo("UPL-A")}};
    return state;
  }

  Xtables xtables_{5s};
};

TEST_F(XtablesTest, CreatesNoTableByReading) {
  EXPECT_TRUE(Observed(kMangle).Empty());
  EXPECT_TRUE(Observed(kNat).Empty());
  EXPECT_EQ(uplinkd::Run("cat /proc/net/ip_tables_names"), "");
  XtTableState state;
  state.chains["UPL-A"];
  Write(kNat, state);
  EXPECT_EQ(uplinkd::Run("cat /proc/net/ip_tables_names"), "nat\n");
}

TEST_F(XtablesTest, ReadsTheNamespaceOfItsThread) {
  Write(kMangle, ThreeRules());
  bool empty = false;
  std::thread([&empty] {
    const Netns other;
    const InNetns inside(other);
    Xtables xtables(1s);
    const auto tables = xtables.Observe();
    empty = tables && tables->at(kMangle)->Empty();
  }).join();
  EXPECT_TRUE(empty);
}

TEST_F(XtablesTest,
       ALookTellsAnotherVersionWheneverAnythingButCountersChanged) {
  const auto version = [this] {
    const Result<ChainLook> look = xtables_.Look();
    EXPECT_TRUE(look);
    return look ? look->version : 0;
  };
  EXPECT_EQ(version(), 0U);  // and no table was made by looking
  EXPECT_EQ(uplinkd::Run("cat /proc/net/ip_tables_names"), "");
  Write(kMangle, ThreeRules());
  std::uint64_t last = xtables_.last_look().version;  // of the Observe() in it
  EXPECT_EQ(version(), last);
  SendOnLoopback(5);
  EXPECT_EQ(version(), last);
  for (const char* change : {"iptables-legacy -t mangle -D UPL-A 2",
                             "iptables-legacy -t mangle -A FORWARD -j ACCEPT",
                             "iptables-legacy -t mangle -P FORWARD DROP",
                             "iptables-legacy -t nat -N FOREIGN"}) {
    uplinkd::Run(change);
    EXPECT_GT(version(), last) << change;
    last = xtables_.last_look().version;
  }
}

TEST_F(XtablesTest, EditsByTheLeast) {
  Write(kMangle, ThreeRules());
  XtTableState wanted = ThreeRules();
  Chain& chain = wanted.chains["UPL-A"];
  chain.erase(chain.begin() + 1);
  chain.push_back(JumpTo("UPL-B"));
  chain.insert(chain.begin(), ChainRule{});
  wanted.chains["UPL-B"];
  const Outcome outcome =
      Apply(kMangle, {CreateChain("UPL-B"), DeleteRule("UPL-A", 1),
                      InsertRule("UPL-A", 2, JumpTo("UPL-B")),
                      InsertRule("UPL-A", 0, ChainRule{})});
  EXPECT_EQ(outcome.result, StepResult::kDone) << outcome.error.message;
  EXPECT_EQ(Observed(kMangle), wanted);
}

TEST_F(XtablesTest, KeepsTheCountersOfUntouchedRules) {
  Write(kMangle, ThreeRules());
  SendOnLoopback(20);
  const auto counted = [](const std::string& value) {
    const std::string line =
        uplinkd::Run("iptables-legacy-save -c -t mangle | grep 'set-xmark 0x" +
                     value + "/'");
    return line.substr(0, line.find(']'));
  };
  const std::string first = counted("1");
  const std::string third = counted("3");
  EXPECT_THAT(first, ::testing::StartsWith("["));
  EXPECT_NE(first, "[0:0");
  ASSERT_EQ(Apply(kMangle, {DeleteRule("UPL-A", 1), CreateChain("UPL-B"),
                            InsertRule("UPL-A", 0, JumpTo("UPL-B"))})
                .result,
            StepResult::kDone);
  EXPECT_EQ(counted("1"), first);
  EXPECT_EQ(counted("3"), third);
}

TEST_F(XtablesTest, LeavesForeignStateAsItIs) {
  for (const std::string table : {"mangle", "nat"}) {
    const std::string t = "-t " + table + " ";
    Iptables(t + "-N theirs");
    Iptables(t + "-A theirs -m statistic --mode nth --every 3 --packet 1");
    Iptables(t + "-A theirs -m limit --limit 3/min -m comment --comment hi");
    Iptables(t + "-A OUTPUT -j theirs");
    Iptables(t + "-A OUTPUT -p udp -m mark --mark 7 -j RETURN");
    Iptables(t + "-A POSTROUTING -o lo+ -j ACCEPT");
    Iptables(t + "-N zz-theirs");
    Iptables(t + "-A zz-theirs -s 10.0.0.1/255.0.0.255 -p tcp --dport 80");
    Iptables(t + "-A PREROUTING -j zz-theirs");
  }
  Iptables("-t mangle -P FORWARD DROP");
  SendOnLoopback(10);
  std::this_thread::sleep_for(20ms);
  const std::string before = SaveForeign();
  EXPECT_THAT(before, HasSubstr(":FORWARD DROP"));
  EXPECT_THAT(before, Not(HasSubstr(":INPUT ACCEPT [0:0]\n:FORWARD DROP")));

  std::mt19937 random(3);
  for (int round = 0; round < 10; ++round) {
    for (const XtTable table : {kMangle, kNat}) {
      Write(table, RandomState(table, 60, random));
      ASSERT_EQ(SaveForeign(), before);
    }
  }
  for (const XtTable table : {kMangle, kNat}) Write(table, {});
  EXPECT_EQ(SaveAll(), before);
}

TEST_F(XtablesTest, WritesOnlyOverWhatItHasSeen) {
  Write(kMangle, ThreeRules());
  const XtTableState seen = Observed(kMangle);
  const auto conflict = [&] {
    const std::string before = SaveAll();
    const Outcome outcome =
        xtables_.Execute({kMangle, seen, {DeleteRule("UPL-A", 0)}});
    EXPECT_EQ(outcome.result, StepResult::kConflict);
    EXPECT_EQ(outcome.error.code, ErrorCode::kAborted);
    EXPECT_EQ(SaveAll(), before);
    return outcome.error.message;
  };
  Iptables("-t mangle -R UPL-A 2 -j MARK --set-xmark 9/0xff");
  EXPECT_THAT(conflict(), HasSubstr("the chain UPL-A differs"));
  Iptables("-t mangle -R UPL-A 2 -j MARK --set-xmark 2/0xff");
  Iptables("-t mangle -N UPL-B");
  EXPECT_THAT(conflict(), HasSubstr("the chain UPL-B is new"));
  Iptables("-t mangle -X UPL-B");
  Iptables("-t mangle -I OUTPUT -p tcp");
  EXPECT_THAT(conflict(), HasSubstr("our jump in OUTPUT differs"));
  Iptables("-t mangle -F OUTPUT");
  EXPECT_THAT(conflict(), HasSubstr("our jump in OUTPUT is gone"));
  Iptables("-t mangle -F; iptables-legacy -t mangle -X");
  EXPECT_THAT(conflict(), HasSubstr("the chain UPL-A is gone"));
}

TEST_F(XtablesTest, DoesNotMindForeignChanges) {
  Write(kMangle, ThreeRules());
  const XtTableState seen = Observed(kMangle);
  Iptables("-t mangle -A OUTPUT -p tcp");
  Iptables("-t mangle -N theirs");
  EXPECT_EQ(xtables_.Execute({kMangle, seen, {DeleteRule("UPL-A", 0)}}).result,
            StepResult::kDone);
}

TEST_F(XtablesTest, RefusesToEditWhatIsNotOurs) {
  Iptables("-t mangle -N theirs");
  Iptables("-t mangle -A theirs -p tcp");
  Iptables("-t mangle -A OUTPUT -j theirs");
  const std::string before = SaveAll();
  ChainEdit jump = InsertRule("", 0, JumpTo("theirs"));
  jump.kind = ChainEdit::Kind::kInsertJump;
  jump.hook = XtHook::kOutput;
  ChainEdit no_jump = jump;
  no_jump.kind = ChainEdit::Kind::kDeleteJump;
  ChainEdit flush = DeleteChain("theirs");
  flush.kind = ChainEdit::Kind::kFlushChain;
  for (const ChainEdit& edit :
       {jump, no_jump, flush, DeleteChain("theirs"), CreateChain("mine"),
        DeleteRule("theirs", 0), InsertRule("theirs", 0, {})}) {
    const Outcome outcome = Apply(kMangle, {edit});
    EXPECT_EQ(outcome.result, StepResult::kFailed);
    EXPECT_THAT(outcome.error.message, HasSubstr("not ours"));
  }
  EXPECT_EQ(SaveAll(), before);
}

TEST_F(XtablesTest, KeepsAChainThatForeignRulesJumpTo) {
  Write(kMangle, ThreeRules());
  Iptables("-t mangle -A INPUT -j UPL-A");
  const std::string before = SaveAll();
  const Outcome outcome =
      xtables_.Execute(Rebuild(kMangle, Observed(kMangle), {}));
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(
      outcome.error.message,
      AllOf(HasSubstr("UPL-A"), HasSubstr("other rules still jump to it"),
            HasSubstr("(EMLINK)")));
  EXPECT_EQ(SaveAll(), before);
}

TEST_F(XtablesTest, SaysWhichEditHasNoPlace) {
  Write(kMangle, ThreeRules());
  const std::string before = SaveAll();
  for (const ChainEdit& edit :
       {CreateChain("UPL-A"), DeleteChain("UPL-B"), DeleteRule("UPL-A", 3),
        InsertRule("UPL-A", 4, {}), InsertRule("UPL-B", 0, {})}) {
    const Outcome outcome = Apply(kMangle, {edit});
    EXPECT_EQ(outcome.result, StepResult::kFailed);
    EXPECT_THAT(outcome.error.message, HasSubstr(edit.chain));
  }
  EXPECT_EQ(SaveAll(), before);
}

TEST_F(XtablesTest, GivesUpOnALockThatSomebodyKeeps) {
  Write(kMangle, ThreeRules());
  const std::string before = SaveAll();
  XtablesLock other;
  const auto held = other.Acquire(0ms);
  ASSERT_TRUE(held);
  Xtables hasty(50ms);
  const Outcome outcome = hasty.Execute(Rebuild(kMangle, ThreeRules(), {}));
  EXPECT_EQ(outcome.result, StepResult::kFailed);
  EXPECT_EQ(outcome.error.code, ErrorCode::kDeadlineExceeded);
  EXPECT_GE(hasty.lock().waits().sum, 0.05);
  EXPECT_EQ(hasty.lock().timeouts(), 1U);
  // Reading takes no lock.
  EXPECT_EQ(Observed(kMangle), ThreeRules());
  EXPECT_EQ(SaveAll(), before);
}

// ---- estimators ----

XtTableState Estimating(const EstimateTarget& target,
                        const std::string& reader_chain) {
  XtTableState state;
  ChainRule estimate;
  estimate.target = target;
  state.chains["UPL-ESTIMATE"] = {estimate};
  ChainRule read;
  read.matches = {FreeCapacityMatch{{target.estimator, 125000}, std::nullopt}};
  state.chains[reader_chain] = {read};
  return state;
}

TEST_F(XtablesTest, TellsThatAnEstimatorHasOtherParameters) {
  Write(kMangle, Estimating({"u1", -2, 1}, "UPL-FATE"));
  const std::string before = SaveAll();
  const auto change = [this](const EstimateTarget& target) {
    return xtables_.Execute(
        Rebuild(kMangle, Observed(kMangle), Estimating(target, "UPL-FATE")));
  };
  const Outcome refused = change({"u1", -1, 1});
  EXPECT_EQ(refused.result, StepResult::kFailed);
  EXPECT_THAT(refused.error.message,
              AllOf(HasSubstr("cannot commit the mangle table"),
                    HasSubstr("Invalid argument (EINVAL)")));
  EXPECT_EQ(SaveAll(), before);
  EXPECT_EQ(change({"u1b", -1, 1}).result, StepResult::kDone);
}

TEST_F(XtablesTest, TellsThatAMatchPrecedesItsEstimator) {
  const Outcome refused = xtables_.Execute(
      Rebuild(kMangle, {}, Estimating({"u1", -2, 1}, "UPL-DOES-PRECEDE")));
  EXPECT_EQ(refused.result, StepResult::kFailed);
  EXPECT_EQ(refused.error.code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error.message,
              HasSubstr("No chain/target/match by that name (ENOENT)"));
  EXPECT_TRUE(Observed(kMangle).Empty());
}

}  // namespace
}  // namespace uplinkd
