#include "agent/pass_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "tests/agent/captured_log.h"

namespace uplinkd {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::CapturedLog;
using ::testing::HasSubstr;
using testing::JsonLog;

Report OneStep(StepResult result, const std::string& words = "File exists") {
  Report report;
  report.result = result == StepResult::kFailed ? PassResult::kFailed
                                                : PassResult::kChanged;
  Step step;
  step.change = AddRule{PolicyRule{}};
  step.reason = "the mark rule of wan1 is missing";
  report.plan.steps = {step};
  report.outcomes = {{result, {}}};
  if (result == StepResult::kFailed) {
    report.outcomes[0].error = {ErrorCode::kInternal, words, 17};
  }
  return report;
}

void Write(PassLog& log, const Report& report, PassLog::Time now) {
  log.Write(report, DeedsOf(report), Trigger::kEvent, 4, now);
}

TEST(PassLog, SaysNothingWhenInSync) {
  const CapturedLog out;
  PassLog log;
  Write(log, Report{}, seconds(1));
  EXPECT_EQ(out.text(), "");
}

TEST(PassLog, TellsAPassAndItsSteps) {
  const CapturedLog out;
  PassLog log;
  Write(log, OneStep(StepResult::kDone), seconds(1));
  EXPECT_THAT(out.text(), HasSubstr("pass changed: trigger event, generation "
                                    "4, 1 of 1 done"));
  EXPECT_THAT(out.text(), HasSubstr("(the mark rule of wan1 is missing)"));
  EXPECT_EQ(out.lines(), 2);
}

TEST(PassLog, WarnsOfAFailureWithTheKernelsWords) {
  const CapturedLog out;
  PassLog log;
  Write(log, OneStep(StepResult::kFailed), seconds(1));
  EXPECT_THAT(out.text(), HasSubstr("warning pass failed"));
  EXPECT_THAT(out.text(), HasSubstr("File exists"));
}

TEST(PassLog, RemindsOfALastingFailureOnceAMinute) {
  const CapturedLog out;
  PassLog log;
  for (int second = 1; second <= 59; ++second) {
    Write(log, OneStep(StepResult::kFailed), seconds(second));
  }
  EXPECT_EQ(out.lines(), 2);
  Write(log, OneStep(StepResult::kFailed), seconds(61));
  EXPECT_EQ(out.lines(), 4);
}

TEST(PassLog, CountsWhatAStormWouldHaveWritten) {
  const CapturedLog out;
  PassLog log;
  for (int i = 0; i < 1000; ++i) {
    Write(log, OneStep(StepResult::kDone), seconds(100) + milliseconds(i / 2));
  }
  EXPECT_EQ(out.lines(), 2 * LogLimiter::kBurst);
  Write(log, OneStep(StepResult::kDone), seconds(102));
  EXPECT_THAT(out.text(), HasSubstr("980 passes that changed something"));
}

TEST(PassLog, WritesABoundedNumberOfLinesInAStorm) {
  const CapturedLog out;
  PassLog log;
  for (int i = 0; i < 10000; ++i) {
    Write(log, OneStep(StepResult::kDone),
          seconds(100) + i * microseconds(500));
  }
  // Five seconds: the burst, and a pass of two lines for each second, with what
  // was left out before it.
  const long most = 2L * LogLimiter::kBurst + 3 * 5;
  EXPECT_LE(out.lines(), most);
  log.Settle(seconds(107));
  // Nothing is lost without being counted.
  long told = 0;
  long omitted = 0;
  std::istringstream lines(out.text());
  for (std::string line; std::getline(lines, line);) {
    told += line.find("pass changed") != std::string::npos ? 1 : 0;
    const auto at = line.find(" passes that changed something were not");
    if (at != std::string::npos) omitted += std::stol(line.substr(8, at - 8));
  }
  EXPECT_GT(omitted, 0);
  EXPECT_EQ(told + omitted, 10000);
}

TEST(PassLog, AlwaysTellsWhatSomebodyAskedFor) {
  const CapturedLog out;
  PassLog log;
  const Report report = OneStep(StepResult::kDone);
  for (int i = 0; i < 100; ++i) {
    log.Write(report, DeedsOf(report), Trigger::kSpec, 4, seconds(1));
  }
  EXPECT_EQ(out.lines(), 200);
}

TEST(PassLog, TellsANewFailureInAStormAndAgainAfterAMinute) {
  const CapturedLog out;
  PassLog log;
  for (int i = 0; i < 100; ++i) {
    Write(log, OneStep(StepResult::kDone), seconds(1));
  }
  const long before = out.lines();
  // Two that take turns are told once each.
  for (int i = 0; i < 50; ++i) {
    Write(log, OneStep(StepResult::kFailed), seconds(1));
    Write(log, OneStep(StepResult::kFailed, "No buffer space"), seconds(1));
  }
  EXPECT_EQ(out.lines(), before + 4);
  EXPECT_THAT(out.text(), HasSubstr("No buffer space"));
  Write(log, OneStep(StepResult::kFailed), seconds(62));
  EXPECT_THAT(out.text(),
              HasSubstr("(rules +1), as 49 before it: File exists"));
}

TEST(PassLog, BoundsFailuresThatAreNeverTheSame) {
  const CapturedLog out;
  PassLog log;
  for (int i = 0; i < 10000; ++i) {
    Write(log, OneStep(StepResult::kFailed, "fault " + std::to_string(i)),
          seconds(1));
  }
  EXPECT_LE(out.lines(), 2 * static_cast<long>(PassLog::kMostFailures) +
                             2L * LogLimiter::kBurst);
  log.Settle(seconds(9));
  EXPECT_THAT(out.text(), HasSubstr("9960 passes"));
}

TEST(PassLog, TellsThatAFailureIsOver) {
  const CapturedLog out;
  PassLog log;
  for (int i = 0; i < 3; ++i) {
    Write(log, OneStep(StepResult::kFailed), seconds(1));
  }
  Write(log, Report{}, seconds(2));
  EXPECT_THAT(out.text(), HasSubstr("in sync again: trigger event, generation "
                                    "4, after 3 passes that failed"));
  const long lines = out.lines();
  Write(log, Report{}, seconds(3));
  EXPECT_EQ(out.lines(), lines);
}

TEST(PassLog, GivesProgramsItsFields) {
  JsonLog out;
  PassLog log;
  Report report = OneStep(StepResult::kFailed);
  report.plan.steps[0].uplinks = {"wan1"};
  Write(log, report, seconds(1));
  const std::vector<nlohmann::json> lines = out.Lines();
  ASSERT_EQ(lines.size(), 2u);
  const nlohmann::json& pass = lines[0];
  EXPECT_EQ(pass["event"], "pass");
  EXPECT_EQ(pass["trigger"], "event");
  EXPECT_EQ(pass["generation"], 4);
  EXPECT_EQ(pass["plan"], "rules +1");
  EXPECT_EQ(pass["steps"], 1);
  EXPECT_EQ(pass["done"], 0);
  EXPECT_EQ(pass["result"], "failed");
  EXPECT_EQ(pass["error"], "File exists");
  const nlohmann::json& step = lines[1];
  EXPECT_EQ(step["event"], "step");
  EXPECT_EQ(step["generation"], 4);
  EXPECT_EQ(step["uplink"], "wan1");
  EXPECT_EQ(step["object"], "rule");
  EXPECT_EQ(step["operation"], "create");
  EXPECT_EQ(step["reason"], "the mark rule of wan1 is missing");
  EXPECT_EQ(step["result"], "failed");
  EXPECT_EQ(step["error"], "File exists");
  EXPECT_TRUE(step["command"].get<std::string>().starts_with("ip rule add"));
}

TEST(PassLog, SummarisesAPlanByObjectAndSign) {
  const auto deed = [](const char* object, char sign) {
    Deed one;
    one.line.object = object;
    one.line.sign = sign;
    return one;
  };
  EXPECT_EQ(SummaryOf({}), "");
  EXPECT_EQ(SummaryOf({deed("rule", '+'), deed("chain-rule", '+'),
                       deed("chain-rule", '-'), deed("chain-rule", '+'),
                       deed("route", '~')}),
            "chain-rules +2 -1, routes ~1, rules +1");
}

}  // namespace
}  // namespace uplinkd
