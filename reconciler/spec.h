// Spec: what an operator asks for, typed, with every default filled in.
//
//   spec file --(proto/)--> uplinkd.v1.Router --(proto/convert)--> Spec
//
// A Spec is a value; it knows nothing of the kernel. Validate() reports every
// fault at once, each with the path of the field it is about, so that one
// answer is enough to mend a spec. Only a Spec without violations may reach
// Compile().
#ifndef UPLINKD_RECONCILER_SPEC_H_
#define UPLINKD_RECONCILER_SPEC_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reconciler/affinity.h"
#include "reconciler/failover_spec.h"
#include "reconciler/health.h"
#include "reconciler/ip.h"
#include "reconciler/mark.h"
#include "reconciler/traffic.h"

namespace uplinkd {

inline constexpr std::size_t kMaxUplinks = 32;
inline constexpr std::size_t kMaxLans = 64;
inline constexpr std::size_t kMaxNetworks = 256;  // of one LAN
inline constexpr std::size_t kMaxPolicies = 64;
// Of OnFailback::kDrain.
inline constexpr std::chrono::minutes kDefaultDrainDeadline{5};
inline constexpr std::chrono::hours kMaxDrainDeadline{24 * 365};
// Routing tables are numbered up to here; ip(8) and the kernel hold more, but
// many programs read the number as a signed one.
inline constexpr std::uint32_t kMaxTable = 0x7fffffff;

// How a new connection gets its fate.
enum class Algorithm {
  kLeastLoaded,       // the uplink with the most free capacity, measured
  kWeightedRandom,    // at random, in proportion to the weights
  kRoundRobin,        // in turn, in proportion to the weights
  kSourceHash,        // by a hash of the client's address
  kMultipath,         // by the kernel's weighted next-hop route
  kFailover,          // the first that can carry it, in the order given
  kLeastConnections,  // by weight, levelling out the connections there are
  kOverflow,          // the first that is not full, in the order given
  kLowestLatency,     // the one that answers probes the soonest
};

// Which direction of an uplink's traffic least-loaded and overflow look at.
enum class Measure { kDownload, kUpload, kBoth };

// How the source address of a LAN connection is translated on an uplink.
enum class Nat {
  kSnat,        // to the uplink's address
  kMasquerade,  // to whatever address its link has
  kNone,        // not at all
  kPrefix,      // IPv6: its network is replaced, the rest of it stays
};

// What an uplink carries.
enum class UplinkFamilies { kIpv4, kIpv6, kBoth };

// An internal network whose connections are balanced.
struct Lan {
  std::string interface;
  std::vector<Prefix> networks;  // empty: those of the interface

  friend auto operator<=>(const Lan&, const Lan&) = default;
};

// The speed of the line, in bits per second. 0 means unknown.
struct Capacity {
  std::uint64_t download = 0;
  std::uint64_t upload = 0;

  friend auto operator<=>(const Capacity&, const Capacity&) = default;
};

// Stable number of an uplink, 1 or more. Its mark value and its routing table
// number follow from it, so it never changes while the uplink keeps its name.
// 0 stands for "not assigned yet".
using UplinkId = std::uint32_t;

struct Uplink {
  std::string name;
  std::string interface;
  std::optional<Address> address;  // none: learned from the interface
  std::optional<Address> gateway;  // none: learned from main's default route
  UplinkId id = 0;
  Capacity capacity;
  std::optional<std::uint32_t> weight;  // none: follows the capacity
  Nat nat = Nat::kSnat;
  UplinkMode mode = UplinkMode::kEnabled;
  std::optional<Health> health;  // none: it is not probed
  UplinkFamilies families = UplinkFamilies::kIpv4;
  std::optional<Address> address6;  // as `address`
  std::optional<Address> gateway6;  // as `gateway`
  Nat nat6 = Nat::kSnat;
  // For Nat::kPrefix: the network that replaces that of a LAN. None: that of
  // the first address of `prefix6_interface`, or of the uplink's own link if
  // that is "".
  std::optional<Prefix> prefix6;
  std::string prefix6_interface;

  friend auto operator<=>(const Uplink&, const Uplink&) = default;
};

// Parameters of the kernel's rate estimators (xt_RATEEST). The kernel only
// knows intervals of 250ms times a power of two up to 8s, and windows that are
// the interval times a power of two.
struct Estimator {
  std::chrono::milliseconds interval{250};
  std::chrono::milliseconds window{500};

  friend auto operator<=>(const Estimator&, const Estimator&) = default;
};

// What becomes of a new connection when no member of its policy can carry it.
enum class LastResort {
  kMain,         // main routes it, as if there were no policy
  kUnreachable,  // the client is told (ICMP net unreachable)
  kBlackhole,    // dropped in silence
};

// One uplink of a policy.
struct PolicyMember {
  std::string uplink;
  std::optional<std::uint32_t> weight;  // none: the uplink's own

