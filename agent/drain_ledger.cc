#include "agent/drain_ledger.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

#include "agent/files.h"
#include "agent/message_file.h"
#include "agent/wire.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using std::chrono::floor;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

Timestamp ToTimestamp(system_clock::time_point time) {
  return TimeUtil::SecondsToTimestamp(
      floor<seconds>(time).time_since_epoch().count());
}

}  // namespace

DrainLedger::DrainLedger(const std::string& state_dir)
    : directory_(state_dir), path_(state_dir + "/drains.json") {}

Result<void> DrainLedger::Restore(const Instant& now) {
  v1::Drains stored;
  if (Result<void> read =
          ReadMessageFile(path_, "so no uplink is drained", stored);
      !read) {
    return read;
  }
  TakeUp(stored, now);
  return {};
}

void DrainLedger::TakeUp(const v1::Drains& stored, const Instant& now) {
  for (const auto& [uplink, state] : stored.uplinks()) {
    std::optional<Deadline>& deadline = drains_[uplink];
    if (!state.has_deadline()) continue;
    const WallTime wall = FromProto(state.deadline());
    const nanoseconds left = wall - now.wall;
    deadline = Deadline{wall, now.monotonic + left, state.over()};
  }
}

Result<std::optional<DrainLedger::WallTime>> DrainLedger::Add(
    const std::string& uplink, std::optional<std::chrono::milliseconds> after,
    const Instant& now) {
  Drains drains = drains_;
  std::optional<Deadline>& deadline = drains[uplink];
  deadline.reset();
  if (after) {
    const WallTime wall = floor<seconds>(now.wall + *after);
    deadline = Deadline{wall, now.monotonic + *after, false};
  }
  if (Result<void> saved = Save(drains); !saved) {
    return tl::unexpected(saved.error());
  }
  drains_ = std::move(drains);
  if (!after) return std::nullopt;
  return drains_.at(uplink)->wall;
}

Result<void> DrainLedger::Remove(const std::string& uplink) {
  Drains drains = drains_;
  if (drains.erase(uplink) == 0) return {};
  if (Result<void> saved = Save(drains); !saved) return saved;
  drains_ = std::move(drains);
  return {};
}

Result<void> DrainLedger::Forget() {
  if (Result<void> removed = RemoveFile(path_); !removed) return removed;
  drains_.clear();
  return {};
}

Result<void> DrainLedger::KeepOnly(const std::set<std::string>& uplinks) {
  const std::size_t gone = std::erase_if(drains_, [&](const auto& drain) {
    return !uplinks.contains(drain.first);
  });
  return gone == 0 ? Result<void>() : Save(drains_);
}

Result<void> DrainLedger::NoteOver(const std::string& uplink) {
  const auto drain = drains_.find(uplink);
  if (drain == drains_.end() || !drain->second) return {};
  drain->second->over = true;
  return Save(drains_);
}

Failover::Deadlines DrainLedger::Deadlines() const {
  Failover::Deadlines deadlines;
  for (const auto& [uplink, deadline] : drains_) {
    if (deadline && !deadline->over) deadlines[uplink] = deadline->monotonic;
  }
  return deadlines;
}

std::map<std::string, DrainLedger::WallTime> DrainLedger::WallDeadlines()
    const {
  std::map<std::string, WallTime> deadlines;
  for (const auto& [uplink, deadline] : drains_) {
    if (deadline && !deadline->over) deadlines[uplink] = deadline->wall;
  }
  return deadlines;
}

std::map<std::string, std::string> DrainLedger::Words() const {
  std::map<std::string, std::string> words;
  for (const auto& [uplink, deadline] : drains_) {
    std::string& text = words[uplink];
    text = "draining";
    if (!deadline) continue;
    const std::string at = TimeUtil::ToString(ToTimestamp(deadline->wall));
    text += deadline->over ? "; what was left at " + at + " was cut"
                           : " until " + at;
  }
  return words;
}

Result<void> DrainLedger::Save(const Drains& drains) const {
  v1::Drains stored;
  for (const auto& [uplink, deadline] : drains) {
    v1::DrainState& state = (*stored.mutable_uplinks())[uplink];
    if (!deadline) continue;
    *state.mutable_deadline() = ToTimestamp(deadline->wall);
    state.set_over(deadline->over);
  }
  return ReplaceMessageFile(directory_, path_, stored);
}

}  // namespace uplinkd
