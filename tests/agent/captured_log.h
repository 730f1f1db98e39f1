// What is logged while one of these lives, as text or by its fields.
#ifndef UPLINKD_TESTS_AGENT_CAPTURED_LOG_H_
#define UPLINKD_TESTS_AGENT_CAPTURED_LOG_H_

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "agent/logging.h"

namespace uplinkd::testing {

// "LEVEL MESSAGE", from level info on.
class CapturedLog {
 public:
  CapturedLog() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~CapturedLog() { spdlog::set_default_logger(before_); }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;

  std::string text() const { return text_.str(); }
  long lines() const {
    const std::string all = text();
    return std::count(all.begin(), all.end(), '\n');
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream text_;
};

// As `--log-format json` writes it to standard error, of all levels.
class JsonLog {
 public:
  JsonLog() : before_(spdlog::default_logger()) {
    ::testing::internal::CaptureStderr();
    SetUpLogging("debug", true);
  }
  ~JsonLog() {
    if (!read_) (void)Read();
  }
  JsonLog(const JsonLog&) = delete;
  JsonLog& operator=(const JsonLog&) = delete;

  // Ends the capture.
  std::string Read() {
    read_ = true;
    spdlog::set_default_logger(before_);
    return ::testing::internal::GetCapturedStderr();
  }
  std::vector<nlohmann::json> Lines() {
    std::vector<nlohmann::json> lines;
    std::istringstream text(Read());
    for (std::string line; std::getline(text, line);) {
      lines.push_back(nlohmann::json::parse(line));
    }
    return lines;
  }

 private:
  std::shared_ptr<spdlog::logger> before_;
  bool read_ = false;
};

}  // namespace uplinkd::testing

#endif  // UPLINKD_TESTS_AGENT_CAPTURED_LOG_H_
