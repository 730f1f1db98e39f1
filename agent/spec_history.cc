#include "agent/spec_history.h"

#include <algorithm>
#include <utility>

#include "agent/message_file.h"
#include "agent/wire.h"
#include "proto/convert.h"

namespace uplinkd {
namespace {

constexpr const char* kAccepted = "accepted";
constexpr const char* kPending = "pending";
constexpr const char* kConfirmed = "confirmed";
constexpr const char* kRolledBack = "rolled-back";

v1::HistoryEntry ToEntry(const StoredSpec& stored) {
  v1::HistoryEntry entry;
  entry.set_generation(stored.generation);
  *entry.mutable_time() = ToProto(stored.origin.time);
  entry.set_from(stored.origin.from);
  entry.set_name(stored.spec.name);
  entry.set_revision(stored.spec.revision);
  entry.set_outcome(stored.pending ? kPending : kAccepted);
  entry.set_note(stored.origin.note);
  *entry.mutable_router() = SpecToProto(stored.spec);
  return entry;
}

// What became of `entry`, now that `current` is followed.
std::string OutcomeOf(const v1::HistoryEntry& entry,
                      const StoredSpec& current) {
  if (entry.outcome() != kPending) return entry.outcome();
  if (entry.generation() != current.generation) return kRolledBack;
  return current.pending ? kPending : kConfirmed;
}

Result<Spec> SpecOf(const v1::HistoryEntry& entry) {
  Converted converted = SpecFromProto(entry.router());
  if (converted.violations.empty()) return std::move(converted.spec);
  const Violation& first = converted.violations.front();
  return Fail(ErrorCode::kFailedPrecondition,
              "this version of uplinkd refuses the spec of generation " +
                  std::to_string(entry.generation()) + ": " + first.field +
                  ": " + first.message);
}

}  // namespace

SpecHistory::SpecHistory(const std::string& state_dir)
    : directory_(state_dir), path_(state_dir + "/history.json") {}

Result<void> SpecHistory::Restore() {
  v1::History stored;
  Result<void> read =
      ReadMessageFile(path_, "so the history of specs is lost", stored);
  if (read) TakeUp(std::move(stored));
  return read;
}

Result<void> SpecHistory::Note(const StoredSpec& current) {
  bool changed = false;
  for (v1::HistoryEntry& entry : *history_.mutable_entries()) {
    std::string outcome = OutcomeOf(entry, current);
    if (outcome == entry.outcome()) continue;
    entry.set_outcome(std::move(outcome));
    changed = true;
  }
  if (last_generation() < current.generation) {
    *history_.add_entries() = ToEntry(current);
    changed = true;
  }
  const int more = history_.entries_size() - static_cast<int>(kMost);
  if (more > 0) history_.mutable_entries()->DeleteSubrange(0, more);
  return changed ? Save() : SaveAgain();
}

Result<void> SpecHistory::SaveAgain() {
  return unsaved_ ? Save() : Result<void>();
}

Result<SpecHistory::Recalled> SpecHistory::Recall(
    std::uint64_t generation, const StoredSpec* current) const {
  for (int i = history_.entries_size() - 1; i >= 0; --i) {
    const v1::HistoryEntry& entry = history_.entries(i);
    if (generation != 0 && entry.generation() != generation) continue;
    if (generation == 0 &&
        (entry.outcome() == kRolledBack || entry.outcome() == kPending)) {
      continue;
    }
    Result<Spec> spec = SpecOf(entry);
    if (generation == 0 &&
        (!spec || (current != nullptr && SameContent(current->spec, *spec)))) {
      continue;
    }
    if (!spec) return tl::unexpected(spec.error());
    return Recalled{entry.generation(), *std::move(spec),
                    current == nullptr ? 0 : current->generation};
  }
  return Fail(ErrorCode::kNotFound,
              generation == 0
                  ? "there is no other spec to go back to; " + WhatThereIs()
                  : "generation " + std::to_string(generation) +
                        " is not remembered; " + WhatThereIs());
}

Result<v1::HistoryResponse> SpecHistory::Find(
    const v1::HistoryRequest& request) const {
  v1::HistoryResponse response;
  for (const v1::HistoryEntry& entry : history_.entries()) {
    if (request.generation() != 0 &&
        request.generation() != entry.generation()) {
      continue;
    }
    v1::HistoryEntry& copy = *response.add_entries();
    copy = entry;
    if (request.generation() == 0) copy.clear_router();
  }
  if (request.generation() != 0 && response.entries().empty()) {
    return Fail(ErrorCode::kNotFound,
                "generation " + std::to_string(request.generation()) +
                    " is not remembered; " + WhatThereIs());
  }
  return response;
}

std::uint64_t SpecHistory::last_generation() const {
  const int count = history_.entries_size();
  return count == 0 ? 0 : history_.entries(count - 1).generation();
}

bool SpecHistory::last_waits() const {
  const int count = history_.entries_size();
  return count != 0 && history_.entries(count - 1).outcome() == kPending;
}

std::string SpecHistory::WhatThereIs() const {
  if (history_.entries().empty()) return "the history is empty";
  return "the history has " + std::to_string(history_.entries(0).generation()) +
         " to " + std::to_string(last_generation());
}

Result<void> SpecHistory::Save() {
  Result<void> saved =
      ReplaceMessageFile(directory_, path_, history_, FileLayout::kCompact);
  unsaved_ = SaveFaultOf(saved);
  return saved;
}

}  // namespace uplinkd
