#include "reconciler/linux/xtables.h"

#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xt_editor.h"
#include "reconciler/linux/xt_error.h"
#include "reconciler/linux/xt_layout.h"
#include "reconciler/linux/xt_modules.h"
#include "reconciler/linux/xt_snapshot.h"
#include "reconciler/linux/xtables_lock.h"

namespace uplinkd {
namespace {

// The same names; a failure says what to do about it.
Result<std::set<std::string>> ReadNames(Family family) {
  Result<std::set<std::string>> names = ReadXtTableNames(family);
  if (names) return names;
  const int error = names.error().system_errno;
  // The one thing here that no capability of ours opens.
  if (error == EACCES) {
    names.error().message +=
        "; the unit of uplinkd gives it to its group (chgrp)";
    return names;
  }
  // Without IPv6's module there is nothing of ours, and the other family goes
  // on.
  if (error == ENOENT && family == Family::kIpv6) {
    return std::set<std::string>();
  }
  return tl::unexpected(XtAccessError(
      MangleOf(family), "cannot read " + XtNamesPath(family), error));
}

template <typename Key, typename Value>
std::string DescribeDifference(std::string_view what,
                               const std::map<Key, Value>& expected,
                               const std::map<Key, Value>& found,
                               std::string (*name)(const Key&)) {
  for (const auto& [key, value] : expected) {
    const auto other = found.find(key);
    if (other == found.end()) {
      return std::string(what) + name(key) + " is gone";
    }
    if (other->second != value) {
      return std::string(what) + name(key) + " differs";
    }
  }
  for (const auto& [key, value] : found) {
    if (!expected.contains(key)) {
      return std::string(what) + name(key) + " is new";
    }
  }
  return "";
}

Outcome Conflict(const EditXtTable& edit, const XtTableState& found) {
  std::string difference = DescribeDifference<std::string, Chain>(
      "the chain ", edit.expected.chains, found.chains,
      [](const std::string& chain) { return chain; });
  if (difference.empty()) {
    difference = DescribeDifference<XtHook, std::vector<HookJump>>(
        "our jump in ", edit.expected.jumps, found.jumps,
        [](const XtHook& hook) { return std::string(XtHookName(hook)); });
  }
  return {StepResult::kConflict,
          Error{ErrorCode::kAborted,
                "the " + std::string(XtTableTitle(edit.table)) +
                    " table changed since it was read: " + difference,
                0}};
}

Outcome Failed(const Error& error) {
  return {StepResult::kFailed, error};
}

// A commit can fail after it has replaced the table (facts of libiptc: its
// second system call only restores counters). What is there now decides.
Outcome AfterFailedCommit(XtTable table, const XtTableState& wanted,
                          const Error& error) {
  if (error.code == ErrorCode::kAborted) {
    return {StepResult::kConflict, error};
  }
  const Result<XtEditor> now = XtEditor::Open(table);
  if (now && now->Decode() == wanted) return {};
  return Failed(error);
}

// Under the lock.
Outcome Edit(const EditXtTable& edit) {
  Result<XtEditor> editor = XtEditor::Open(edit.table);
  if (!editor) return Failed(editor.error());
  const XtTableState found = editor->Decode();
  if (found != edit.expected) return Conflict(edit, found);
  for (const ChainEdit& change : edit.edits) {
    if (auto applied = editor->Apply(change); !applied) {
      return Failed(applied.error());
    }
  }
  const Result<void> committed = editor->Commit();
  if (committed) return {};
  return AfterFailedCommit(edit.table, editor->Decode(), committed.error());
}

}  // namespace

struct Xtables::Parts {
  std::chrono::milliseconds lock_timeout;
  XtablesLock lock;
  // Raw: the way to the tables of its network namespace.
  std::map<Family, UniqueFd> sockets;
  std::map<XtTable, XtSnapshot> snapshots;
  bool ipv6 = false;  // the last Observe() was about IPv6 as well
  // Of snapshots that were forgotten, so that the sum never falls.
  std::uint64_t forgotten_versions = 0;

  Result<int> Socket(Family family);
};

Result<int> Xtables::Parts::Socket(Family family) {
  UniqueFd& socket = sockets[family];
  if (!socket) socket = UniqueFd(OpenXtSocket(family));
  if (socket) return socket.get();
  return tl::unexpected(
      XtAccessError(MangleOf(family), "cannot open a raw socket", errno));
}

Xtables::Xtables(std::chrono::milliseconds lock_timeout) : parts_(new Parts) {
  parts_->lock_timeout = lock_timeout;
}

Xtables::~Xtables() = default;

// Brings every table of `family` that exists into its snapshot.
Result<void> Xtables::Read(Family family) {
  for (const XtTable table : {MangleOf(family), NatOf(family)}) {
    // A table, once there, stays as long as its namespace.
    if (!parts_->snapshots.contains(table)) {
      const auto names = ReadNames(family);
      if (!names) return tl::unexpected(names.error());
      if (!names->contains(std::string(XtTableName(table)))) continue;
      parts_->snapshots.emplace(table, XtSnapshot(table));
    }
    const Result<int> socket = parts_->Socket(family);
    if (!socket) return tl::unexpected(socket.error());
    XtSnapshot& snapshot = parts_->snapshots.at(table);
    if (auto read = snapshot.Read(*socket); !read) {
      return tl::unexpected(read.error());
    }
  }
  return {};
}

Result<XtTables> Xtables::Observe(bool ipv6) {
  parts_->ipv6 = ipv6;
  XtTables tables;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (family == Family::kIpv6 && !ipv6) continue;
    if (auto read = Read(family); !read) return tl::unexpected(read.error());
    for (const XtTable table : {MangleOf(family), NatOf(family)}) {
      const auto snapshot = parts_->snapshots.find(table);
      tables.emplace(table, snapshot == parts_->snapshots.end()
                                ? XtTableState{}
                                : snapshot->second.state());
    }
  }
  return tables;
}

void Xtables::ForgetIpv6() {
  parts_->ipv6 = false;
  std::erase_if(parts_->snapshots, [this](const auto& entry) {
    if (FamilyOf(entry.first) == Family::kIpv4) return false;
    parts_->forgotten_versions += entry.second.version();
    return true;
  });
}

Result<ChainLook> Xtables::Look() {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (family == Family::kIpv6 && !parts_->ipv6) continue;
    if (auto read = Read(family); !read) return tl::unexpected(read.error());
  }
  return last_look();
}

ChainLook Xtables::last_look() const {
  ChainLook look;
  look.version = parts_->forgotten_versions;
  for (const auto& [table, snapshot] : parts_->snapshots) {
    look.version += snapshot.version();
    if (table != MangleOf(FamilyOf(table))) continue;
    for (const auto& [fate, packets] : snapshot.FatesGiven()) {
      look.fates_given[fate] += packets;
    }
  }
  return look;
}

Outcome Xtables::Execute(const EditXtTable& edit) {
  const Result<XtablesLock::Held> held =
      parts_->lock.Acquire(parts_->lock_timeout);
  if (!held) return Failed(held.error());
  return Edit(edit);
}

const XtablesLock& Xtables::lock() const {
  return parts_->lock;
}

}  // namespace uplinkd
