#include "agent/pause_ledger.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "agent/files.h"
#include "agent/message_file.h"
#include "agent/wire.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::floor;
using std::chrono::nanoseconds;
using std::chrono::seconds;

}  // namespace

PauseLedger::PauseLedger(const std::string& state_dir)
    : directory_(state_dir), path_(state_dir + "/pause.json") {}

Result<void> PauseLedger::Restore(const Instant& now) {
  v1::PauseState stored;
  Result<void> read = ReadMessageFile(path_, "so nothing is paused", stored);
  if (read) TakeUp(stored, now);
  return read;
}

void PauseLedger::TakeUp(const v1::PauseState& stored, const Instant& now) {
  if (!stored.has_until()) return;
  const WallTime until = FromProto(stored.until());
  const nanoseconds most =
      std::min<nanoseconds>(FromProto(stored.duration()), kLongestPause);
  const nanoseconds left =
      std::min<nanoseconds>(until - now.wall, std::max(most, nanoseconds(0)));
  pause_ = Pause{until, now.monotonic + left, stored.from(), stored.reason()};
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
  if (Result<void> saved = ReplaceMessageFile(directory_, path_, stored);
      !saved) {
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
