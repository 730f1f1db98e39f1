#include "agent/conditions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace uplinkd {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr Conditions::Time kStart = Conditions::Time{} + seconds(1000);

UplinkState UplinkIn(const std::string& name, UplinkPhase phase,
                     const std::string& reason = "") {
  UplinkState uplink;
  uplink.name = name;
  uplink.phase = phase;
  uplink.reason = reason;
  return uplink;
}

// Generation 2 is in sync, with both uplinks ready.
struct Case {
  Case() {
    report.uplinks = {UplinkIn("wan1", UplinkPhase::kReady),
                      UplinkIn("wan2", UplinkPhase::kReady)};
    situation.generation = 2;
    situation.observed_generation = 2;
    situation.report = &report;
  }
  Verdict Judge(const std::string& type) const {
    Conditions conditions;
    conditions.Update(situation, kStart);
    return conditions.all().at(type).verdict;
  }
  Report report;
  Situation situation;
};

void ExpectVerdict(const Verdict& verdict, Truth status,
                   const std::string& reason) {
  EXPECT_EQ(TruthName(verdict.status), TruthName(status)) << verdict.message;
  EXPECT_EQ(verdict.reason, reason);
}

TEST(Conditions, AllIsWell) {
  const Case it;
  ExpectVerdict(it.Judge("Accepted"), Truth::kTrue, "Valid");
  ExpectVerdict(it.Judge("Programmed"), Truth::kTrue, "InSync");
  ExpectVerdict(it.Judge("Ready"), Truth::kTrue, "UplinksWork");
  ExpectVerdict(it.Judge("DriftDetected"), Truth::kFalse, "InSync");
  ExpectVerdict(it.Judge("Degraded"), Truth::kFalse, "AsSpecified");
  ExpectVerdict(it.Judge("ConfirmPending"), Truth::kFalse, "None");
}

TEST(Conditions, ASpecThatWaitsToBeConfirmedIsToldAndSoIsItsEnd) {
  Case it;
  it.situation.confirm = "generation 2 until noon";
  ExpectVerdict(it.Judge("ConfirmPending"), Truth::kTrue, "Waiting");
  EXPECT_EQ(it.Judge("ConfirmPending").message, "generation 2 until noon");
  ExpectVerdict(it.Judge("Programmed"), Truth::kTrue, "InSync");
  it.situation.confirm = "";
  it.situation.rolled_back = "generation 2 was cancelled";
  ExpectVerdict(it.Judge("ConfirmPending"), Truth::kFalse, "RolledBack");
}

TEST(Conditions, WhatIsNotOnDiskIsToldWithWhatTheDiskLacks) {
  Case it;
  ExpectVerdict(it.Judge("Saved"), Truth::kTrue, "OnDisk");
  for (const auto& [error, reason] :
       {std::pair(ENOSPC, "DiskFull"), std::pair(EROFS, "DiskReadOnly"),
        std::pair(EIO, "WriteFailed")}) {
    it.situation.unsaved = Error{ErrorCode::kInternal, "the spec: no", error};
    ExpectVerdict(it.Judge("Saved"), Truth::kFalse, reason);
    EXPECT_EQ(it.Judge("Saved").message, "the spec: no");
  }
  ExpectVerdict(it.Judge("Degraded"), Truth::kFalse, "AsSpecified");
}

TEST(Conditions, WithoutASpecEverythingSaysSo) {
  Case it;
  it.situation = Situation{};
  it.situation.no_spec = "the file is torn";
  for (const char* type :
       {"Accepted", "Programmed", "Ready", "DriftDetected", "Degraded"}) {
    EXPECT_EQ(it.Judge(type).reason, "NoSpec") << type;
    EXPECT_NE(it.Judge(type).status, Truth::kTrue) << type;
  }
  EXPECT_EQ(it.Judge("Accepted").message, "the file is torn");
}

TEST(Conditions, ARefusedFileIsToldWhileTheLastGoodSpecWorks) {
  Case it;
  it.situation.refused_spec = "router.yaml:3:1: spec.lans: missing";
  ExpectVerdict(it.Judge("Accepted"), Truth::kFalse, "InvalidSpec");
  ExpectVerdict(it.Judge("Programmed"), Truth::kTrue, "InSync");
  it.situation.refused_reason = "Held";
  ExpectVerdict(it.Judge("Accepted"), Truth::kFalse, "Held");
}

