#include "agent/drain_ledger.h"

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

// A file of an older version does not say how long it was to last.
nanoseconds MostOf(const v1::DrainState& state) {
  return state.has_most() ? FromProto(state.most()) : kMaxDrainDeadline;
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
    const StoredEnd end{FromProto(state.deadline()), MostOf(state),
                        FromProto(state.uptime()), state.boot()};
    deadline =
        Deadline{end, now.monotonic + TimeUntil(end, now.moment), state.over()};
  }
}

Result<std::optional<DrainLedger::WallTime>> DrainLedger::Add(
    const std::string& uplink, std::optional<std::chrono::milliseconds> after,
    const Instant& now) {
  Drains drains = drains_;
  std::optional<Deadline>& deadline = drains[uplink];
  deadline.reset();
  if (after) {
    StoredEnd end = EndAfter(*after, now.moment);
    end.wall = floor<seconds>(end.wall);
    deadline = Deadline{std::move(end), now.monotonic + *after, false};
  }
  if (Result<void> saved = Save(drains); !saved) {
    return tl::unexpected(saved.error());
  }
  drains_ = std::move(drains);
  if (!after) return std::nullopt;
  return drains_.at(uplink)->end.wall;
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
  unsaved_.reset();
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
    if (deadline && !deadline->over) deadlines[uplink] = deadline->end.wall;
  }
  return deadlines;
}

std::map<std::string, std::string> DrainLedger::Words() const {
  std::map<std::string, std::string> words;
  for (const auto& [uplink, deadline] : drains_) {
    std::string& text = words[uplink];
    text = "draining";
    if (!deadline) continue;
    const std::string at = TimeUtil::ToString(ToProto(deadline->end.wall));
    text += deadline->over ? "; what was left at " + at + " was cut"
                           : " until " + at;
  }
  return words;
}

Result<void> DrainLedger::SaveAgain() {
  return unsaved_ ? Save(drains_) : Result<void>();
}

Result<void> DrainLedger::Save(const Drains& drains) {
  v1::Drains stored;
  for (const auto& [uplink, deadline] : drains) {
    v1::DrainState& state = (*stored.mutable_uplinks())[uplink];
    if (!deadline) continue;
    const StoredEnd& end = deadline->end;
    *state.mutable_deadline() = ToProto(end.wall);
    *state.mutable_most() = ToProto(end.most);
    *state.mutable_uptime() = ToProto(end.uptime);
    state.set_boot(end.boot);
    state.set_over(deadline->over);
  }
  Result<void> saved = ReplaceMessageFile(directory_, path_, stored);
  unsaved_ = SaveFaultOf(saved);
  return saved;
}

}  // namespace uplinkd
