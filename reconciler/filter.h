// FilterIntent: what the packet filter must do, free of any implementation.
//
//   Compile() -> FilterIntent --(lowering, e.g. xt_lowering)--> typed rules
//
// Intent says what is decided and by which key, not with how many rules, in
// which chain or in which order: that is the lowering's business. Mark actions
// are whole (restore, save, set), each under `mark_mask`.
#ifndef UPLINKD_RECONCILER_FILTER_H_
#define UPLINKD_RECONCILER_FILTER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "reconciler/ip.h"
#include "reconciler/mark.h"
#include "reconciler/spec.h"
#include "reconciler/traffic.h"

namespace uplinkd {

// One uplink among those a Choice picks from.
struct Member {
  UplinkId id = 0;
  Mark fate;
  // Relative to the other members'. 0: gets none at present; not all have it.
  std::uint64_t weight = 1;
  // Bytes per second that the choice compares with the measured rate: what the
  // line can carry, or is to be filled to. 0 where it measures nothing.
  std::uint64_t capacity = 0;

  friend auto operator<=>(const Member&, const Member&) = default;
};

// Clients that come back get the uplink that they had.
struct ClientMemory {
  // Those whose clients stay with them: the members and, where the choice is
  // among fewer than could be chosen, those as well. Ordered.
  std::vector<UplinkId> uplinks;
  std::chrono::seconds lifetime{};  // since a client's last new connection
  // Anew for each group of destinations (kDestinationGroups).
  bool by_destination = false;

  friend auto operator<=>(const ClientMemory&, const ClientMemory&) = default;
};

// How a new connection gets one of `members`.
struct Choice {
  Algorithm algorithm = Algorithm::kWeightedRandom;
  // Ordered by id; for overflow as they are to be filled.
  std::vector<Member> members;
  // Of the estimators that least-loaded and overflow read.
  Measure measure = Measure::kDownload;
  Estimator estimator;
  LastResort last_resort = LastResort::kMain;  // without members
  std::optional<ClientMemory> memory;          // none: each is decided anew

  friend auto operator<=>(const Choice&, const Choice&) = default;
};

// A rate estimator over one uplink's traffic.
struct RateEstimator {
  UplinkId id = 0;
  std::string interface;
  Measure measure = Measure::kDownload;
  Estimator parameters;
  // Of connections with this fate alone, where uplinks share the interface.
  std::optional<Mark> fate = std::nullopt;

  friend auto operator<=>(const RateEstimator&, const RateEstimator&) = default;
};

// Connections from these sources on this link are balanced.
struct LanSource {
  std::string interface;
  std::vector<Prefix> networks;

  friend auto operator<=>(const LanSource&, const LanSource&) = default;
};

// How sources are translated when they leave by `interface`. The first that
// holds for a connection decides.
struct SourceNat {
  std::string interface;
  Nat nat = Nat::kSnat;
  std::optional<Address> address;  // the uplink's own; always set for kSnat
  std::optional<Prefix> prefix;    // what kPrefix translates to; set for it
  // Where uplinks share the interface: for connections with this fate alone.
  // kNone keeps their sources.
  std::optional<Mark> fate;
  // Not for connections from these.
  std::vector<Address> except;

  friend auto operator<=>(const SourceNat&, const SourceNat&) = default;
};

// The fates of connections that come in by one link.
struct Arrivals {
  struct To {
    Prefix destination;
    Mark fate;

    friend auto operator<=>(const To&, const To&) = default;
  };
  // Where uplinks share the link: the first that holds decides.
  std::vector<To> to;
  Mark otherwise;

  friend auto operator<=>(const Arrivals&, const Arrivals&) = default;
};

// What a traffic rule does with a connection.
struct PolicyVerdict {
  std::string policy;  // a key of FilterIntent::choices
  friend auto operator<=>(const PolicyVerdict&, const PolicyVerdict&) = default;
};
struct UplinkVerdict {
  UplinkId id = 0;  // a key of FilterIntent::only
  friend auto operator<=>(const UplinkVerdict&, const UplinkVerdict&) = default;
};
struct MainVerdict {
  friend auto operator<=>(const MainVerdict&, const MainVerdict&) = default;
};
using TrafficVerdict = std::variant<PolicyVerdict, UplinkVerdict, MainVerdict>;

// The first of these that holds for a connection decides.
struct TrafficIntent {
  std::string name;
  TrafficMatch match;
  TrafficMatch except;
  TrafficVerdict verdict;

  friend auto operator<=>(const TrafficIntent&, const TrafficIntent&) = default;
};

// What becomes of the router's own new connections.
struct LocalIntent {
  // Bound to this address, a connection has the fate of its uplink. Not there:
  // the address that those have that are bound to none.
  std::map<Address, Mark> bound;
  std::vector<TrafficIntent> traffic;
  TrafficVerdict otherwise;

  friend auto operator<=>(const LocalIntent&, const LocalIntent&) = default;
};

// Of one family: all addresses in it are of that.
struct FilterIntent {
  Family family = Family::kIpv4;
  std::uint32_t mark_mask = 0;
  // Packets of the router itself with this mark keep it and bypass all else.
  // None: there are no such packets.
  std::optional<Mark> bypass;
  // Dispatch, prerouting: a connection that comes in by this link gets such a
  // fate, so that its replies leave where the request came in.
  std::map<std::string, Arrivals> arrivals;
  // Dispatch, postrouting: a connection that has no fate yet and leaves by
  // this link gets this fate (used where the kernel's own route chose).
  std::map<std::string, Mark> departures;
  std::vector<LanSource> lans;
  // Destinations that are never diverted: LANs, connected networks, multicast.
  std::vector<Prefix> internal;
  // What comes from or goes to these never gets a fate: IPv6's link-local
  // addresses and multicast.
  std::vector<Prefix> on_link;
  // By the name of the policy. Without the default one, kBalance, new
  // connections from the LANs get no fate here (multipath).
  std::map<std::string, Choice> choices;
  // Uplinks that traffic rules name, and whether they can carry connections;
  // if not, the connection is unreachable.
  std::map<UplinkId, bool> only;
  std::vector<TrafficIntent> traffic;  // from the LANs, before the default
  // The router's own connections; absent: they get no fate.
  std::optional<LocalIntent> local;
  std::vector<RateEstimator> estimators;
  // Sources that are translated when they leave by an uplink: the LANs' and
  // the uplinks' own addresses. `nat` says how, per link.
  std::vector<Prefix> nat_sources;
  // Those of them that are uplinks' addresses. A prefix is no translation for
  // them: they get the uplink's address.
  std::vector<Prefix> own_sources;
  std::vector<SourceNat> nat;

  friend auto operator<=>(const FilterIntent&, const FilterIntent&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_FILTER_H_
