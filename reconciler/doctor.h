// Doctor: what about a host will keep a spec from working, and how to mend it.
//
//   HostFacts, Expectation --Diagnose--> findings
//
// Pure, and it only advises: nothing is ever mended by it. Every finding has
// the exact command that mends it, to be run by a person.
#ifndef UPLINKD_RECONCILER_DOCTOR_H_
#define UPLINKD_RECONCILER_DOCTOR_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "reconciler/host_facts.h"
#include "reconciler/spec.h"

namespace uplinkd {

enum class Severity {
  kNote,     // worth knowing; nothing is wrong
  kWarning,  // may hurt, depending on what else the host does
  kError,    // the spec cannot work like this
};
std::string_view SeverityName(Severity severity);  // "error"

struct Finding {
  Severity severity = Severity::kWarning;
  std::string id;    // stable, for scripts: "forwarding-off"
  std::string what;  // one sentence each
  std::string why;
  std::string mend;  // shell commands, one a line; "" where none is needed

  friend auto operator<=>(const Finding&, const Finding&) = default;
};

// What the doctor measures a host against.
struct Expectation {
  // Uplinks' interfaces, each with the uplink's name, or with those of all that
  // share it ("fibre, lte"); empty without a spec.
  std::map<std::string, std::string> uplinks;
  std::set<std::string> lans;
  // Interfaces of uplinks that carry IPv6.
  std::set<std::string> uplinks6;
  // Those of them whose IPv6 router has to be learned.
  std::set<std::string> learns_router6;
  bool ipv6 = false;  // the spec is about IPv6 as well
  std::uint32_t mark_mask = 0;
  // Routing tables of the spec, each with its uplink's name ("" for the
  // multipath table).
  std::map<std::uint32_t, std::string> tables;
  // Titles of iptables tables ("nat", "ip6 nat"), and names of matches and
  // targets that will be written.
  std::set<std::string> xt_tables;
  std::set<std::string> matches;
  std::set<std::string> targets;

  friend auto operator<=>(const Expectation&, const Expectation&) = default;
};

// Any spec with default marks and tables: all algorithms, every id.
Expectation ExpectAnySpec();
// Exactly what `spec` compiles to. It must be valid.
Expectation ExpectSpec(const Spec& spec);

// Every finding, the gravest first. Empty: nothing stands in the way.
std::vector<Finding> Diagnose(const HostFacts& host,
                              const Expectation& expectation);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_DOCTOR_H_
