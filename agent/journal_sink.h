// JournalSink: log lines to systemd's journal, each with its fields.
//
// spdlog's own systemd_sink sends a message and its priority; it knows of no
// fields. This one sends those of Log() as UPLINKD_NAME, so that
// `journalctl UPLINKD_UPLINK=wan2` finds them. Time and level are the
// journal's own, not a part of the message.
#ifndef UPLINKD_AGENT_JOURNAL_SINK_H_
#define UPLINKD_AGENT_JOURNAL_SINK_H_

#include <spdlog/sinks/base_sink.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace uplinkd {

// Whether standard error is the stream to the journal that systemd says it is:
// JOURNAL_STREAM=device:inode, see systemd.exec(5).
bool StderrIsTheJournal();

// "UPLINKD_UPLINK": upper case letters, digits and '_', at most 64 of them
// (journal-file's limit; it drops fields with other names).
std::string JournalName(std::string_view field);

class JournalSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // What cannot be sent goes to `fallback`, with that one's own form.
  explicit JournalSink(spdlog::sink_ptr fallback)
      : fallback_(std::move(fallback)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override { fallback_->flush(); }

 private:
  spdlog::sink_ptr fallback_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_JOURNAL_SINK_H_
