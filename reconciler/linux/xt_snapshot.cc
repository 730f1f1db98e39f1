#include "reconciler/linux/xt_snapshot.h"

#include <linux/netfilter_ipv4/ip_tables.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "reconciler/linux/xt_error.h"
#include "reconciler/linux/xt_layout.h"

namespace uplinkd {
namespace {

// How often a table may change under the read before we give up.
constexpr int kMaxAttempts = 10;

std::span<std::byte> EntriesOf(std::vector<std::byte>& dump) {
  return std::span(dump).subspan(sizeof(ipt_get_entries));
}

// Whether two dumps differ in counters only. Both are of one size, and
// `last` is sound.
bool SameButCounters(const XtLayout& layout, std::span<const std::byte> last,
                     std::span<const std::byte> next) {
  // One comparison per entry: from the counters of one to those of the next.
  std::size_t compared = 0;
  std::size_t offset = 0;
  while (offset < last.size()) {
    const std::size_t counters = offset + layout.counters;
    if (std::memcmp(last.data() + compared, next.data() + compared,
                    counters - compared) != 0) {
      return false;
    }
    compared = counters + sizeof(xt_counters);
    offset += layout.NextOffset(last.data() + offset);
  }
  return std::memcmp(last.data() + compared, next.data() + compared,
                     last.size() - compared) == 0;
}

}  // namespace

XtSnapshot::XtSnapshot(XtTable table) : table_(table) {}
XtSnapshot::~XtSnapshot() = default;
XtSnapshot::XtSnapshot(XtSnapshot&&) noexcept = default;
XtSnapshot& XtSnapshot::operator=(XtSnapshot&&) noexcept = default;

Result<void> XtSnapshot::Read(int socket) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const Result<ipt_getinfo> info = ReadInfo(socket);
    if (!info) return tl::unexpected(info.error());
    const Result<bool> read = ReadEntries(socket, *info);
    if (!read) return tl::unexpected(read.error());
    if (!*read) continue;

    const bool same_layout =
        info_ && std::memcmp(info_.get(), &*info, sizeof *info) == 0;
    if (same_layout && SameButCounters(LayoutOf(FamilyOf(table_)),
                                       EntriesOf(last_), EntriesOf(next_))) {
      return {};
    }
    // The kernel compares only the size: see that the layout is the dump's.
    const Result<ipt_getinfo> again = ReadInfo(socket);
    if (!again) return tl::unexpected(again.error());
    if (std::memcmp(&*again, &*info, sizeof *info) != 0) continue;
    return Accept(*info);
  }
  return Fail(ErrorCode::kAborted,
              "the " + std::string(XtTableTitle(table_)) + " table changed " +
                  std::to_string(kMaxAttempts) + " times under the read",
              EAGAIN);
}

std::map<Mark, std::uint64_t> XtSnapshot::FatesGiven() const {
  std::map<Mark, std::uint64_t> given;
  if (next_.size() != last_.size()) return given;  // the last Read() failed
  const std::span<const std::byte> entries =
      std::span(next_).subspan(sizeof(ipt_get_entries));
  for (const FateEntry& entry : fates_) {
    given[entry.fate] += PacketsAt(FamilyOf(table_), entries, entry.offset);
  }
  return given;
}

Error XtSnapshot::CannotRead(int system_errno) const {
  return XtAccessError(
      table_, "cannot read the " + std::string(XtTableTitle(table_)) + " table",
      system_errno);
}

Result<ipt_getinfo> XtSnapshot::ReadInfo(int socket) const {
  ipt_getinfo info{};
  XtTableName(table_).copy(info.name, sizeof info.name - 1);
  if (AskXt(FamilyOf(table_), socket, IPT_SO_GET_INFO, &info, sizeof info) !=
      0) {
    return tl::unexpected(CannotRead(errno));
  }
  return info;
}

Result<bool> XtSnapshot::ReadEntries(int socket, const ipt_getinfo& info) {
  const std::size_t size = sizeof(ipt_get_entries) + info.size;
  if (next_.size() != size) next_.assign(size, std::byte{0});
  auto* request = reinterpret_cast<ipt_get_entries*>(next_.data());
  std::memcpy(request->name, info.name, sizeof request->name);
  request->size = info.size;
  if (AskXt(FamilyOf(table_), socket, IPT_SO_GET_ENTRIES, next_.data(), size) ==
      0) {
    return true;
  }
  if (errno == EAGAIN) return false;
  return tl::unexpected(CannotRead(errno));
}

Result<void> XtSnapshot::Accept(const ipt_getinfo& info) {
  const Family family = FamilyOf(table_);
  if (auto sound = ClearNameTails(family, EntriesOf(next_)); !sound)
    return sound;
  DecodedBlob decoded = DecodeBlob(family, info, EntriesOf(next_));
  state_ = std::move(decoded.state);
  fates_ = std::move(decoded.fates);
  ++version_;
  info_ = std::make_unique<ipt_getinfo>(info);
  std::swap(last_, next_);
  next_ = last_;  // the next read leaves the zeroed name tails as they are
  return {};
}

}  // namespace uplinkd
