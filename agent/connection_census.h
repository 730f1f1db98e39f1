// ConnectionCensus: live connections, counted by uplink and by who has them.
//
// Pure: fed with connections one by one, so that none of them is kept.
#ifndef UPLINKD_AGENT_CONNECTION_CENSUS_H_
#define UPLINKD_AGENT_CONNECTION_CENSUS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "reconciler/ip.h"
#include "reconciler/linux/conntrack.h"
#include "reconciler/spec.h"
#include "uplinkd/v1/agent.pb.h"

namespace uplinkd {

class ConnectionCensus {
 public:
  // Of the uplinks of `spec`, or of one of them only if `uplink` is not "".
  ConnectionCensus(const Spec& spec, const std::string& uplink);

  // A connection without the mark of one of the uplinks does not count.
  void Add(const Connection& connection);

  // At most `top` talkers.
  v1::ConnectionsResponse ToProto(std::size_t top) const;

 private:
  struct Sum {
    std::uint64_t connections = 0;
    std::uint64_t unreplied = 0;
    std::optional<std::uint64_t> bytes;  // none: not accounted for
    void Add(const Connection& connection);
  };
  struct Entry {
    std::string uplink;
    Sum sum;
  };

  std::uint32_t mask_ = 0;
  std::map<std::uint32_t, Entry> by_mark_;
  std::map<Address, Sum> by_source_;
};

}  // namespace uplinkd

#endif  // UPLINKD_AGENT_CONNECTION_CENSUS_H_