TEST(Conditions, BeforeTheFirstPassNothingIsKnown) {
  Case it;
  it.situation.report = nullptr;
  it.situation.observed_generation = 0;
  ExpectVerdict(it.Judge("Programmed"), Truth::kUnknown, "Pending");
  EXPECT_EQ(it.Judge("Ready").status, Truth::kUnknown);
}

TEST(Conditions, ChangesAreOnlyBelievedWhenSeen) {
  Case it;
  it.report.result = PassResult::kChanged;
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "Reconciling");
}

TEST(Conditions, EachErrorHasAReason) {
  const std::map<ErrorCode, std::string> reasons = {
      {ErrorCode::kInvalidArgument, "KernelRejected"},
      {ErrorCode::kAlreadyExists, "KernelRejected"},
      {ErrorCode::kNotFound, "DependencyMissing"},
      {ErrorCode::kPermissionDenied, "PermissionDenied"},
      {ErrorCode::kFailedPrecondition, "BackendUnavailable"},
      {ErrorCode::kDeadlineExceeded, "LockTimeout"},
      {ErrorCode::kAborted, "ApplyFailed"},
      {ErrorCode::kInternal, "ApplyFailed"},
  };
  for (const auto& [code, reason] : reasons) {
    Case it;
    it.report.result = PassResult::kFailed;
    it.report.failed_phase = PassPhase::kObserve;
    it.report.error = Error{code, "the kernel's words", 0};
    ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, reason);
    ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, reason);
    EXPECT_EQ(it.Judge("Programmed").message, "the kernel's words");
    // What was set up before stays and carries traffic.
    EXPECT_EQ(it.Judge("Ready").status, Truth::kTrue);
  }
}

// Adds a step that failed.
void AddFailed(Report& report, Change change, ErrorCode code) {
  Step step;
  step.change = std::move(change);
  report.plan.steps.push_back(step);
  report.outcomes.push_back({StepResult::kFailed, Error{code, "words", 0}});
  report.result = PassResult::kFailed;
}

TEST(Conditions, AFailedStepIsTroubleToo) {
  Case it;
  AddFailed(it.report, EditXtTable{}, ErrorCode::kDeadlineExceeded);
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "LockTimeout");
}

TEST(Conditions, TheSameErrorMeansAnotherThingOfATableAndOfARoute) {
  Case route;
  AddFailed(route.report, PutRoute{}, ErrorCode::kFailedPrecondition);
  ExpectVerdict(route.Judge("Programmed"), Truth::kFalse, "KernelRejected");
  Case table;
  AddFailed(table.report, EditXtTable{}, ErrorCode::kFailedPrecondition);
  ExpectVerdict(table.Judge("Programmed"), Truth::kFalse, "BackendUnavailable");
}

TEST(Conditions, WhatConcernsEveryUplinkIsNamedFirst) {
  Case it;
  it.situation.blocked = {{"wan2", {"ForeignConflict", "in the way"}}};
  AddFailed(it.report, PutRoute{}, ErrorCode::kInvalidArgument);
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "ForeignConflict");
  AddFailed(it.report, EditXtTable{}, ErrorCode::kPermissionDenied);
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "PermissionDenied");
}

TEST(Conditions, AHostThatCannotBeOpenedIsTrouble) {
  Case it;
  it.situation.report = nullptr;
  it.situation.host_error =
      Error{ErrorCode::kPermissionDenied, "Operation not permitted", 1};
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "PermissionDenied");
}

TEST(Conditions, ABlockedUplinkKeepsItsOwnReason) {
  Case it;
  it.situation.blocked = {{"wan2", {"KernelRejected", "Invalid argument"}}};
  it.report.uplinks[1] =
      UplinkIn("wan2", UplinkPhase::kBlocked, "Invalid argument");
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "KernelRejected");
  ExpectVerdict(it.Judge("Ready"), Truth::kTrue, "UplinksWork");
  EXPECT_EQ(it.Judge("Degraded").message, "wan2: Invalid argument");
  it.situation.blocked["wan2"].reason = "ForeignConflict";
  ExpectVerdict(it.Judge("Programmed"), Truth::kFalse, "ForeignConflict");
}

TEST(Conditions, AWaitingUplinkDegradesButIsInSync) {
  Case it;
  it.report.uplinks[1] =
      UplinkIn("wan2", UplinkPhase::kWaiting, "interface wan2 does not exist");
  ExpectVerdict(it.Judge("Programmed"), Truth::kTrue, "InSync");
  ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, "DependencyMissing");
  EXPECT_THAT(it.Judge("Degraded").message,
              HasSubstr("wan2: interface wan2 does not exist"));
}

