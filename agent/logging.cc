#include "agent/logging.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "agent/journal_sink.h"

namespace uplinkd {
namespace {

// %* is the message on one line.
constexpr const char* kTextPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %*";
// %* is the message as a JSON string, with the fields behind it.
constexpr const char* kJsonPattern =
    R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%*})";

// A logger calls its sinks, and they their formatters, in the thread that logs.
thread_local const LogFields* this_line = nullptr;

std::string_view MessageOf(const spdlog::details::log_msg& message) {
  return {message.payload.data(), message.payload.size()};
}

std::string AsText(std::string_view message) {
  return OnOneLine(message);
}

std::string AsJson(std::string_view message) {
  std::string json = QuoteJson(message);
  for (const LogField& field : FieldsOfThisLine()) {
    json += ',' + QuoteJson(field.name) + ':';
    json += field.is_number ? field.value : QuoteJson(field.value);
  }
  return json;
}

class FormedMessage final : public spdlog::custom_flag_formatter {
 public:
  using Form = std::string (*)(std::string_view);

  explicit FormedMessage(Form form) : form_(form) {}

  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string formed = form_(MessageOf(message));
    out.append(formed.data(), formed.data() + formed.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<FormedMessage>(form_);
  }

 private:
  Form form_;
};

std::unique_ptr<spdlog::formatter> MakeFormatter(bool json) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(
      spdlog::pattern_time_type::utc);
  formatter->add_flag<FormedMessage>('*', json ? AsJson : AsText);
  formatter->set_pattern(json ? kJsonPattern : kTextPattern);
  return formatter;
}

}  // namespace

void Log(spdlog::level::level_enum level, std::string_view message,
         const LogFields& fields) {
  LogFields present;
  for (const LogField& field : fields) {
    if (!field.value.empty()) present.push_back(field);
  }
  this_line = &present;
  spdlog::log(level, "{}", message);
  this_line = nullptr;
}

const LogFields& FieldsOfThisLine() {
  static const LogFields none;
  return this_line == nullptr ? none : *this_line;
}

void SetUpLogging(const std::string& level, bool json) {
  spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_formatter(MakeFormatter(json));
  if (!json && StderrIsTheJournal()) {
    sink = std::make_shared<JournalSink>(std::move(sink));
  }
  auto logger = std::make_shared<spdlog::logger>("uplinkd", std::move(sink));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

std::string QuoteJson(std::string_view text) {
  using nlohmann::json;
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string OnOneLine(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace uplinkd
