// What clients ask of single uplinks: to drain them, and what they carry.
#include <algorithm>

#include "agent/follower.h"

namespace uplinkd {

Result<Uplink> Follower::FindUplink(const std::string& name) const {
  const StoredSpec* current = ledger_.current();
  if (current == nullptr) {
    return Fail(ErrorCode::kNotFound, ledger_.why_none());
  }
  const std::vector<Uplink>& uplinks = current->spec.uplinks;
  const auto found = std::ranges::find(uplinks, name, &Uplink::name);
  if (found != uplinks.end()) return *found;
  std::string names;
  for (const Uplink& uplink : uplinks) {
    names += (names.empty() ? "" : ", ") + uplink.name;
  }
  return Fail(ErrorCode::kNotFound,
              "the spec has no uplink \"" + name + "\"; it has " + names);
}

Result<std::optional<DrainLedger::WallTime>> Follower::Drain(
    const std::string& uplink,
    std::optional<std::chrono::milliseconds> deadline) {
  const Result<Uplink> found = FindUplink(uplink);
  if (!found) return tl::unexpected(found.error());
  if (found->mode == UplinkMode::kDisabled) {
    return Fail(ErrorCode::kFailedPrecondition,
                uplink +
                    " is disabled by the spec, so there is nothing to "
                    "drain");
  }
  return drains_.Add(uplink, deadline, Now());
}

Result<void> Follower::Undrain(const std::string& uplink) {
  const Result<Uplink> found = FindUplink(uplink);
  if (!found) return tl::unexpected(found.error());
  if (!drains_.Contains(uplink) && found->mode == UplinkMode::kDraining) {
    return Fail(ErrorCode::kFailedPrecondition,
                uplink + " is draining by the spec; change its state there");
  }
  return drains_.Remove(uplink);
}

Result<ConnectionCensus> Follower::CountConnections(const std::string& uplink) {
  Mark filter{0, 0};  // all
  if (!uplink.empty() || ledger_.current() == nullptr) {
    const Result<Uplink> found = FindUplink(uplink);
    if (!found) return tl::unexpected(found.error());
    filter = MarkOf(ledger_.current()->spec, found->id);
  }
  if (Result<void> opened = OpenHost(); !opened) {
    return tl::unexpected(opened.error());
  }
  ConnectionCensus census(ledger_.current()->spec, uplink);
  const Result<void> listed = host_->ListConnections(
      filter, [&](const Connection& connection) { census.Add(connection); });
  if (!listed) return tl::unexpected(listed.error());
  return census;
}

}  // namespace uplinkd
