// Logging: where the agent's log lines go and what they look like.
//
// One line per event on standard error, written by the thread that logs it: a
// service manager collects them. Only agent/ logs; the core explains itself in
// its Report.
#ifndef UPLINKD_AGENT_LOGGING_H_
#define UPLINKD_AGENT_LOGGING_H_

#include <string>
#include <string_view>

namespace uplinkd {

// Sets up spdlog's default logger. `level` is one of the words that
// ParseOptions() lets through. Call it before any thread is started.
void SetUpLogging(const std::string& level, bool json);

// `text` as a JSON string, with its quotes.
std::string QuoteJson(std::string_view text);

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_LOGGING_H_
