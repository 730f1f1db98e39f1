// ChainRule, Chain and XtTableState: iptables rules as typed values.
//
// Only what our lowering emits is modelled; anything else that stands in one
// of our chains (somebody edited it) is decoded as Opaque, which never equals
// a rule of ours and so is repaired. Bytes exist only below the kernel edge.
#ifndef UPLINKD_RECONCILER_CHAIN_H_
#define UPLINKD_RECONCILER_CHAIN_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reconciler/ip.h"
#include "reconciler/mark.h"
#include "reconciler/traffic.h"

namespace uplinkd {

// Those of iptables and, with a 6, those of ip6tables, which have the same
// names.
enum class XtTable { kMangle, kNat, kMangle6, kNat6 };
std::string_view XtTableName(XtTable table);   // "mangle", also of kMangle6
std::string_view XtTableTitle(XtTable table);  // "mangle", "ip6 mangle"
Family FamilyOf(XtTable table);
XtTable MangleOf(Family family);
XtTable NatOf(Family family);

// The builtin chains that we hang jumps in.
enum class XtHook { kPrerouting, kOutput, kPostrouting };
std::string_view XtHookName(XtHook hook);  // "PREROUTING"

// ---- matches ----

// -m mark [!] --mark value/mask
struct MarkMatch {
  Mark mark;
  bool invert = false;
  friend auto operator<=>(const MarkMatch&, const MarkMatch&) = default;
};
// -m connmark [!] --mark value/mask
struct ConnmarkMatch {
  Mark mark;
  bool invert = false;
  friend auto operator<=>(const ConnmarkMatch&, const ConnmarkMatch&) = default;
};
// -m conntrack --ctstate NEW
struct NewConnectionMatch {
  friend auto operator<=>(const NewConnectionMatch&,
                          const NewConnectionMatch&) = default;
};
// -m statistic --mode random --probability threshold/2^31
struct RandomMatch {
  std::uint32_t threshold = 0;  // of 2^31 (XT_STATISTIC_MODE_RANDOM)
  friend auto operator<=>(const RandomMatch&, const RandomMatch&) = default;
};
// -m cluster --cluster-total-nodes 2 --cluster-local-nodemask 1
//    --cluster-hash-seed seed: one fair coin per client address and seed.
struct SourceCoinMatch {
  std::uint32_t seed = 0;
  bool invert = false;
  friend auto operator<=>(const SourceCoinMatch&,
                          const SourceCoinMatch&) = default;
};
// -m recent --name N --mask 0.0.0.0 --rsource ...: a list with one entry, used
// as a counter that survives commits. Its hits are the count.
struct CounterMatch {
  enum class Operation {
    kAtLeast,    // --rcheck --hitcount hits: matches if the count >= hits
    kIncrement,  // --set: counts one more, always matches
    kReset,      // --remove: count becomes 0; matches if it was not 0 before
  };
  std::string name;
  Operation operation = Operation::kAtLeast;
  std::uint32_t hits = 0;  // kAtLeast only, 1..255
  friend auto operator<=>(const CounterMatch&, const CounterMatch&) = default;
};
// -m recent --name N --mask 255.255.255.255 --rsource ...: a list of clients,
// by source address. The kernel keeps the newest 100 of a list (ip_list_tot of
// xt_recent).
struct ClientListMatch {
  enum class Operation {
    kHolds,   // --rcheck --seconds S: matches if it was added since then
    kAdd,     // --set: adds it, or anew; always matches
    kRemove,  // --remove: matches if it was there
  };
  std::string name;
  Operation operation = Operation::kHolds;
  std::uint32_t seconds = 0;  // kHolds only, 1 or more
  friend auto operator<=>(const ClientListMatch&,
                          const ClientListMatch&) = default;
};
// -m rateest: compares free capacity, max(0, capacity - rate), in bytes/s.
struct FreeCapacityMatch {
  struct Side {
    std::string estimator;
    // Bytes per second. The program prints whole Kbit/s from 1 Mbit/s on, and
    // whole Mbit/s from 1 Gbit/s on: finer ones do not survive its save.
    std::uint32_t capacity = 0;
    friend auto operator<=>(const Side&, const Side&) = default;
  };
  // With `right`: matches if left's free capacity > right's
  //   --rateest-delta --rateest1 L --rateest-bps1 C1 --rateest-gt
  //   --rateest2 R --rateest-bps2 C2
  // Without: matches if left has no free capacity at all
  //   --rateest-delta --rateest L --rateest-bps1 C1 --rateest-eq
  //   --rateest-bps2 0
  Side left;
  std::optional<Side> right;
  friend auto operator<=>(const FreeCapacityMatch&,
                          const FreeCapacityMatch&) = default;
};
// -m multiport [!] --sports|--dports 5060,10000:20000. Only with a protocol.
struct PortsMatch {
  enum class Side { kSource, kDestination };
  Side side = Side::kDestination;
  std::vector<PortRange> ports;  // at most kMaxPorts, where a range counts two
  bool invert = false;
  friend auto operator<=>(const PortsMatch&, const PortsMatch&) = default;
};
inline constexpr std::size_t kMaxPorts = 15;  // XT_MULTI_PORTS
// -m dscp [!] --dscp 0x2e
struct DscpMatch {
  std::uint8_t dscp = 0;  // 0..63
  bool invert = false;
  friend auto operator<=>(const DscpMatch&, const DscpMatch&) = default;
};
// -m mac [!] --mac-source 02:00:00:00:00:01
struct MacMatch {
  MacAddress source{};
  bool invert = false;
  friend auto operator<=>(const MacMatch&, const MacMatch&) = default;
};
// -m owner [!] --uid-owner 1000-1999. Only in OUTPUT and POSTROUTING.
struct OwnerMatch {
  UidRange uid;
  bool invert = false;
  friend auto operator<=>(const OwnerMatch&, const OwnerMatch&) = default;
};
// -m hashlimit --hashlimit-upto|--hashlimit-above 10/sec --hashlimit-burst 5
//    [--hashlimit-mode srcip] --hashlimit-name N: matches while the budget
// lasts, or only beyond it. Unlike that of xt_limit it survives commits, under
// its name, and so do its parameters: a name stands for one set of them.
struct BudgetMatch {
  std::string name;
  // Microseconds until one more is allowed.
  std::uint64_t interval = 0;
  std::uint32_t burst = 0;
  LimitKey key = LimitKey::kAll;
  bool invert = false;
  friend auto operator<=>(const BudgetMatch&, const BudgetMatch&) = default;
};
// The interval as the program says it: 10/sec. `interval` must not be 0.
struct BudgetRate {
  std::uint64_t count = 0;
  std::chrono::seconds unit{1};  // a second, minute, hour or day
};
BudgetRate RateOf(const BudgetMatch& match);

// -m set [!] --match-set NAME src|dst. In the kernel a set has a number; its
// name is found out when a rule is written or read.
struct IpsetMatch {
  enum class Side { kSource, kDestination };
  std::string set;
  Side side = Side::kSource;
  bool invert = false;
  friend auto operator<=>(const IpsetMatch&, const IpsetMatch&) = default;
};

// A match that we never write.
struct OpaqueMatch {
  std::string text;  // name, revision and a digest of its bytes
  friend auto operator<=>(const OpaqueMatch&, const OpaqueMatch&) = default;
};

using Match =
    std::variant<MarkMatch, ConnmarkMatch, NewConnectionMatch, RandomMatch,
                 SourceCoinMatch, CounterMatch, FreeCapacityMatch, PortsMatch,
                 DscpMatch, MacMatch, OwnerMatch, BudgetMatch, ClientListMatch,
                 IpsetMatch, OpaqueMatch>;

// ---- targets ----

struct ContinueTarget {  // no -j at all: only the matches' side effects
  friend auto operator<=>(const ContinueTarget&,
                          const ContinueTarget&) = default;
};
struct ReturnTarget {  // -j RETURN
  friend auto operator<=>(const ReturnTarget&, const ReturnTarget&) = default;
};
struct JumpTarget {  // -j chain, or -g chain
  std::string chain;
  bool go_to = false;
  friend auto operator<=>(const JumpTarget&, const JumpTarget&) = default;
};
struct SetMarkTarget {  // -j MARK --set-xmark value/mask
  Mark mark;
  friend auto operator<=>(const SetMarkTarget&, const SetMarkTarget&) = default;
};
struct SaveMarkTarget {  // -j CONNMARK --save-mark --nfmask m --ctmask m
  std::uint32_t mask = 0;
  friend auto operator<=>(const SaveMarkTarget&,
                          const SaveMarkTarget&) = default;
};
struct RestoreMarkTarget {  // -j CONNMARK --restore-mark --nfmask m --ctmask m
  std::uint32_t mask = 0;
  friend auto operator<=>(const RestoreMarkTarget&,
                          const RestoreMarkTarget&) = default;
};
struct EstimateTarget {            // -j RATEEST
  std::string estimator;           // at most 15 characters
  std::int8_t interval_log2 = -2;  // log2 of seconds, -2..3
  std::uint8_t ewma_log2 = 1;      // 1..30
  friend auto operator<=>(const EstimateTarget&,
                          const EstimateTarget&) = default;
};
struct SnatTarget {  // -j SNAT --to-source address
  Address address;
  friend auto operator<=>(const SnatTarget&, const SnatTarget&) = default;
};
struct MasqueradeTarget {  // -j MASQUERADE
  friend auto operator<=>(const MasqueradeTarget&,
                          const MasqueradeTarget&) = default;
};
struct NetmapTarget {  // -j NETMAP --to prefix: the host bits stay
  Prefix prefix;
  friend auto operator<=>(const NetmapTarget&, const NetmapTarget&) = default;
};
struct OpaqueTarget {  // a target or verdict that we never write
  std::string text;
  friend auto operator<=>(const OpaqueTarget&, const OpaqueTarget&) = default;
};

using Target =
    std::variant<ContinueTarget, ReturnTarget, JumpTarget, SetMarkTarget,
                 SaveMarkTarget, RestoreMarkTarget, EstimateTarget, SnatTarget,
                 MasqueradeTarget, NetmapTarget, OpaqueTarget>;

// ---- rules, chains, tables ----

struct PrefixMatch {  // -s or -d
  Prefix prefix;      // never /0: the kernel's word for that is no match
  bool invert = false;
  friend auto operator<=>(const PrefixMatch&, const PrefixMatch&) = default;
};

// The kernel's masks need not be those of prefixes: by its last four bits an
// address is in one of 16 groups.
inline constexpr std::uint8_t kDestinationGroups = 16;
std::uint8_t DestinationGroup(const Address& address);

struct ChainRule {
  std::string in_interface;   // "" for any
  std::string out_interface;  // "" for any
  std::optional<PrefixMatch> source;
  std::optional<PrefixMatch> destination;
  // -d 0.0.0.5/0.0.0.15, -d ::5/::f. Never together with `destination`.
  std::optional<std::uint8_t> destination_group;
  std::uint8_t protocol = 0;  // IPPROTO_*; 0 for any
  // In this order. The program cannot read back two of one kind.
  std::vector<Match> matches;
  Target target;
  std::string extra;  // other header fields (fragments, inversions); ours: ""

  friend auto operator<=>(const ChainRule&, const ChainRule&) = default;
};

using Chain = std::vector<ChainRule>;

// A rule of a builtin chain whose target is one of our chains.
struct HookJump {
  std::size_t position = 0;  // 0 is the first rule of the builtin chain
  ChainRule rule;
  friend auto operator<=>(const HookJump&, const HookJump&) = default;
};

// All that is ours in one xtables table: our chains by name, and our jumps in
// builtin chains. A hook without a jump of ours has no entry.
struct XtTableState {
  std::map<std::string, Chain> chains;
  std::map<XtHook, std::vector<HookJump>> jumps;

  bool Empty() const { return chains.empty() && jumps.empty(); }
  friend auto operator<=>(const XtTableState&, const XtTableState&) = default;
};

}  // namespace uplinkd

#endif  // UPLINKD_RECONCILER_CHAIN_H_
