// What the facts make of each uplink of a spec: a step of Compile().
//
// Decides which link, address and gateway an uplink has now, and whether it
// can carry connections. Everything else that Compile() makes follows from
// these values. Pure.
#ifndef UPLINKD_RECONCILER_COMPILE_UPLINK_H_
#define UPLINKD_RECONCILER_COMPILE_UPLINK_H_

#include <optional>
#include <string>
#include <vector>

#include "reconciler/compile.h"
#include "reconciler/facts.h"
#include "reconciler/spec.h"

namespace uplinkd {

// The way out of a link.
struct Exit {
  std::optional<Address> gateway;  // none: the link itself

  friend auto operator<=>(const Exit&, const Exit&) = default;
};

// An uplink in one family. One that does not carry the family is there as well,
// as if it were disabled.
struct ResolvedUplink {
  Uplink uplink;
  Family family = Family::kIpv4;
  bool shared = false;             // another uplink has its interface as well
  std::optional<Link> link;        // none: it does not exist
  std::optional<Address> address;  // the uplink's own, if it is on the link
  std::optional<Exit> exit;        // none: no gateway is known
  std::optional<Prefix> prefix;    // what Nat::kPrefix translates to
  UplinkPhase phase = UplinkPhase::kWaiting;
  std::string reason;  // why it is not ready
  HealthVerdict health;

  // Gets new fates.
  bool Ready() const { return phase == UplinkPhase::kReady; }
  // Carries the connections that have its fate.
  bool Carries() const { return CarriesConnections(phase); }
  // Is set up in the kernel for what comes in by it and is bound to it: a line
  // that is down as well, since its probes may be wrong.
  bool SetUp() const { return Carries() || phase == UplinkPhase::kDown; }
  bool Degraded() const { return health.state == HealthState::kDegraded; }
  Nat nat() const { return TranslationOf(uplink, family); }
};

// Every uplink of `spec`, ordered by id, as it is in `family`.
std::vector<ResolvedUplink> ResolveUplinks(const Spec& spec, const Facts& facts,
                                           Family family);

// The addresses of `link` that mean something beyond it, in the kernel's order;
// in IPv6 the preferred ones first.
std::vector<LinkAddress> AddressesIn(const Link& link, Family family);

// Whether the kernel has a connected route for `address`: a host address
// without a peer has none.
bool HasConnectedNetwork(const LinkAddress& address);

// A LAN with the networks that it stands for: its own, or its link's.
struct ResolvedLan {
  std::string interface;
  std::vector<Prefix> networks;  // sorted, each once
  std::optional<Link> link;      // none: it does not exist
};

// Ordered by interface, one entry for each, with its networks in `family`.
std::vector<ResolvedLan> ResolveLans(const Spec& spec, const Facts& facts,
                                     Family family);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_COMPILE_UPLINK_H_
