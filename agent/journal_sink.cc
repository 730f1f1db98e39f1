// Nobody needs the place in our source: the words say what happened.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "agent/journal_sink.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <vector>

#include "agent/logging.h"

namespace uplinkd {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr const char* kSocket = "/run/systemd/journal/socket";

int PriorityOf(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical: return LOG_CRIT;
    case spdlog::level::err: return LOG_ERR;
    case spdlog::level::warn: return LOG_WARNING;
    case spdlog::level::info: return LOG_INFO;
    default: return LOG_DEBUG;
  }
}

bool Send(std::vector<std::string> entries) {
  // Without its socket sd_journal_sendv() drops the line, and reports success.
  if (access(kSocket, W_OK) != 0) return false;
  std::vector<iovec> parts;
  parts.reserve(entries.size());
  for (std::string& entry : entries) {
    parts.push_back({entry.data(), entry.size()});
  }
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace

bool StderrIsTheJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat file {};
  if (stream == nullptr || fstat(STDERR_FILENO, &file) != 0) return false;
  return stream ==
         std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
}

std::string JournalName(std::string_view field) {
  std::string name = "UPLINKD_";
  for (const char c : field) {
    const auto byte = static_cast<unsigned char>(c);
    const bool fits = byte < 0x80 && std::isalnum(byte) != 0;
    name += fits ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return name.substr(0, kLongestName);
}

void JournalSink::sink_it_(const spdlog::details::log_msg& message) {
  std::vector<std::string> entries = {
      "MESSAGE=" + std::string(message.payload.data(), message.payload.size()),
      "PRIORITY=" + std::to_string(PriorityOf(message.level)),
      "SYSLOG_IDENTIFIER=uplinkd"};
  for (const LogField& field : FieldsOfThisLine()) {
    entries.push_back(JournalName(field.name) + "=" + field.value);
  }
  if (!Send(std::move(entries))) fallback_->log(message);
}

}  // namespace uplinkd
