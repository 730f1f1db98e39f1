#include "reconciler/linux/xtables.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <set>
#include <string>
#include <utility>

#include "reconciler/linux/unique_fd.h"
#include "reconciler/linux/xt_editor.h"
#include "reconciler/linux/xt_error.h"
#include "reconciler/linux/xt_snapshot.h"
#include "reconciler/linux/xtables_lock.h"

namespace uplinkd {
namespace {

constexpr std::array kTables{XtTable::kMangle, XtTable::kNat};

// Of the calling thread's network namespace, which may not be its process's.
constexpr const char* kTableNames = "/proc/thread-self/net/ip_tables_names";

// What exists now. Unlike every access to a table, reading this creates none.
Result<std::set<std::string>> ReadTableNames() {
  const UniqueFd file(open(kTableNames, O_RDONLY | O_CLOEXEC));
  if (!file) {
    return tl::unexpected(
        XtAccessError(std::string("cannot read ") + kTableNames, errno));
  }
  std::set<std::string> names;
  std::array<char, 1024> text;  // the kernel knows five tables
  const ssize_t size = read(file.get(), text.data(), text.size());
  std::string name;
  for (ssize_t i = 0; i < size; ++i) {
    const char letter = text.at(static_cast<std::size_t>(i));
    if (letter != '\n') {
      name += letter;
    } else {
      names.insert(std::exchange(name, {}));
    }
  }
  return names;
}

// Nothing in the kernel loads ip_tables on demand, so every iptables program
// does. Whether it helped is for the next read to tell.
void LoadIpTables() {
  std::array<const char*, 4> arguments{"modprobe", "-q", "ip_tables", nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = 0;
  if (posix_spawn(&pid, "/sbin/modprobe", nullptr, nullptr,
                  const_cast<char* const*>(arguments.data()),
                  environment.data()) != 0) {
    return;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
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
                "the " + std::string(XtTableName(edit.table)) +
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
  UniqueFd socket;  // raw: the way to the tables of its network namespace
  std::map<XtTable, XtSnapshot> snapshots;
  bool tried_to_load = false;

  Result<void> OpenSocket();
  Result<std::set<std::string>> TableNames();
};

Result<void> Xtables::Parts::OpenSocket() {
  if (socket) return {};
  socket = UniqueFd(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (socket) return {};
  return tl::unexpected(XtAccessError("cannot open a raw socket", errno));
}

Result<std::set<std::string>> Xtables::Parts::TableNames() {
  Result<std::set<std::string>> names = ReadTableNames();
  if (names || names.error().system_errno != ENOENT || tried_to_load) {
    return names;
  }
  tried_to_load = true;
  LoadIpTables();
  return ReadTableNames();
}

Xtables::Xtables(std::chrono::milliseconds lock_timeout)
    : parts_(new Parts{lock_timeout, {}, {}, {}, false}) {}

Xtables::~Xtables() = default;

// Brings every table that exists into its snapshot.
Result<void> Xtables::Read() {
  if (auto opened = parts_->OpenSocket(); !opened) return opened;
  for (const XtTable table : kTables) {
    // A table, once there, stays as long as its namespace.
    if (!parts_->snapshots.contains(table)) {
      const auto names = parts_->TableNames();
      if (!names) return tl::unexpected(names.error());
      if (!names->contains(std::string(XtTableName(table)))) continue;
      parts_->snapshots.emplace(table, XtSnapshot(table));
    }
    XtSnapshot& snapshot = parts_->snapshots.at(table);
    if (auto read = snapshot.Read(parts_->socket.get()); !read) {
      return tl::unexpected(read.error());
    }
  }
  return {};
}

Result<XtTables> Xtables::Observe() {
  if (auto read = Read(); !read) return tl::unexpected(read.error());
  XtTables tables;
  for (const XtTable table : kTables) {
    const auto snapshot = parts_->snapshots.find(table);
    tables.emplace(table, snapshot == parts_->snapshots.end()
                              ? XtTableState{}
                              : snapshot->second.state());
  }
  return tables;
}

Result<ChainLook> Xtables::Look() {
  if (auto read = Read(); !read) return tl::unexpected(read.error());
  return last_look();
}

ChainLook Xtables::last_look() const {
  ChainLook look;
  for (const auto& [table, snapshot] : parts_->snapshots) {
    look.version += snapshot.version();
    if (table == XtTable::kMangle) look.fates_given = snapshot.FatesGiven();
  }
  return look;
}

Outcome Xtables::Execute(const EditXtTable& edit) {
  const Result<XtablesLock::Held> held =
      parts_->lock.Acquire(parts_->lock_timeout);
  if (!held) return Failed(held.error());
  return Edit(edit);
}

std::chrono::nanoseconds Xtables::lock_wait() const {
  return parts_->lock.waited();
}

}  // namespace uplinkd
