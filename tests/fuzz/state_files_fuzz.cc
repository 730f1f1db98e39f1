// The files of the agent: any text, as each of them.
#include <google/protobuf/util/json_util.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/confirm.h"
#include "agent/drain_ledger.h"
#include "agent/message_file.h"
#include "agent/pause_ledger.h"
#include "agent/roles.h"
#include "agent/spec_history.h"
#include "agent/spec_store.h"
#include "agent/wire.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/router_laws.h"

namespace uplinkd {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using testing::Require;

// 2026-11-27, an hour after the boot.
constexpr system_clock::time_point kWall{seconds(1'795'737'600)};
Moment Now() {
  return {kWall, std::chrono::hours(1), "boot"};
}
Instant NowByClock() {
  return {std::chrono::hours(1), {.wall = kWall}};
}

void RequireGoodWait(const PendingConfirm& pending) {
  const nanoseconds left = TimeLeft(pending, Now());
  const nanoseconds within = pending.terms.within;
  Require(left >= nanoseconds(0) && left <= std::max(within, nanoseconds(0)),
          "a spec waits no longer than it was given");
  (void)DeadlineOf(pending, Now());
  (void)WaitingWords(pending, 1, Now());
  const PendingConfirm counted = CountedFrom(pending, Now());
  Require(TimeLeft(counted, Now()) <= left + std::chrono::milliseconds(1),
          "counting anew gives no time");
}

void TryStoredSpec(const std::string& text) {
  const auto stored = DecodeStoredSpec(text);
  if (!stored) {
    Require(!stored.error().empty(), "a refusal has a text");
    return;
  }
  Require(stored->generation != 0, "a stored spec has a generation");
  testing::RequireConvertsBack(stored->spec);
  for (const Uplink& uplink : stored->spec.uplinks) {
    Require(uplink.id != 0, "a stored spec has its ids");
  }
  if (stored->pending) RequireGoodWait(*stored->pending);
  const auto written = EncodeStoredSpec(*stored);
  Require(written.has_value(), "a stored spec can be written");
  const auto again = DecodeStoredSpec(*written);
  Require(again && *again == *stored, "a stored spec is read as it was written",
          again ? *written : again.error() + "\n" + *written);
}

// The message in `text`, if it is one. What is read is written as what it is.
template <typename Message>
std::optional<Message> MessageIn(const std::string& text) {
  Message message;
  const Result<void> read = ReadMessageText(text, message);
  if (!read) {
    Require(!read.error().message.empty(), "a refusal has a text");
    return std::nullopt;
  }
  std::string written;
  Require(google::protobuf::util::MessageToJsonString(message, &written).ok(),
          "what was read can be written", message.DebugString());
  Message again;
  Require(google::protobuf::util::JsonStringToMessage(written, &again).ok() &&
              testing::SameMessage(again, message),
          "a message is read as it was written", written);
  return message;
}

void TryHistory(const std::string& text) {
  auto stored = MessageIn<v1::History>(text);
  if (!stored) return;
  SpecHistory history("/nowhere");
  const v1::History copy = *stored;
  history.TakeUp(*std::move(stored));
  for (const v1::HistoryEntry& entry : copy.entries()) {
    const auto recalled = history.Recall(entry.generation(), nullptr);
    if (recalled) {
      testing::RequireConvertsBack(recalled->spec);
    } else {
      Require(!recalled.error().message.empty(), "a refusal has a text");
    }
  }
  (void)history.Find({});
}

void TryDrains(const std::string& text) {
  const auto stored = MessageIn<v1::Drains>(text);
  if (!stored) return;
  DrainLedger ledger("/nowhere");
  ledger.TakeUp(*stored, NowByClock());
  Require(ledger.Words().size() == stored->uplinks().size(),
          "each drain has its words");
  const auto walls = ledger.WallDeadlines();
  for (const auto& [uplink, deadline] : ledger.Deadlines()) {
    Require((deadline <= NowByClock().monotonic) == (walls.at(uplink) <= kWall),
            "both clocks agree on what is over");
  }
}

void TryPause(const std::string& text) {
  const auto stored = MessageIn<v1::PauseState>(text);
  if (!stored) return;
  PauseLedger ledger("/nowhere");
  ledger.TakeUp(*stored, NowByClock());
  Require(ledger.active() == stored->has_until() &&
              ledger.active() != ledger.Words().empty(),
          "a pause has its words");
  Instant later = NowByClock();
  later.monotonic += kLongestPause;
  Require(!ledger.active() || ledger.Over(later), "a pause ends");
}

void TryEvents(const std::string& text) {
  auto stored = MessageIn<v1::EventHistory>(text);
  if (!stored) return;
  for (v1::Event& event : *stored->mutable_events()) {
    ShortenPlan(event, 1);
    Require(event.plan_size() <= 1, "a plan is shortened");
  }
}

void TryRoles(const std::string& text) {
  const auto roles = ReadRolesText(text, "f");
  if (!roles) testing::RequireFaults(roles.error(), text);
}

}  // namespace
}  // namespace uplinkd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  uplinkd::TryStoredSpec(text);
  uplinkd::TryHistory(text);
  uplinkd::TryDrains(text);
  uplinkd::TryPause(text);
  uplinkd::TryEvents(text);
  uplinkd::TryRoles(text);
  return 0;
}