  friend auto operator<=>(const PolicyMember&, const PolicyMember&) = default;
};

// Uplinks that connections are spread over; the next tier serves while none of
// them can. The order counts for kFailover and kOverflow, and for
// kLowestLatency as long as nothing was measured.
using Tier = std::vector<PolicyMember>;

// How new connections get one of some uplinks.
struct Policy {
  std::string name;
  Algorithm algorithm = Algorithm::kLeastLoaded;
  Measure measure = Measure::kDownload;
  Estimator estimator;
  std::vector<Tier> tiers;  // none: all uplinks are one tier
  LastResort last_resort = LastResort::kUnreachable;
  // Percent of its capacity up to which kOverflow fills an uplink.
  std::uint32_t threshold = 80;
  OnFailover on_failover = OnFailover::kCut;
  OnFailback on_failback = OnFailback::kKeep;
  std::chrono::milliseconds drain_deadline = kDefaultDrainDeadline;
  Affinity affinity;

  friend auto operator<=>(const Policy&, const Policy&) = default;
};

// The name of the default policy.
inline constexpr char kBalance[] = "balance";

// The default policy as it is without a word in the spec. Its last resort is
// main: a router without a living uplink is no worse off with us than without.
Policy DefaultBalance();

struct Spec {
  std::string name;
  std::string revision;  // the operator's own word for this version, may be ""
  std::vector<Lan> lans;
  std::vector<Uplink> uplinks;
  Policy balance = DefaultBalance();  // of what no traffic rule is about
  std::vector<Policy> policies;
  std::vector<TrafficRule> traffic;  // the first that matches decides
  // Of the router's own connections, as TrafficRule::use.
  std::string local_use = kUseMain;
  // The mark bits that are ours. Contiguous; see MarkOf().
  std::uint32_t mark_mask = 0xff;
  // Routing table number of uplink `id` is table_base + id. The multipath
  // table is table_base itself.
  std::uint32_t table_base = 10;

  friend auto operator<=>(const Spec&, const Spec&) = default;
};

// One fault of a spec.
struct Violation {
  std::string field;    // path in the spec file: "spec.uplinks[1].weight"
  std::string message;  // one sentence: what is wrong and what would be right

  friend auto operator<=>(const Violation&, const Violation&) = default;
};

// Every fault of `spec`, in the order of the fields. Empty: the spec is good.
// Where a list is too long, only as many of it are looked at as are supported.
// Ids may still be 0 (not assigned yet).
std::vector<Violation> Validate(const Spec& spec);

// Gives every uplink without an id one of its own: the remembered one for its
// name if no other uplink claims it, else the smallest that is neither used
// nor remembered for another name. `remembered` is name -> id from earlier
// specs; a name that is gone keeps its id reserved as long as others are free.
// New ids are given in the order of the names, not of the list. `spec` must be
// valid. Pure: the caller stores the ids for the next time.
Spec AssignIds(Spec spec, const std::map<std::string, UplinkId>& remembered);

// Whether the uplink is for connections of that family.
bool CarriesFamily(const Uplink& uplink, Family family);
// Those that any uplink is for. Without uplinks: IPv4.
std::vector<Family> FamiliesOf(const Spec& spec);
// Whether one of them is IPv6.
bool HasIpv6(const Spec& spec);
// What the spec says of the uplink for one family.
const std::optional<Address>& AddressOf(const Uplink& uplink, Family family);
const std::optional<Address>& GatewayOf(const Uplink& uplink, Family family);
Nat TranslationOf(const Uplink& uplink, Family family);

// Whether the bits of `mask` are one run, and there is one at least.
bool IsContiguousMask(std::uint32_t mask);

// The highest id that the mask has room for. The three highest values are
// reserved (see below), so it is three less than the mask holds; never more
// than the priorities of our ip rules have room for (299). 0 for a mask that
// is not contiguous, or too small.
UplinkId MaxUplinkId(std::uint32_t mark_mask);

// The fate mark of an uplink: its id, shifted into the mask.
Mark MarkOf(const Spec& spec, UplinkId id);
// The marks of packets that no uplink carries, by what becomes of them. No
// connection ever has one: the next attempt is a new decision. None for
// kMain.
std::optional<Mark> MarkOf(std::uint32_t mark_mask, LastResort last_resort);
// The mark of probes, which bypass every fate: all ones under the mask.
Mark BypassMark(std::uint32_t mark_mask);
// The routing table number of an uplink.
std::uint32_t TableOf(const Spec& spec, UplinkId id);
// Whether a routing table may be ours: not unspecified (0), default, main or
// local (253..255), and not above kMaxTable.
bool IsUsableTable(std::uint32_t table);

// The bits per second that `measure` looks at; for both directions their sum.
// 0 where that is not known.
std::uint64_t CapacityIn(const Capacity& capacity, Measure measure);

// The weight of an uplink under `measure`: its own, else its capacity in that
// direction in kbit/s (at least 1), else 1 when no uplink has a capacity.
std::uint64_t WeightOf(const Uplink& uplink, Measure measure);

// Whether the kernel compares the uplinks' rates with their capacities.
bool Measures(Algorithm algorithm);

// The default policy, then the others. Valid as long as `spec`.
std::vector<const Policy*> AllPolicies(const Spec& spec);

// The tiers of `policy`, with the one of all uplinks where it names none.
std::vector<Tier> TiersOf(const Spec& spec, const Policy& policy);

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_SPEC_H_
