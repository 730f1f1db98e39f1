// Compile: from what is asked and what is there to what the kernel must hold.
//
//   Spec, Facts -> Desired
//
// Pure: no I/O, no clock, no logging. The order of lists that have names does
// not matter. An uplink that cannot be used yet (no link, no address, no
// gateway) is no error: it waits, with a reason, and the others work.
#ifndef UPLINKD_RECONCILER_COMPILE_H_
#define UPLINKD_RECONCILER_COMPILE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "reconciler/facts.h"
#include "reconciler/filter.h"
#include "reconciler/latency.h"
#include "reconciler/load.h"
#include "reconciler/spec.h"
#include "reconciler/state.h"

namespace uplinkd {

enum class UplinkPhase {
  kReady,     // carries connections
  kWaiting,   // something of it is missing; see the reason
  kBlocked,   // the kernel refused a part of it; retried
  kDraining,  // carries the connections that it has, gets no new fates
  kDisabled,  // the spec says so; as if its link were missing
  kDown,      // probes say that its line is dead: no new connections
};
std::string_view UplinkPhaseName(UplinkPhase phase);  // "Ready"

// Whether an uplink in this phase carries the connections that are its own.
// Only one that is ready also gets new ones.
bool CarriesConnections(UplinkPhase phase);
// Whether the phase is as the operator asked, so that there is nothing to mend.
bool IsAsAsked(UplinkPhase phase);

// What became of one uplink of the spec.
struct UplinkState {
  std::string name;
  UplinkId id = 0;
  std::string interface;
  Mark mark;
  std::uint32_t table = 0;
  // Of the family in which it is better off; Desired::warnings tell of the
  // other one.
  UplinkPhase phase = UplinkPhase::kWaiting;
  std::string reason;  // why it is not ready: "interface wan2 does not exist"
  std::map<Family, UplinkPhase> phases;  // in each family that it carries
  std::optional<Address> address;        // IPv4
  std::optional<Address> gateway;        // IPv4
  std::optional<Address> address6;       // IPv6
  std::optional<Address> gateway6;       // IPv6
  std::optional<Prefix> prefix6;         // what nat6: prefix translates to
  HealthVerdict health;                  // kUnknown if it is not probed
  Capacity capacity;
  // The part of new connections that balance means it to have, 0..1; of those
  // of IPv4 if the spec is about both families. With least-connections it moves
  // as the loads do: it is what is in force.
  double share = 0;

  friend auto operator<=>(const UplinkState&, const UplinkState&) = default;
};

struct Desired {
  State state;  // routes, rules and lowered tables
  // What `state.tables` was lowered from, for each family of the spec.
  std::map<Family, FilterIntent> filters;
  std::vector<UplinkState> uplinks;   // ordered by id
  std::vector<std::string> warnings;  // e.g. strict rp_filter on an uplink
  CountedChoices counted;             // every least-connections choice
  RankedChoices ranked;               // every lowest-latency choice
  // See TableOwners().
  std::map<std::uint32_t, std::string> table_owner;
};

// `spec` must be valid and have its ids assigned.
Desired Compile(const Spec& spec, const Facts& facts);

// The routing tables that belong to a spec by number, each with its uplink's
// name ("" for the multipath table).
std::map<std::uint32_t, std::string> TableOwners(const Spec& spec);

// The facts that Compile wants to know.
FactsScope FactsScopeOf(const Spec& spec);

// The ipsets that traffic rules name.
std::set<std::string> IpsetsOf(const Spec& spec);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMPILE_H_
