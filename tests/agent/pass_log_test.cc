#include "agent/pass_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <sstream>

#include "agent/logging.h"

namespace uplinkd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Collects what is logged while it lives.
class Log {
 public:
  Log() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~Log() { spdlog::set_default_logger(before_); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  std::string text() const { return text_.str(); }
  long lines() const {
    const std::string all = text();
    return std::count(all.begin(), all.end(), '\n');
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

Report OneStep(StepResult result) {
  Report report;
  report.result = result == StepResult::kFailed ? PassResult::kFailed
                                                : PassResult::kChanged;
  Step step;
  step.change = AddRule{PolicyRule{}};
  step.reason = "the mark rule of wan1 is missing";
  report.plan.steps = {step};
  report.outcomes = {{result, {}}};
  if (result == StepResult::kFailed) {
    report.outcomes[0].error = {ErrorCode::kInternal, "File exists", 17};
  }
  return report;
}

void Write(PassLog& log, const Report& report, PassLog::Time now) {
  log.Write(report, DeedsOf(report), Trigger::kEvent, 4, now);
}

TEST(PassLog, SaysNothingWhenInSync) {
  const Log out;
  PassLog log;
  Write(log, Report{}, seconds(1));
  EXPECT_EQ(out.text(), "");
}

TEST(PassLog, TellsAPassAndItsSteps) {
  const Log out;
  PassLog log;
  Write(log, OneStep(StepResult::kDone), seconds(1));
  EXPECT_THAT(out.text(), HasSubstr("pass changed: trigger event, generation "
                                    "4, 1 of 1 done"));
  EXPECT_THAT(out.text(), HasSubstr("(the mark rule of wan1 is missing)"));
  EXPECT_EQ(out.lines(), 2);
}

TEST(PassLog, WarnsOfAFailureWithTheKernelsWords) {
  const Log out;
  PassLog log;
  Write(log, OneStep(StepResult::kFailed), seconds(1));
  EXPECT_THAT(out.text(), HasSubstr("warning pass failed"));
  EXPECT_THAT(out.text(), HasSubstr("File exists"));
}

TEST(PassLog, RemindsOfALastingFailureOnceAMinute) {
  const Log out;
  PassLog log;
  for (int second = 1; second <= 59; ++second) {
    Write(log, OneStep(StepResult::kFailed), seconds(second));
  }
  EXPECT_EQ(out.lines(), 2);
  Write(log, OneStep(StepResult::kFailed), seconds(61));
  EXPECT_EQ(out.lines(), 4);
}

TEST(PassLog, CountsWhatAStormWouldHaveWritten) {
  const Log out;
  PassLog log;
  for (int i = 0; i < 1000; ++i) {
    Write(log, OneStep(StepResult::kDone), seconds(100) + milliseconds(i / 2));
  }
  EXPECT_EQ(out.lines(), 2 * PassLog::kBurst);
  Write(log, OneStep(StepResult::kDone), seconds(102));
  EXPECT_THAT(out.text(), HasSubstr("980 passes that changed something"));
}

TEST(Logging, QuotesForJson) {
  EXPECT_EQ(QuoteJson("a \"b\" \\ c\n\x01"), R"("a \"b\" \\ c\n\u0001")");
  EXPECT_EQ(QuoteJson("größer"), "\"größer\"");
}

TEST(Logging, WritesOneJsonObjectPerLine) {
  const auto before = spdlog::default_logger();
  ::testing::internal::CaptureStderr();
  SetUpLogging("info", true);
  spdlog::info("say \"{}\"", "yes");
  spdlog::debug("not this");
  const std::string text = ::testing::internal::GetCapturedStderr();
  spdlog::set_default_logger(before);
  EXPECT_THAT(
      text, ::testing::MatchesRegex(R"(\{"time":"[-0-9T:.]+Z","level":"info",)"
                                    R"("message":"say \\"yes\\""\})"
                                    "\n"));
}

}  // namespace
}  // namespace uplinkd
