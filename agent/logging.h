// Logging: where the agent's log lines go, what they look like, and the named
// values that they carry.
//
// One line per event, written by the thread that logs it. In text a line says
// it in words; in JSON and in the journal it has its fields as well, so that a
// program need not take the words apart. Only agent/ logs; the core explains
// itself in its Report.
#ifndef UPLINKD_AGENT_LOGGING_H_
#define UPLINKD_AGENT_LOGGING_H_

#include <spdlog/common.h>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace uplinkd {

// A named value of a log line. The names are documented (docs/operations.md)
// and stable: snake_case, and none of "time", "level" and "message".
struct LogField {
  LogField(std::string_view field, std::string text)
      : name(field), value(std::move(text)) {}
  LogField(std::string_view field, std::string_view text)
      : LogField(field, std::string(text)) {}
  LogField(std::string_view field, const char* text)
      : LogField(field, std::string(text)) {}
  template <std::integral Number>
  LogField(std::string_view field, Number number)
      : name(field), value(std::to_string(number)), is_number(true) {}

  std::string name;
  std::string value;  // any bytes
  bool is_number = false;
};
using LogFields = std::vector<LogField>;

// Writes one line. Fields without a value are left out.
void Log(spdlog::level::level_enum level, std::string_view message,
         const LogFields& fields);

// For sinks: the fields of the line that this thread is writing; none for one
// that came without.
const LogFields& FieldsOfThisLine();

// Sets up spdlog's default logger: standard error or, for text, the journal if
// standard error leads there. `level` is one of the words that ParseOptions()
// lets through. Call it before any thread is started.
void SetUpLogging(const std::string& level, bool json);

// `text` as a JSON string, with its quotes; what is no UTF-8 becomes U+FFFD.
std::string QuoteJson(std::string_view text);

// `text` on one line: control characters as \n or \x1b.
std::string OnOneLine(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LOGGING_H_
