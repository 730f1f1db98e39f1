#include "agent/pause_ledger.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "agent/files.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::util::JsonPrintOptions;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;
using google::protobuf::util::TimeUtil;
using std::chrono::floor;
using std::chrono::nanoseconds;
using std::chrono::seconds;

}  // namespace

PauseLedger::PauseLedger(const std::string& state_dir)
    : directory_(state_dir), path_(state_dir + "/pause.json") {}

Result<void> PauseLedger::Restore(const Instant& now) {
  const Result<std::string> text = ReadFile(path_);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return {};
    return tl::unexpected(text.error());
  }
  v1::PauseState stored;
  if (const auto read = JsonStringToMessage(*text, &stored); !read.ok()) {
    return Fail(
        ErrorCode::kFailedPrecondition,
        path_ + " cannot be used, so nothing is paused: " + read.ToString());
  }
  const WallTime until{seconds(stored.until().seconds())};
  const nanoseconds most = std::min<nanoseconds>(
      nanoseconds(TimeUtil::DurationToNanoseconds(stored.duration())),
      kLongestPause);
  const nanoseconds left =
      std::min<nanoseconds>(until - now.wall, std::max(most, nanoseconds(0)));
  pause_ = Pause{until, now.monotonic + left, stored.from(), stored.reason()};
  return {};
}

Result<PauseLedger::WallTime> PauseLedger::Begin(
    std::chrono::milliseconds duration, const std::string& from,
    const std::string& reason, const Instant& now) {
  const WallTime until = floor<seconds>(now.wall + duration);
  v1::PauseState stored;
  *stored.mutable_until() =
      TimeUtil::SecondsToTimestamp(until.time_since_epoch() / seconds(1));
  *stored.mutable_duration() =
      TimeUtil::MillisecondsToDuration(duration.count());
  stored.set_from(from);
  stored.set_reason(reason);
  JsonPrintOptions pretty;
  pretty.add_whitespace = true;
  std::string text;
  if (!MessageToJsonString(stored, &text, pretty).ok()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the reason of a pause is text in UTF-8");
  }
  if (Result<void> made = MakeDirectory(directory_); !made) {
    return tl::unexpected(made.error());
  }
  if (Result<void> saved = ReplaceFile(path_, text); !saved) {
    return tl::unexpected(saved.error());
  }
  pause_ = Pause{until, now.monotonic + duration, from, reason};
  return until;
}

Result<void> PauseLedger::End() {
  if (Result<void> removed = RemoveFile(path_); !removed) return removed;
  pause_.reset();
  return {};
}

std::string PauseLedger::Words() const {
  if (!pause_) return "";
  const auto until = TimeUtil::SecondsToTimestamp(
      floor<seconds>(pause_->until).time_since_epoch().count());
  return "paused until " + TimeUtil::ToString(until) + " by " + pause_->from +
         (pause_->reason.empty() ? "" : ": " + pause_->reason);
}

}  // namespace uplinkd
