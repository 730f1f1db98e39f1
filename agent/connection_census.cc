#include "agent/connection_census.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace uplinkd {

ConnectionCensus::ConnectionCensus(const Spec& spec, const std::string& uplink)
    : mask_(spec.mark_mask) {
  for (const Uplink& one : spec.uplinks) {
    if (!uplink.empty() && one.name != uplink) continue;
    // By mark is by id: a mark is the id, shifted.
    by_mark_[MarkOf(spec, one.id).value] = {one.name, {}};
  }
}

void ConnectionCensus::Add(const Connection& connection) {
  const auto entry = by_mark_.find(connection.mark & mask_);
  if (entry == by_mark_.end()) return;
  entry->second.sum.Add(connection);
  by_source_[connection.source].Add(connection);
}

void ConnectionCensus::Sum::Add(const Connection& connection) {
  ++connections;
  if (!connection.replied) ++unreplied;
  if (connection.bytes) bytes = bytes.value_or(0) + *connection.bytes;
}

v1::ConnectionsResponse ConnectionCensus::ToProto(std::size_t top) const {
  v1::ConnectionsResponse response;
  for (const auto& [mark, entry] : by_mark_) {
    v1::UplinkConnections& uplink = *response.add_uplinks();
    uplink.set_uplink(entry.uplink);
    uplink.set_connections(entry.sum.connections);
    uplink.set_unreplied(entry.sum.unreplied);
    if (entry.sum.bytes) uplink.set_bytes(*entry.sum.bytes);
  }
  using Talker = std::pair<Address, Sum>;
  std::vector<Talker> talkers(by_source_.begin(), by_source_.end());
  const auto last = talkers.begin() +
                    static_cast<std::ptrdiff_t>(std::min(top, talkers.size()));
  std::ranges::partial_sort(
      talkers, last, [](const Talker& a, const Talker& b) {
        // Equal ones by address, so that the order does not jump about.
        return std::tuple(b.second.bytes, b.second.connections, a.first) <
               std::tuple(a.second.bytes, a.second.connections, b.first);
      });
  for (auto talker = talkers.begin(); talker != last; ++talker) {
    v1::Talker& message = *response.add_talkers();
    message.set_source(talker->first.ToString());
    message.set_connections(talker->second.connections);
    if (talker->second.bytes) message.set_bytes(*talker->second.bytes);
  }
  return response;
}

}  // namespace uplinkd
