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
  // After a reboot the kernel has nothing of ours that could be left alone.
  if (!stored.boot().empty() && !now.moment.boot.empty() &&
      stored.boot() != now.moment.boot) {
    return;
  }
  const nanoseconds most = std::clamp<nanoseconds>(
      FromProto(stored.duration()), nanoseconds(0), kLongestPause);
  const StoredEnd end{FromProto(stored.until()), most,
                      FromProto(stored.uptime()), stored.boot()};
  pause_ = Pause{end.wall, now.monotonic + TimeUntil(end, now.moment),
                 stored.from(), stored.reason()};
}

Result<PauseLedger::WallTime> PauseLedger::Begin(
    std::chrono::milliseconds duration, const std::string& from,
    const std::string& reason, const Instant& now) {
  const StoredEnd end = EndAfter(duration, now.moment);
  const WallTime until = floor<seconds>(end.wall);
  v1::PauseState stored;
  *stored.mutable_until() = ToProto(until);
  *stored.mutable_duration() = ToProto(end.most);
  *stored.mutable_uptime() = ToProto(end.uptime);
  stored.set_boot(end.boot);
  stored.set_from(from);
  stored.set_reason(reason);
  if (Result<void> saved = ReplaceMessageFile(directory_, path_, stored);
      !saved) {
    return tl::unexpected(saved.error());
  }
  pause_ = Pause{until, now.monotonic + duration, from, reason};
  unsaved_.reset();
  return until;
}

Result<void> PauseLedger::End() {
  if (Result<void> removed = RemoveFile(path_); !removed) return removed;
  pause_.reset();
  unsaved_.reset();
  return {};
}

Result<void> PauseLedger::Expire() {
  pause_.reset();
  Result<void> removed = RemoveFile(path_);
  unsaved_ = SaveFaultOf(removed);
  return removed;
}

Result<void> PauseLedger::SaveAgain() {
  return unsaved_ ? Expire() : Result<void>();
}

std::string PauseLedger::Words() const {
  if (!pause_) return "";
  return "paused until " +
         TimeUtil::ToString(ToProto(floor<seconds>(pause_->until))) + " by " +
         pause_->from + (pause_->reason.empty() ? "" : ": " + pause_->reason);
}

}  // namespace uplinkd