TEST(Conditions, AFamilyThatIsLostDegrades) {
  Case it;
  it.report.uplinks[0].phases = {{Family::kIpv4, UplinkPhase::kReady},
                                 {Family::kIpv6, UplinkPhase::kReady}};
  ExpectVerdict(it.Judge("Degraded"), Truth::kFalse, "AsSpecified");
  it.report.uplinks[0].phases[Family::kIpv6] = UplinkPhase::kWaiting;
  ExpectVerdict(it.Judge("Ready"), Truth::kTrue, "UplinksWork");
  ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, "DependencyMissing");
  EXPECT_EQ(it.Judge("Degraded").message, "wan1 carries no IPv6");
}

TEST(Conditions, AnUplinkThatProbesFindDownDegradesButIsInSync) {
  Case it;
  it.report.uplinks[1] =
      UplinkIn("wan2", UplinkPhase::kDown, "0 of 1 probes answered");
  ExpectVerdict(it.Judge("Programmed"), Truth::kTrue, "InSync");
  ExpectVerdict(it.Judge("Ready"), Truth::kTrue, "UplinksWork");
  ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, "UplinkDown");
  EXPECT_EQ(it.Judge("Degraded").message, "wan2: 0 of 1 probes answered");
  it.report.uplinks[0] = UplinkIn("wan1", UplinkPhase::kDown, "the same");
  ExpectVerdict(it.Judge("Ready"), Truth::kFalse, "UplinkDown");
  // What the host lacks is what an operator can mend.
  it.report.uplinks[0] = UplinkIn("wan1", UplinkPhase::kWaiting, "no carrier");
  ExpectVerdict(it.Judge("Ready"), Truth::kFalse, "DependencyMissing");
}

TEST(Conditions, ADegradedUplinkIsNamed) {
  Case it;
  it.report.uplinks[1].health = {HealthState::kDegraded, "loses 30%"};
  ExpectVerdict(it.Judge("Ready"), Truth::kTrue, "UplinksWork");
  ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, "UplinkDegraded");
  EXPECT_EQ(it.Judge("Degraded").message, "wan2: loses 30%");
}

TEST(Conditions, NotReadyWhenNoUplinkWorks) {
  Case it;
  for (UplinkState& uplink : it.report.uplinks) {
    uplink.phase = UplinkPhase::kWaiting;
    uplink.reason = "down";
  }
  ExpectVerdict(it.Judge("Ready"), Truth::kFalse, "DependencyMissing");
  EXPECT_THAT(it.Judge("Ready").message, HasSubstr("wan1: down; wan2: down"));
}

TEST(Conditions, NotReadyBeforeTheKernelWasSeenToHoldASpec) {
  Case it;
  it.situation.observed_generation = 0;
  it.report.result = PassResult::kChanged;
  ExpectVerdict(it.Judge("Ready"), Truth::kFalse, "Reconciling");
}

TEST(Conditions, DriftAndFightsAreNamed) {
  Case it;
  it.situation.drift = "1 objects differed";
  ExpectVerdict(it.Judge("DriftDetected"), Truth::kTrue, "Repaired");
  it.situation.fights = {"rule 20101 for table 11"};
  ExpectVerdict(it.Judge("DriftDetected"), Truth::kTrue, "ForeignConflict");
  ExpectVerdict(it.Judge("Degraded"), Truth::kTrue, "ForeignConflict");
  EXPECT_THAT(it.Judge("Degraded").message, HasSubstr("rule 20101"));
}

TEST(Conditions, TheTransitionTimeMovesOnlyWithTheStatus) {
  Case it;
  Conditions conditions;
  conditions.Update(it.situation, kStart);
  it.report.result = PassResult::kChanged;
  conditions.Update(it.situation, kStart + seconds(5));
  EXPECT_EQ(conditions.all().at("Programmed").last_transition,
            kStart + seconds(5));
  EXPECT_EQ(conditions.all().at("Accepted").last_transition, kStart);
  // Another reason for the same status moves nothing.
  it.report.error = Error{ErrorCode::kInternal, "no", 0};
  conditions.Update(it.situation, kStart + seconds(9));
  EXPECT_EQ(conditions.all().at("Programmed").last_transition,
            kStart + seconds(5));
  EXPECT_EQ(conditions.all().at("Programmed").verdict.reason, "ApplyFailed");
  EXPECT_EQ(conditions.all().at("Programmed").verdict.status, Truth::kFalse);
  EXPECT_EQ(conditions.all().at("Accepted").verdict.status, Truth::kTrue);
}

}  // namespace
}  // namespace uplinkd
